"""A review as tables and sentences, on the terminal (Markdown) and as an HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from infra.report_page.page import page, table
from training.features.drift import FAR, SHIFTED

NOT_MEASURED = ""
WORDS = ("feature", "family", "drift", "verdict", "its verdict")  # columns; the others hold numbers
HOW = (
    "coverage: the share of rows with a value. gain: the share of all splits' gain. loss: the metric as it is minus "
    "the metric with the feature shuffled, on the same slates, with its 95 % interval over resampled users.",
    "drift: from train to test, population stability index over the train deciles, missing as a bin of its own. Below "
    f"{SHIFTED} is usually called stable, from {FAR} on far. KS: the largest distance of the distribution functions.",
    "µs: of a slate in serving that is in no cache: decoding a stored column, or an equal share of the derived family "
    "that computes it, and an equal share of filling the matrix. What a derived family reads stands with the views. A "
    "family is computed as a whole: without one of its features it takes about the same time.",
    "An interval that reaches 0 shows no difference: of twenty one lies beside 0 by chance, and features that know the "
    "same cover for each other. Leave a feature out, train again and compare before it is dropped.",
)


@dataclass(frozen=True)
class Table:
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def markdown(found: Mapping[str, Any]) -> str:
    lines = [f"# {title(found)}", "", head(found), ""]
    for each in tables(found):
        align = ["---" if name in WORDS else "---:" for name in each.header]
        rows = [" | ".join(row) for row in (each.header, align, *each.rows)]
        lines += [f"## {each.title}", "", *(f"| {row} |" for row in rows), ""]
    lines += ["## What costs and gives nothing", "", *(f"- {line}" for line in named(found)), ""]
    return "\n".join([*lines, *HOW])


def html(found: Mapping[str, Any]) -> str:
    body = [f"<h1>{escape(title(found))}</h1>\n<p>{escape(head(found))}</p>\n<h2>What costs and gives nothing</h2>\n"]
    body.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in named(found))}</ul>\n")
    body += [f"<h2>{escape(each.title)}</h2>\n{table(each.header, each.rows)}" for each in tables(found)]
    body.append("".join(f"<p class=note>{escape(line)}</p>\n" for line in HOW))
    return page(title(found), "".join(body))


def title(found: Mapping[str, Any]) -> str:
    return f"Features of {found['model']['name']}: {found['dataset']}"


def head(found: Mapping[str, Any]) -> str:
    model, value, cost = found["model"], found["value"], found["cost"]
    serving = "the champion" if model["champion"] else "not the champion"
    text = (
        f"Version {model['version']} ({serving}): {found['metric']} {value['mean']:.4f} on {value['slates']:,} "
        f"{found['judged_on']} slates of {found['users']:,} users; shuffled {found['repeats']} times. "
    )
    if cost is None:
        return f"{text}What features cost online was not measured: {found['cost_problem']}."
    return (
        f"{text}Cost online: of {cost['slates']} test slates with {cost['candidates']:.0f} candidates in the mean; "
        f"filling the matrix takes {cost['fill_us']:.0f} µs of each."
    )


def tables(found: Mapping[str, Any]) -> list[Table]:
    return [_features(found["features"]), _families(found)]


def named(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each kind of feature that gives nothing."""
    nothing = found["nothing"]
    by_name = {each["name"]: each for each in found["features"]}

    def listed(names: Sequence[str]) -> str:
        return ", ".join(f"{name}{_cost_of(by_name[name])}" for name in names)

    lines = []
    if nothing["unused"]:
        lines.append(f"The model never splits on: {listed(nothing['unused'])}.")
    if nothing["spared"]:
        loss = _interval(nothing["loss"])
        lines.append(f"When all of these are shuffled together, nothing is lost ({loss}): {listed(nothing['spared'])}.")
    if nothing["covered"]:
        lines.append(
            "Each of these alone shows no loss; together they may be worth much, because they cover for each other: "
            f"{', '.join(nothing['covered'])}."
        )
    if nothing["families"]:
        how = "shuffled" if found["ablation"] is None else "left out"
        families = ", ".join(nothing["families"])
        lines.append(f"No loss is shown when one of these families is {how} as a whole: {families}.")
    if found["cost"] is not None and nothing["online_us"]:
        whole = sum(each["online_us"] for each in found["features"])
        lines.append(f"The first two kinds take {nothing['online_us']:.0f} of all features' {whole:.0f} µs.")
    return lines or ["Every feature and every family earns its place."]


def _features(features: Sequence[Mapping[str, Any]]) -> Table:
    header = ["feature", "family", "train", "validation", "test", "gain", "loss", "PSI", "KS", "drift", "µs", "verdict"]
    rows = [
        [
            each["name"],
            each["family"],
            *(f"{each['coverage'][split]:.1%}" for split in ("train", "validation", "test")),
            f"{each['gain']:.2%}",
            _interval(each["loss"]),
            f"{each['psi']:.3f}",
            _or(each["ks"], "{:.3f}".format),
            each["drift"],
            _or(each["online_us"], "{:.1f}".format),
            each["verdict"],
        ]
        for each in sorted(features, key=lambda each: (-each["loss"]["mean"], -each["gain"], each["name"]))
    ]
    return Table("Features, the largest loss first; train, validation and test are coverage", header, rows)


def _families(found: Mapping[str, Any]) -> Table:
    header = ["family", "features", "gain", "loss", "verdict", "decode µs", "kB read", "derive µs", "again"]
    ablated = found["ablation"] is not None
    header += ["worth in the ablation", "its verdict"] if ablated else []
    rows = []
    for each in found["families"]:
        cells = [each["name"], str(each["features"]), f"{each['gain']:.2%}", _interval(each["loss"]), each["verdict"]]
        cells += _online(each["online"])
        if ablated:
            own = each["ablation"]
            cells += [NOT_MEASURED, NOT_MEASURED] if own is None else [_interval(own["worth"]), own["verdict"]]
        rows.append(cells)
    for each in found["reads"]:
        cells = [each["name"], "0", "", "", "read by derived families", *_online(each["online"])]
        rows.append([*cells, *([NOT_MEASURED] * (len(header) - len(cells)))])
    return Table("Families: views, derived families, and what the caller sends", header, rows)


def _online(part: Mapping[str, Any] | None) -> list[str]:
    if part is None:
        return [NOT_MEASURED] * 4
    if part["kind"] == "view":
        return [f"{part['decode_us']:.1f}", f"{part['kilobytes']:.1f}", NOT_MEASURED, NOT_MEASURED]
    return [NOT_MEASURED, NOT_MEASURED, f"{part['first_us']:.1f}", f"{part['again_us']:.1f}"]


def _interval(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"


def _cost_of(feature: Mapping[str, Any]) -> str:
    return "" if feature["online_us"] is None else f" ({feature['online_us']:.1f} µs)"


def _or(value: float | None, shown: Callable[[float], str]) -> str:
    return NOT_MEASURED if value is None else shown(value)
