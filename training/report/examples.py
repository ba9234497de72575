"""The section of examples: what was recommended, beside what was bought."""

from __future__ import annotations

from html import escape

from infra.models.model_store import NoModel
from infra.report_page.page import table
from training.report.algorithms import RECOMMENDER, RECOMMENDER_RUN
from training.report.example_lists import Bought, Example, K, example_lists
from training.report.study import Section, Study, block, not_run, note, paragraph, read_object

COUNT = 4
SHOWN = 25  # of what was bought
PARAMETERS = ("recommend", "run", "parameters.json")


def section(study: Study) -> Section:
    return Section("examples", "Recommendations beside what was bought", block(lambda: _body(study), RECOMMENDER))


def _body(study: Study) -> str:
    metrics = read_object(study.training_file(*RECOMMENDER_RUN))
    if "rankers" not in metrics:
        return paragraph(metrics["decision"])
    params = read_object(study.training_file(*PARAMETERS))
    seed = int(params["train"]["seed"])
    try:
        found = example_lists(study.settings, int(params["windows"]["days"]), COUNT, seed)
    except NoModel as error:
        return not_run(RECOMMENDER, str(error))
    if not found:
        return note("The test windows have no list of a user without a session.")
    intro = (
        f"{len(found)} lists of the test windows, drawn with the seed {seed} and not chosen. Each user is given {K} "
        "items at a midnight, without a session, and is judged by what they order in the window."
    )
    return paragraph(intro) + "".join(map(_example, found))


def _example(example: Example) -> str:
    hits = sum(each.bought for each in example.listed)
    head = f"User {example.user_id}, {example.start:%Y-%m-%d} to {example.end:%Y-%m-%d}"
    listed = [
        [str(i), each.item_id, each.category, f"{each.source} {each.rank}", "bought" if each.bought else ""]
        for i, each in enumerate(example.listed, start=1)
    ]
    bought = [[each.item_id, each.category, _where(each)] for each in example.bought[:SHOWN]]
    more = len(example.bought) - len(bought)
    return (
        f"<h3>{escape(head)}</h3>\n"
        + paragraph(
            f"{hits} of {len(example.listed)} recommended items were bought; {len(example.bought)} items were bought "
            f"in all, recall {example.recall:.2f}."
        )
        + "<div class=pair><div>"
        + table(["", "recommended", "category", "best source, rank", ""], listed, texts=True)
        + "</div><div>"
        + table(["bought", "category", "position"], bought, texts=True)
        + (note(f"and {more:,} more") if more else "")
        + "</div></div>\n"
    )


def _where(bought: Bought) -> str:
    if bought.position is None:
        return "no candidate"
    return str(bought.position)
