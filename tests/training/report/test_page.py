"""The experiments page of the batch's small shop: before anything was run, and after all of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest
import yaml

from infra.params import read_params
from infra.settings import PROJECT_ROOT, Settings
from tests.small_log import at, event, item, write_log
from tests.training.buyers.small_shop import DAYS, basket, order_days, small_shop
from tests.training.recommend.batch_shop import environment, write_params
from training.ablation import command as ablation
from training.buyers import training_run as buyers
from training.candidates import __main__ as candidates
from training.recommend.compare import __main__ as compare
from training.report import page
from training.report.example_lists import Example, K, example_lists
from training.report.examples import COUNT
from training.report.hypotheses import result
from training.report.log_facts import log_facts
from training.report.study import Study
from training.stage_two import training_run as stage_two
from training.tune import command as tune

HOSTILE = '<script>alert("x")</script>'
ANCHORS = ["data", "stack", "method", "hypotheses", "algorithms", "tuning", "validation", "buyers", "examples"]
SEED = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["train"]["seed"]  # draws the examples
BEFORE = ["--at", at(DAYS).isoformat()]


@dataclass(frozen=True)
class Pages:
    settings: Settings
    before: str
    after: str
    examples: list[Example]

    def study(self) -> Study:
        return Study(self.settings, read_params(self.settings))


def sections(text: str) -> dict[str, str]:
    return dict(re.findall(r'<section id="(\w+)">(.*?)</section>', text, re.DOTALL))


def without_plots(text: str) -> str:
    return re.sub(r'src="data:[^"]*"', "", text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Pages:
    folder = tmp_path_factory.mktemp("report")
    settings = small_shop(folder).model_copy(update={"params_file": folder / "params.yaml"})
    write_params(settings)
    file = settings.reports_dir / page.FILE
    training = settings.training_dir
    with environment(settings):
        assert page.main([]) == 0
        before = file.read_text()
        training.mkdir(exist_ok=True)
        starts = ",".join(at(day).isoformat() for day in (60, 63))
        assert stage_two.main(BEFORE) == 0
        assert ablation.main(BEFORE) == 0
        assert buyers.main(BEFORE) == 0
        assert candidates.main(["--at", starts, "--json", str(training / "candidates.json")]) == 0
        compared = ["--at", at(60).isoformat(), "--users", "8", "--json", str(training / "compare.json")]
        assert compare.main(compared) == 0
        assert tune.main(["buyers", "--trials", "2", *BEFORE]) == 0
        assert page.main([]) == 0
        return Pages(settings, before, file.read_text(), example_lists(settings, 3, COUNT, SEED))


def test_each_section_is_on_both_pages(pages):
    assert list(sections(pages.before)) == list(sections(pages.after)) == ANCHORS
    assert all(f'href="#{anchor}"' in pages.before for anchor in ANCHORS)


@pytest.mark.parametrize(
    ("anchor", "command"),
    [
        ("hypotheses", "python -m training.ablation --model recommender"),
        ("hypotheses", "python -m training.candidates --json data/tiny/training/candidates.json"),
        ("algorithms", "python -m training.stage_two"),
        ("algorithms", "python -m training.recommend.compare --at TIMESTAMP --json data/tiny/training/compare.json"),
        ("tuning", "python -m training.tune buyers"),
        ("buyers", "python -m training.buyers"),
        ("examples", "python -m training.stage_two"),
    ],
)
def test_what_was_not_run_is_named_with_its_command_until_it_was(pages, anchor, command):
    missing = f"not run: <code>{command}</code>"
    assert missing in sections(pages.before)[anchor]
    assert missing not in sections(pages.after)[anchor]


def test_what_is_still_not_run_is_said(pages):
    for command in ("python -m training.train", "python -m training.tune ranker", "python -m validation.skew"):
        assert f"not run: <code>{command}</code>" in pages.after
    assert "cannot be shown" not in pages.before + pages.after


def test_the_page_loads_no_other_file(pages):
    sources = re.findall(r'src="([^"]{0,30})', pages.after)
    assert len(sources) >= 7  # three of the data, two ablations, rankers, trials, calibration
    assert all(source.startswith("data:image/svg+xml;base64") for source in sources)
    assert not re.search(r"https?:|url\(|@import", without_plots(pages.after))


def test_figures_of_the_runs_are_on_the_page(pages):
    read = {
        name: json.loads((pages.settings.training_dir / name).read_text())
        for name in ("ablation/recommender.json", "buyers.json", "candidates.json", "compare.json")
    }
    found = sections(pages.after)
    for part in read["ablation/recommender.json"]["parts"]:
        worth = part["worth"]
        cell = f"{worth['mean']:+.4f} [{worth['low']:+.4f}, {worth['high']:+.4f}]"
        assert f"<td>{part['name']}</td>" in found["hypotheses"]
        assert cell in found["hypotheses"]
    assert f"{read['buyers.json']['rows']['model']['auc']:.4f}" in found["buyers"]
    assert f"{read['candidates.json']['sources'][0]['recall']['50']:.4f}" in found["hypotheses"]
    for rows in (read["compare.json"]["lists"], read["compare.json"]["ways"]):
        for name, row in rows.items():
            assert f"<td>{name}</td><td>{row['windows'][0]:.4f}</td>" in found["algorithms"]


def test_the_facts_of_the_log_are_counted_again(pages):
    days = {f"u{user:02d}": order_days(user) for user in range(20)}
    facts = log_facts(pages.settings, None)
    orders = 3 * sum(map(len, days.values()))
    assert facts.rows["events"] == orders == sum(count for count, _ in facts.repeats.values())
    assert (facts.users, facts.sessions) == (20, orders // 3)
    bought = {(user, item) for user in range(20) for day in order_days(user) for item in basket(user, day)}
    assert facts.repeat_share == pytest.approx(1 - len(bought) / orders)
    assert sum(users for _, users in facts.histories) == 20
    early = log_facts(pages.settings, at(30))
    assert early.rows["events"] == 3 * sum(day < 30 for each in days.values() for day in each)
    assert early.last is not None
    assert early.last < at(30)


def test_examples_hold_what_was_ordered_in_their_windows(pages):
    assert len(pages.examples) == COUNT
    for example in pages.examples:
        user, start = int(example.user_id[1:]), (example.start - at()).days
        ordered = {item for day in order_days(user) if start <= day < start + 3 for item in basket(user, day)}
        assert {each.item_id for each in example.bought} == ordered
        assert len(example.listed) <= K
        assert {each.item_id for each in example.listed if each.bought} == ordered & {
            each.item_id for each in example.listed
        }
        hits = sum(each.bought for each in example.listed)
        assert example.recall == hits / len(ordered)
        assert f"User {example.user_id}, {example.start:%Y-%m-%d}" in sections(pages.after)["examples"]


def test_texts_of_the_runs_are_escaped_and_a_broken_file_takes_only_its_block(pages):
    training = pages.settings.training_dir
    names = ("ablation/recommender.json", "buyers.json")
    kept = {name: (training / name).read_text() for name in names}
    body = json.loads(kept[names[0]])
    body["parts"][0]["name"] = HOSTILE
    (training / names[0]).write_text(json.dumps(body))
    (training / names[1]).write_text(f"{{{HOSTILE}")
    try:
        found = sections(page.render(pages.study()))
    finally:
        for name, text in kept.items():
            (training / name).write_text(text)
    assert "&lt;script&gt;" in found["hypotheses"]
    assert "<script" not in "".join(found.values())
    assert "cannot be shown" in found["buyers"]
    assert "cannot be shown" not in found["algorithms"]


def test_a_result_names_what_earns_its_place_and_what_costs():
    parts = [
        {"name": "a", "verdict": "earns its place"},
        {"name": "b", "verdict": "no difference shown"},
        {"name": "c", "verdict": "costs"},
    ]
    assert result(parts) == (
        "Result: the lower bound is above 0 for 1 of 3: a. For b no difference is shown. The model is better without c."
    )


def test_a_result_in_which_no_part_earns_its_place_says_none():
    assert result([{"name": "a", "verdict": "no difference shown"}]) == (
        "Result: the lower bound is above 0 for none of 1. For a no difference is shown."
    )


@pytest.mark.parametrize("orders", [0, 1])
def test_a_log_without_events_or_of_a_single_order_has_a_page(pages, tmp_path, orders):
    settings = pages.settings.model_copy(update={"data_dir": tmp_path, "state_dir": tmp_path / "var"})
    events = [event(number, at(number), "order", "i") for number in range(orders)]
    write_log(settings.log_dir, items=[item("i")], events=events, impressions=[])
    with environment(settings):
        assert page.main([]) == 0
    found = sections((settings.reports_dir / page.FILE).read_text())
    assert list(found) == ANCHORS
    assert "cannot be shown" not in "".join(found.values())
    assert ("The log holds no event" in found["data"]) == (orders == 0)
    assert found["data"].count("<img") == (3 if orders else 0)


def test_a_recommender_without_a_model_says_why(pages):
    file = pages.settings.training_dir / "recommend" / "run" / "metrics.json"
    kept = file.read_text()
    why = "no model is trained: the log has 11 days"
    file.write_text(json.dumps({"dataset": "tiny", "model_name": "recommend-tiny", "decision": why}))
    try:
        found = sections(page.render(pages.study()))
    finally:
        file.write_text(kept)
    for anchor in ("algorithms", "validation", "examples"):
        assert why in found[anchor]
    assert "cannot be shown" not in "".join(found.values())


def test_a_data_set_without_a_log_is_an_error(pages, tmp_path, capsys):
    with environment(pages.settings.model_copy(update={"data_dir": tmp_path})):
        assert page.main([]) == 2
    assert capsys.readouterr().err.startswith("training.report: ")
