"""What an adapter dropped, mended or made, left beside the log for the import report.

The file ``import_notes.json`` is a list of objects with the keys of :class:`ImportNote`. An adapter calls
:meth:`feature_repo.datasets.log_writer.LogWriter.note`; a note whose count is 0 is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from feature_repo.datasets.errors import BadSource

NOTES_FILE = "import_notes.json"


@dataclass(frozen=True)
class ImportNote:
    """What happened to ``count`` rows or values of one source.

    table:   the table of the log, or the source's file if it is no table's
    what:    what was done, in the past tense: ``dropped``, ``merged into one order``, ``user made from the session``
    why:     the reason, as a clause: ``the quantity is negative (a return)``
    example: one of them as text, with its id
    """

    table: str
    what: str
    count: int
    why: str
    example: str = ""

    def __post_init__(self) -> None:
        texts = (self.table, self.what, self.why, self.example)
        if not all(isinstance(each, str) for each in texts) or type(self.count) is not int or self.count < 0:
            raise ValueError(f"a note has a table, what, why and example as text and a count from 0: {self}")


def write_notes(folder: Path, notes: Iterable[ImportNote]) -> Path:
    """Write the file atomically, in the order of the notes; an empty list too. Returns its path."""
    path = folder / NOTES_FILE
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps([asdict(note) for note in notes if note.count], indent=2, ensure_ascii=False) + "\n")
    partial.replace(path)
    return path


def read_notes(folder: Path) -> list[ImportNote]:
    """The notes beside a log; none without the file. Raises BadSource for a file that holds something else."""
    path = folder / NOTES_FILE
    try:
        body = json.loads(path.read_text())
        return [ImportNote(**each) for each in body]
    except FileNotFoundError:
        return []
    except (OSError, TypeError, ValueError) as error:
        keys = ", ".join(field.name for field in fields(ImportNote))
        raise BadSource(path, f"is not a list of objects with {keys}: {error}") from error
