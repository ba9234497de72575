"""The roles of a table and of the tables that can be joined to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from feature_repo.datasets.files.mapping import Join
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Reference
from feature_repo.init.profile.column import Column


@dataclass(frozen=True)
class Found:
    """A column, and how a reason names it. ``view``: the table that it stands in."""

    name: str
    view: View

    @property
    def column(self) -> Column:
        return self.view.columns[self.name]


@dataclass
class Lookup:
    """``used``: references whose table gave a column: these are joined. ``named``: columns that have a meaning."""

    view: View
    references: Sequence[Reference]
    used: list[Reference] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    def has(self, role: str) -> bool:
        return self.peek(role) is not None

    def peek(self, role: str) -> Found | None:
        return self._found(role)[0]

    def first(self, role: str) -> Found | None:
        """The best column of a role, in the table itself or a joined one. It counts as used."""
        found, reference = self._found(role)
        if found is not None:
            self.use(found.name, reference)
        return found

    def use(self, name: str, reference: Reference | None = None) -> None:
        self.named.add(name)
        if reference is not None and reference not in self.used:
            self.used.append(reference)

    def _found(self, role: str) -> tuple[Found | None, Reference | None]:
        own = self.view.first(role)
        if own is not None:
            return Found(own, self.view), None
        for reference in self.references:
            name = reference.other.first(role)
            if name is not None and name not in self.view.columns:
                return Found(name, reference.other), reference
        return None, None

    @property
    def joins(self) -> list[Join]:
        return [Join(path=each.other.pattern, key=(each.column,)) for each in self.used]

    def all_columns(self) -> list[tuple[str, View, Reference | None]]:
        """Own columns, then those of the tables that may be joined."""
        own: list[tuple[str, View, Reference | None]] = [(name, self.view, None) for name in self.view.columns]
        seen = set(self.view.columns)
        for reference in self.references:
            for name in reference.other.columns:
                if name not in seen:
                    seen.add(name)
                    own.append((name, reference.other, reference))
        return own
