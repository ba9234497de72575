"""Opens the source's parquet files as views with checked columns. A value that is not allowed raises BadSource.

    catalog   product_id, category_id, shop_id, price, old_price, add_ts
    mapping   product_id, vector_id
    actions   user_id, cookie, action, t, products, page

Each view also has ``row``, the row number in the file, from 1. Ids may be strings, integers or whole floats (pandas
writes integers with nulls so); an empty id is null, and so is a NaN. A timestamp without a zone is UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from feature_repo.datasets.errors import BadSource
from infra.limits import EARLIEST, LATEST

CATALOG_FILE = "stokman_catalog_preprocessed.pq"
ACTIONS_FILE = "train_actions.pq"
MAPPING_FILE = "catalog_vector_mapping.pq"

# By code. The names are those of the canonical log.
ACTIONS = (
    "view",
    "like",
    "add_to_cart",
    "remove_from_cart",
    "clear_cart",
    "order",
    "list_cart",
    "visit",
    "visit_category",
    "search",
)
COOKIE_PREFIX = "cookie-"
MAX_ID_LENGTH = 150  # characters; session and event ids are longer than the user's id, and also have a limit

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FLOATS = ("FLOAT", "DOUBLE")
_IDS = ("VARCHAR", *_INTEGERS, *_FLOATS)


@dataclass(frozen=True)
class SourceColumn:
    """``name`` in the file becomes ``ours``, of one of these kinds.

    id          VARCHAR                    ids         VARCHAR[]; a null list is empty
    timestamp   TIMESTAMPTZ                integer     BIGINT
    money       DOUBLE
    """

    name: str
    ours: str
    kind: str
    required: bool = True


@dataclass(frozen=True)
class Check:
    """``breaks``: SQL over our columns, true for a row that is refused. ``wanted``: what the value must be."""

    column: SourceColumn
    breaks: str
    wanted: str


_PRODUCT = SourceColumn("product_id", "product_id", "id")
CATALOG = (
    _PRODUCT,
    SourceColumn("category_id", "category_id", "id", required=False),
    SourceColumn("shop_id", "shop_id", "id", required=False),
    SourceColumn("price", "price", "money", required=False),
    SourceColumn("old_price", "old_price", "money", required=False),
    SourceColumn("add_date", "add_ts", "timestamp"),
)
MAPPING = (_PRODUCT, SourceColumn("vector_id", "vector_id", "integer"))
USER = SourceColumn("user_id", "user_id", "id", required=False)
ACTION = SourceColumn("action", "action", "integer")
ACTIONS_COLUMNS = (
    USER,
    SourceColumn("loc_user_id", "cookie", "id", required=False),
    ACTION,
    SourceColumn("date", "t", "timestamp"),
    SourceColumn("products", "products", "ids", required=False),
    SourceColumn("pageId", "page", "id", required=False),
)


def open_catalog(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create the view ``catalog``, one row per product. Raises BadSource."""
    path = folder / CATALOG_FILE
    _open(connection, path, "catalog", CATALOG)
    refuse(connection, path, "catalog", _of_kind(CATALOG))
    _refuse_repeated_product(connection, path, "catalog")


def open_mapping(connection: duckdb.DuckDBPyConnection, folder: Path, vectors: int) -> None:
    """Create the view ``mapping``. ``vectors``: how many there are. Raises BadSource."""
    path = folder / MAPPING_FILE
    _open(connection, path, "mapping", MAPPING)
    beyond = Check(MAPPING[1], f"vector_id NOT BETWEEN 0 AND {vectors - 1}", f"from 0 to {vectors - 1}: a vector")
    refuse(connection, path, "mapping", [*_of_kind(MAPPING), beyond])
    _refuse_repeated_product(connection, path, "mapping")


def open_actions(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create the view ``actions``, one row per action. Raises BadSource, also for a file without rows."""
    path = folder / ACTIONS_FILE
    _open(connection, path, "actions", ACTIONS_COLUMNS)
    known = ", ".join(f"{code} {name}" for code, name in enumerate(ACTIONS))
    checks = [
        *_of_kind(ACTIONS_COLUMNS),
        Check(ACTION, f"action NOT BETWEEN 0 AND {len(ACTIONS) - 1}", f"one of {known}"),
        Check(USER, "user_id IS NULL AND cookie IS NULL", "known where loc_user_id is not"),
        Check(USER, f"starts_with(user_id, '{COOKIE_PREFIX}')", f"without the prefix {COOKIE_PREFIX} of cookies"),
    ]
    refuse(connection, path, "actions", checks)
    if not connection.execute("SELECT 1 FROM actions LIMIT 1").fetchall():
        raise BadSource(path, "the file holds no rows")


def _open(connection: duckdb.DuckDBPyConnection, path: Path, view: str, columns: tuple[SourceColumn, ...]) -> None:
    quoted = str(path).replace("'", "''")
    if not path.exists():
        raise BadSource(path, "the file is missing")
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{quoted}')").fetchall()
    except duckdb.Error as error:
        raise BadSource(path, str(error).splitlines()[0]) from error
    types = {row[0]: row[1] for row in described}
    parsed = ", ".join(f"{_parsed(path, column, types.get(column.name))} AS {column.ours}" for column in columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {view} AS "
        f"SELECT {parsed}, file_row_number + 1 AS row FROM read_parquet('{quoted}', file_row_number = true)"
    )


def _parsed(path: Path, column: SourceColumn, found: str | None) -> str:
    """SQL of the column, of its kind's type. Raises BadSource if it is missing or of another type."""
    if found is None:
        raise BadSource(path, "the column is missing", column=column.name)
    value = f'"{column.name}"'
    if column.kind == "id" and found in _IDS:
        return _id(value, found)
    if column.kind == "ids" and found.removesuffix("[]") in _IDS and found.endswith("[]"):
        ids = f"list_transform({value}, lambda x: {_id('x', found[:-2])})" if found != "VARCHAR[]" else value
        return f"coalesce({ids}, [])"
    if column.kind == "timestamp" and (found.startswith("TIMESTAMP") or found == "DATE"):
        return f"{value}::TIMESTAMPTZ"
    if column.kind == "integer" and found in _INTEGERS:
        return f"{value}::BIGINT"
    if column.kind == "money" and (found in (*_INTEGERS, *_FLOATS) or found.startswith("DECIMAL")):
        number = f"{value}::DOUBLE"
        return f"CASE WHEN NOT isnan({number}) THEN {number} END"
    wanted = {"id": "strings or integers", "ids": "lists of strings or integers", "money": "numbers"}
    raise BadSource(path, f"the type is {found}; it must be {wanted.get(column.kind, column.kind + 's')}", column.name)


def _id(value: str, found: str) -> str:
    """A float that is not whole keeps its point, and is refused for that."""
    if found not in _FLOATS:
        return f"nullif({value}::VARCHAR, '')"
    whole = f"abs({value}) < 1e15 AND {value} = trunc({value})"
    text = f"CASE WHEN {whole} THEN {value}::BIGINT::VARCHAR ELSE '{_NOT_WHOLE}' || {value}::VARCHAR END"
    return f"CASE WHEN NOT isnan({value}) THEN {text} END"


_NOT_WHOLE = "not whole: "


def _of_kind(columns: tuple[SourceColumn, ...]) -> list[Check]:
    checks = []
    for column in columns:
        name = column.ours
        if column.required:
            checks.append(Check(column, f"{name} IS NULL", "known"))
        if column.kind == "id":
            checks.append(Check(column, _bad_id(name), _ID))
        elif column.kind == "ids":
            bad = f"x IS NULL OR x = '' OR {_bad_id('x')}"
            checks.append(Check(column, f"list_bool_or(list_transform({name}, lambda x: {bad}))", f"ids, {_ID}"))
        elif column.kind == "money":
            checks.append(Check(column, f"{name} < 0 OR isinf({name})", "at least 0 and finite"))
        elif column.kind == "timestamp":
            first, last = (f"TIMESTAMPTZ '{each.isoformat()}'" for each in (EARLIEST, LATEST))
            horizon = f"from {EARLIEST:%Y} until {LATEST:%Y}"
            checks.append(Check(column, f"{name} < {first} OR {name} >= {last}", horizon))
    return checks


_ID = f"at most {MAX_ID_LENGTH} characters, none of them NUL, or a whole number"


def _bad_id(value: str) -> str:
    return f"length({value}) > {MAX_ID_LENGTH} OR contains({value}, chr(0)) OR starts_with({value}, '{_NOT_WHOLE}')"


def refuse(connection: duckdb.DuckDBPyConnection, path: Path, view: str, checks: list[Check]) -> None:
    """Raise BadSource for the first row that breaks the first broken check. One scan if none is broken."""
    counts = ", ".join(f"count(*) FILTER ({check.breaks})" for check in checks)
    try:
        found = connection.execute(f"SELECT {counts} FROM {view}").fetchall()[0]
    except duckdb.Error as error:
        raise BadSource(path, str(error).splitlines()[0]) from error
    for check, broken in zip(checks, found, strict=True):
        if broken:
            row, value = connection.execute(
                f"SELECT row, left({check.column.ours}::VARCHAR, 80) FROM {view} WHERE {check.breaks} "
                "ORDER BY row LIMIT 1"
            ).fetchall()[0]
            shown = "the value is missing" if value is None else f"the value {value!r} is not allowed"
            raise BadSource(path, f"{shown}; it must be {check.wanted}", column=check.column.name, row=row)


def _refuse_repeated_product(connection: duckdb.DuckDBPyConnection, path: Path, view: str) -> None:
    found = connection.execute(
        f"""
        SELECT product_id, row FROM {view}
        QUALIFY row_number() OVER (PARTITION BY product_id ORDER BY row) = 2 ORDER BY row LIMIT 1
        """
    ).fetchall()
    if found:
        raise BadSource(path, f"product {found[0][0]!r} occurs twice", column="product_id", row=found[0][1])
