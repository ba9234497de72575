"""Slates with their stored features as known when each slate was scored, read through Feast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureStore

from feature_repo.definitions.view import FEATURE_SERVICE, KEYED, View
from feature_repo.definitions.views import views
from feature_repo.schema import Declaration, DType
from feature_repo.slate import Row, Slate, column_array, view_row


class PointInTimeReader:
    """Joins the views of the feature service onto slates.

    Item views are joined per impression, user and session views once per slate, and companions once per cart item of a
    slate.
    """

    def __init__(self, store: FeatureStore, declaration: Declaration) -> None:
        self.store = store
        self.declaration = declaration
        served = {p.name for p in store.get_feature_service(FEATURE_SERVICE).feature_view_projections}
        self.views = tuple(view for view in views(declaration) if view.name in served)

    def read(self, impressions: pd.DataFrame, known: Mapping[str, pa.Table] | None = None) -> Iterator[Slate]:
        """One Slate per query group of ``impressions``, in the frame's order.

        The frame has the columns of the impressions table. The rows of a slate are contiguous and ordered by
        input_position. ``known``: entity -> its :meth:`entity_table`, one row per slate, where it was read before.
        """
        known = known or {}
        starts = np.flatnonzero(~impressions["slate_id"].duplicated().to_numpy())
        ends = np.append(starts[1:], len(impressions))
        heads = impressions.iloc[starts]
        items = self._columns(self._item_views(), impressions[["item_id", "shown_ts"]])
        users = self._rows("user", heads[["user_id", "shown_ts"]], known.get("user"))
        sessions = self._rows("session", heads[["session_id", "shown_ts"]], known.get("session"))
        companions = self._companions(sessions, heads["shown_ts"])
        keyed = self._keyed(impressions, items)
        shown_us = heads["shown_ts"].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64")
        for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
            rows = slice(int(start), int(end))
            head = heads.iloc[i]
            yield Slate(
                scored_us=int(shown_us.iloc[i]),
                item_ids=impressions["item_id"].iloc[rows].tolist(),
                items={name: values[rows] for name, values in items.items()},
                user=users[i],
                session=sessions[i],
                companions=companions[i],
                keyed={name: values[rows] for name, values in keyed.items()},
                facts={
                    fact.name: impressions[fact.name].iloc[rows].to_numpy(dtype=np.float32)
                    for fact in self.declaration.facts
                },
                context={c.name: head[c.name] for c in self.declaration.context if isinstance(head[c.name], str)},
            )

    def _keyed(self, impressions: pd.DataFrame, items: Mapping[str, Any]) -> dict[str, Any]:
        """Column -> (n,) of the views of other keys. Each (key, timestamp) is joined once."""
        found: dict[str, Any] = {}
        for view in (view for view in self.views if view.entity == KEYED):
            frame = pd.DataFrame(
                {name: items[name] if name in items else impressions[name].to_numpy() for name in view.join_keys}
            ).astype(object)
            frame["shown_ts"] = impressions["shown_ts"].to_numpy()
            frame["shown_ts"] = pd.to_datetime(frame["shown_ts"], utc=True)
            is_known = frame.notna().all(axis=1).to_numpy()
            columns = self._columns([view], frame[is_known]) if is_known.any() else {}
            for column in view.columns:
                found[column.name] = column_array([None] * len(frame), column.dtype)
                if columns:
                    found[column.name][is_known] = columns[column.name]
        return found

    def entity_table(self, entity: str, entity_rows: pd.DataFrame) -> pa.Table:
        """All columns of the entity's views, one row per entity row (its join key and shown_ts), null where unknown."""
        return self._join([view for view in self.views if view.entity == entity], entity_rows)

    def _item_views(self) -> tuple[View, ...]:
        return tuple(view for view in self.views if view.entity == "item" and view.name != "item_companions")

    def _join(self, joined: Sequence[View], entity_rows: pd.DataFrame) -> pa.Table:
        """Feast's point-in-time join. ``entity_rows`` has the join key and ``shown_ts``; its order is preserved."""
        frame = entity_rows.rename(columns={"shown_ts": "event_timestamp"}).reset_index(drop=True)
        references = [f"{view.name}:{column.name}" for view in joined for column in view.columns]
        table = self.store.get_historical_features(frame, references).to_arrow()
        if len(table) != len(frame):
            raise RuntimeError(f"the point-in-time join made {len(table)} rows of {len(frame)} entity rows")
        return table

    def _columns(self, joined: Sequence[View], entity_rows: pd.DataFrame) -> dict[str, Any]:
        """Column -> (n,). Lists of one timestamp share many items, so each (item, timestamp) is joined once."""
        pair_of_row = entity_rows.groupby(list(entity_rows.columns), sort=False).ngroup().to_numpy()
        table = self._join(joined, entity_rows.drop_duplicates())
        return {
            column.name: _array(table[column.name], column.dtype)[pair_of_row]
            for view in joined
            for column in view.columns
        }

    def _rows(self, entity: str, entity_rows: pd.DataFrame, known: pa.Table | None) -> list[Row]:
        """One Row per entity row. If a view has no valid row, its columns are absent."""
        rows = [Row() for _ in range(len(entity_rows))]
        table = self.entity_table(entity, entity_rows) if known is None else known
        for view in (v for v in self.views if v.entity == entity):
            names = [column.name for column in view.columns]
            for row, found in zip(rows, table.select(names).to_pylist(), strict=True):
                row.update(view_row(view, found))
        return rows

    def _companions(self, sessions: list[Row], shown: pd.Series) -> list[dict[str, tuple[list[str], list[float]]]]:
        pairs = [(i, item) for i, session in enumerate(sessions) for item in session.get("cart_items", ())]
        found: list[dict[str, tuple[list[str], list[float]]]] = [{} for _ in sessions]
        view = next(view for view in self.views if view.name == "item_companions")
        if not pairs:
            return found
        frame = pd.DataFrame(
            {"item_id": [item for _, item in pairs], "shown_ts": shown.iloc[[i for i, _ in pairs]].to_numpy()}
        )
        frame["shown_ts"] = pd.to_datetime(frame["shown_ts"], utc=True)
        table = self._join([view], frame)
        names = [column.name for column in view.columns]
        for (i, item), values in zip(pairs, table.select(names).to_pylist(), strict=True):
            row = view_row(view, values)
            if row:
                found[i][item] = (row["companion_items"], row["companion_shares"])
        return found


def _array(column: pa.ChunkedArray, dtype: DType) -> Any:
    """(n,): float32, float64 for timestamps, object for strings. Null is NaN or None."""
    if dtype is DType.FLOAT32:
        return column.to_numpy().astype(np.float32)
    if dtype is DType.INT64:
        return column.to_numpy().astype(np.float64)
    return column_array(column.to_pylist(), dtype)
