"""All sections of the import report, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feature_repo.datasets.import_notes import read_notes
from feature_repo.schema import Declaration
from infra.settings import Settings
from validation.gates.facts.log_facts import LogFacts
from validation.gates.report.content import Block, Kind, Section, Text
from validation.gates.report.import_report import days, ids, labels, mended, overview, slates, values


@dataclass(frozen=True)
class _Part:
    """``needs``: the tables that it reads."""

    anchor: str
    title: str
    blocks: Callable[[LogFacts], Sequence[Block]]
    needs: tuple[str, ...]


ALL = ("items", "events", "impressions")
PARTS = (
    _Part("ids", "Do the tables fit together?", ids.blocks, ALL),
    _Part("slates", "Slates and splits", slates.blocks, ("impressions",)),
    _Part("positions", "Where the positives are", labels.position_blocks, ("impressions",)),
    _Part("outcomes", "Are outcomes known before their slate?", labels.outcome_blocks, ("events", "impressions")),
    _Part("days", "By day", days.blocks, ("events", "impressions")),
    _Part("actions", "Actions", days.action_blocks, ("events", "impressions")),
    _Part("prices", "Prices", values.price_blocks, ("items", "events")),
)


def import_sections(settings: Settings, declaration: Declaration, facts: LogFacts) -> list[Section]:
    """Raises BadSource for notes of the adapter that cannot be read."""
    notes = read_notes(settings.log_dir)
    return [
        Section("overview", "At a glance", overview.blocks(facts, declaration)),
        Section("mended", "What was dropped, mended or made", mended.blocks(notes)),
        *(Section(part.anchor, part.title, _blocks(part, facts)) for part in PARTS),
        Section("columns", "Columns", values.column_blocks(facts)),
    ]


def _blocks(part: _Part, facts: LogFacts) -> Sequence[Block]:
    missing = [table for table in part.needs if not facts.has(table)]
    if missing:
        return [Text(f"Not measured: {' and '.join(missing)} cannot be read as declared.", Kind.MISSING)]
    return part.blocks(facts)
