"""The row of item_attributes that an accepted change makes, in the form of Feast's Redis store."""

from __future__ import annotations

from collections.abc import Iterable

from feature_repo.definitions.views import item_attributes_view
from feature_repo.live.items.acceptance import Merged
from feature_repo.live.items.change import values_of
from feature_repo.live.view_rows import view_rows
from feature_repo.online.rows import Rows
from feature_repo.schema import Declaration


def item_rows(merged: Iterable[tuple[str, Merged]], declaration: Declaration, project: str) -> Rows:
    """The newest row of each item among (item_id, merged), whose timestamps increase per item. Raises ValueError."""
    view = item_attributes_view(declaration)
    dtypes = {column.name: column.dtype for column in view.columns}
    newest = dict(merged)
    return view_rows(view, project, ((name, m.row_us, values_of(m.row, dtypes)) for name, m in newest.items()))
