"""What the adapter dropped, mended or made, by the notes that it left beside the log."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.datasets.import_notes import ImportNote
from validation.gates.report.content import Block, Table, Text, number

HEADER = ("table", "what", "count", "why", "example")


def blocks(notes: Sequence[ImportNote]) -> Sequence[Block]:
    if not notes:
        return [Text("The import left no note: it says of no row that it was dropped or changed.")]
    shown = HEADER if any(note.example for note in notes) else HEADER[:-1]
    rows = [(note.table, note.what, number(note.count), note.why, note.example)[: len(shown)] for note in notes]
    return [Table(shown, rows, texts=True)]
