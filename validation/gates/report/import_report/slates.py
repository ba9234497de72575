"""How long the lists are, and what training will learn from, choose by and be judged on."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from infra.report_page.charts import bars
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.slates import QUANTILES, SlateFacts, SplitFacts
from validation.gates.report.content import Block, Kind, Plot, Table, Text, number, percent
from validation.gates.report.import_report.overview import when

SPLIT_HEADER = ("split", "slates", "with a positive", "of one item", "users", "candidates", "from", "to")
ABOUT_SPLIT = (
    "Slates are split by time. The model learns from train, the number of its trees is chosen on validation, and all "
    "rankers are compared on test. Slates without a positive and slates of one item prove nothing there. Other "
    "timestamps of the splits are set in params/NAME.yaml, split."
)


def blocks(facts: LogFacts) -> Sequence[Block]:
    found = facts.slates
    if found is None:
        return [Text("The log has no slates, so no ranker can be trained on it.", Kind.MISSING)]
    labels = sorted(found.labels)
    positives = [label for label in labels if label > 0]
    header = ("split", *(f"label {label}" for label in labels), "positives per candidate")
    broken = f"The split of the parameters cannot be used: {found.split_problem}. Shown is a split without parameters."
    return [
        *([Text(broken, Kind.MISSING)] if found.split_problem else []),
        Table(SPLIT_HEADER, [_split(split) for split in found.splits]),
        Text(ABOUT_SPLIT, Kind.NOTE),
        Table(header, [_labels(split, labels, positives) for split in found.splits]),
        Table(("candidates of a slate", *(_quantile(q) for q in QUANTILES)), [("", *(number(s) for s in found.sizes))]),
        *([Plot(_sizes(found), "slates by the number of their candidates")] if len(found.histogram) > 1 else []),
        Text(_unusable(found)),
    ]


def _split(split: SplitFacts) -> tuple[str, ...]:
    span = ("-", "-") if split.first is None or split.last is None else (when(split.first), when(split.last))
    return (
        split.name,
        number(split.slates),
        f"{split.with_positive:,} ({percent(split.with_positive, split.slates)})",
        number(split.one_item),
        number(split.users),
        number(split.rows),
        *span,
    )


def _labels(split: SplitFacts, labels: Sequence[int], positives: Sequence[int]) -> tuple[str, ...]:
    found = sum(split.labels.get(label, 0) for label in positives)
    return split.name, *(number(split.labels.get(label, 0)) for label in labels), percent(found, split.rows)


def _quantile(share: float) -> str:
    return {0.0: "least", 0.5: "median", 1.0: "most"}.get(share, f"{share:.0%}")


def _unusable(found: SlateFacts) -> str:
    if not found.one_item and not found.repeated:
        return "Every slate has at least two candidates, and none is the same as another."
    return (
        f"{found.one_item:,} slates ({percent(found.one_item, found.slates)}) have one candidate, so there is "
        f"nothing to rank. {found.repeated:,} slates are the same as another in user, time and candidates."
    )


def _sizes(found: SlateFacts) -> Figure:
    """Groups without slates are shown between those with."""
    slates = dict(found.histogram)
    bounds = [2**power for power in range(min(slates).bit_length() - 1, max(slates).bit_length())]
    labels = [str(low) if low == 1 else f"{low:,}-{2 * low - 1:,}" for low in bounds]
    return bars(labels, [slates.get(low, 0) for low in bounds], "candidates of a slate", "slates")
