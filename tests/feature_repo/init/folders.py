"""Small folders of files, in shapes that shops have, with other names than tests/shapes. All values are computed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2023, 3, 1, 8, 0, tzinfo=UTC)
SECONDS = int(START.timestamp())
DAYS = 60
Row = Sequence[object]


def write(folder: Path, name: str, header: Sequence[str], rows: Iterable[Row], delimiter: str = ",") -> Path:
    """A text file; packed where its name ends in .gz. Cells with the delimiter stand in quotes; None is empty."""
    folder.mkdir(parents=True, exist_ok=True)

    def cell(value: object) -> str:
        text = "" if value is None else str(value)
        return f'"{text}"' if delimiter in text else text

    lines = [delimiter.join(map(cell, row)) for row in ([header] if header else []) + list(rows)]
    text = "\n".join(lines) + "\n"
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def at(number: int) -> datetime:
    """Evenly over the days, in order; 240 numbers are 60 days."""
    return START + timedelta(hours=6 * number, seconds=7 * number)


def chain(folder: Path) -> Path:
    """A chain's web log: packed TSV, milliseconds, words for actions; and its assortment."""
    did = ("pageview", "add to basket", "pageview", "purchase", "remove from basket")
    rows = [
        (f"v{n // 8}", f"s{n // 4}", f"A{n % 23:04d}", SECONDS * 1000 + n * 3_600_000, did[n % 5], "web")
        for n in range(400)
    ]
    write(folder, "log.tsv.gz", ("visitor", "visit_id", "sku", "at_ms", "event", "channel"), rows, "\t")
    goods = [(f"A{n:04d}", f"brand{n % 4}", round(1.5 + n, 2), f"section{n % 5}", n % 3 + 0.5) for n in range(23)]
    write(folder, "assortment.tsv", ("sku", "brand", "price", "section", "weight"), goods, "\t")
    return folder


def searches(folder: Path) -> Path:
    """Hotel searches: one row per hotel, two outcomes, a column that is known only after a booking."""
    rows = []
    for search in range(120):
        for rank in range(1, 6):
            clicked = int((search + rank) % 4 == 0)
            booked = int(clicked and search % 3 == 0)
            paid = 90.5 + search if booked else None
            rows.append(
                (search, f"{at(search):%Y-%m-%d %H:%M:%S}", 100 + (search * 7 + rank * 3) % 40, rank, 50 + rank * 7.5,
                 rank % 2, clicked, booked, paid, 1 + search % 3, ("de", "fr")[search % 2], "same")
            )  # fmt: skip
    names = (
        "search_ref",
        "date_time",
        "hotel_no",
        "rank",
        "nightly",
        "promo",
        "clicked",
        "booked",
        "gross",
        "guests",
        "site",
        "v",
    )
    write(folder, "results.csv", names, rows)
    return folder


def receipts(folder: Path, dates: str = "%d.%m.%Y") -> Path:
    """Receipts of a shop: semicolons, decimal commas, the day first, weights, a return now and then."""
    rows = []
    for line in range(300):
        pieces = -1 if line % 50 == 49 else 1 + line % 3
        price = f"{1 + line % 9},{line % 10}9"
        rows.append((5000 + line // 3, f"P{line % 31}", pieces, price, f"{at(line // 2):{dates}}", 70 + line % 11))
    write(folder, "sales.csv", ("receipt_no", "article", "pieces", "unit price", "date", "client"), rows, ";")
    return folder


def shown_lists(folder: Path) -> Path:
    """A parquet file with a list of items in each row, and the one that was opened."""
    ids = [[f"c{(n * 5 + k) % 37}" for k in range(4)] for n in range(150)]
    table = {
        "request_id": [f"r{n}" for n in range(150)],
        "member": [f"m{n % 20}" for n in range(150)],
        "time": pa.array([at(n) for n in range(150)], pa.timestamp("us", tz="UTC")),
        "shown": ids,
        "picked": [row[n % 4] for n, row in enumerate(ids)],
        "device": [("tablet", "phone")[n % 2] for n in range(150)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / "feed.parquet")
    return folder


def news(folder: Path) -> Path:
    """Lists whose items carry their label behind a dash."""
    rows = [
        (
            n,
            f"u{n % 9}",
            f"{at(n):%m/%d/%Y %I:%M:%S %p}",
            " ".join(f"N{(n + k) % 50}-{int(k == n % 5)}" for k in range(5)),
        )
        for n in range(200)
    ]
    write(folder, "behaviors.tsv", ("impression_id", "user", "time", "impressions"), rows, "\t")
    return folder


def baskets(folder: Path) -> Path:
    """Baskets without dates: the days since the one before."""
    visits = [(1000 + n, n // 5, n % 5 + 1, None if n % 5 == 0 else (3 + n % 9), 8 + n % 12) for n in range(100)]
    write(folder, "visits.csv", ("basket_id", "household", "basket_number", "days_since_last_basket", "hour"), visits)
    lines = [(1000 + n // 3, f"g{n % 29}", n % 3 + 1) for n in range(300)]
    write(folder, "basket_lines.csv", ("basket_id", "good", "seq"), lines)
    goods = [(f"g{n}", n % 6, f"nice thing {n}") for n in range(29)]
    write(folder, "goods.csv", ("good", "department", "name"), goods)
    return folder


def stars(folder: Path) -> Path:
    """Ratings of 1 to 10, with an ISO day."""
    rows = [(n // 10, 100 + n * 7 % 60, 1 + n * 7 % 10, f"{at(n):%Y-%m-%d}") for n in range(240)]
    write(folder, "reviews.csv", ("reviewer", "book", "score", "date"), rows)
    return folder


def apart(folder: Path) -> Path:
    """Clicks and purchases in a file each, with the same columns."""
    for name, step in (("clicks.csv", 1), ("purchases.csv", 4)):
        rows = [(f"s{n // 5}", f"i{n % 17}", SECONDS + n * 9_000) for n in range(0, 300, step)]
        write(folder, name, ("session", "item", "timestamp"), rows)
    return folder


def unlabelled(folder: Path) -> Path:
    """Lists that were shown, without what followed, beside the events."""
    lists = [(f"l{n // 4}", f"u{n // 16}", f"i{n % 19}", n % 4, SECONDS + (n // 4) * 4_000) for n in range(400)]
    write(folder, "impressions.csv", ("slate_id", "user_id", "item_id", "slot", "ts"), lists)
    acts = [(f"u{n // 4}", f"i{n * 4 % 19}", ("view", "order")[n % 2], SECONDS + n * 4_000 + 60) for n in range(100)]
    write(folder, "actions.csv", ("user_id", "item_id", "what", "ts"), acts)
    return folder


def lines_of_json(folder: Path) -> Path:
    """A file of JSON lines per day; keys are left out where nothing is known."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in range(3):
        rows = []
        for n in range(60):
            row = {"customer": 7 + n % 5, "product": 900 + n % 13, "at": SECONDS + 86_400 * day + n * 60, "verb": "buy"}
            rows.append(row | ({"amount": 1.25 + n} if n % 2 else {}))
        (folder / f"day-{day + 1}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder
