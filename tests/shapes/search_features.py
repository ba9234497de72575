"""Search results with features and no users: the shape of MSLR-WEB and LETOR, as CSV.

``train.csv``, ``vali.csv``, ``test.csv``  label (relevance 0 to 4), qid, docid, f1 … f20. The rows of a query stand
                                           together, in the order of docid. No user, no time, no events.

Truth: the relevance of a document for a query is a function of its features that is not linear: text matches count less
the longer the document is, authority counts by its logarithm, spam cuts the rest, and two features count together only.
A document's own part is the same in all its queries. The label is the utility plus noise, cut into five grades, most of
them 0. In the truth the query is the session.

The oracle is judged by the queries of test.csv, 15 % of all.

Oddities: f19 is the same everywhere, f20 is noise; f7 is missing in 5 % of the rows; f3 reaches hundreds of thousands
while f1 stays below 1; a query in a hundred has one document; some have no relevant one; 1 % of rows stand twice.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tests.shapes.drawing import Doubles, Integers, heavy_tail, stream
from tests.shapes.ids import SESSION, named
from tests.shapes.slates import Slates
from tests.shapes.truth import Truth, plain_truth, steady_pairs

FULL, SMALL = 3_000, 300  # queries
FEATURES = 20
CUTS = (0.9, 1.9, 2.8, 3.6)
PARTS = {"train": 0.7, "vali": 0.85, "test": 1.0}  # the share of the queries up to its last one


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: queries. Writes the files of the module's docstring into ``folder``."""
    rng = stream(seed, "queries")
    query, document = _results(rng, size)
    features, own, match = _features(seed, query, document)
    utility = own[document] + match
    label = np.searchsorted(CUTS, utility + rng.normal(scale=0.6, size=len(query)))
    truth = plain_truth(
        who=named(SESSION, 10 + 15 * np.arange(size)),
        items=np.array([f"D{number:06d}" for number in range(len(own))]),
        quality=own,
        weights=np.zeros((size, 1)),
        loadings=np.zeros((len(own), 1)),
        start_us=0,
        pairs=steady_pairs(query, document, match),
    )
    _write_files(folder, truth, query, document, features, label, rng)
    return replace(truth, slates={"test": _slates(truth, query, document, label)})


def _results(rng: np.random.Generator, queries: int) -> tuple[Integers, Integers]:
    """(n,) query and document, without repeats within a query, sorted by both."""
    lengths = np.clip(np.rint(np.exp(2.9 + 0.6 * rng.normal(size=queries))), 2, 80).astype(np.int64)
    lengths[::100] = 1
    documents = 6 * queries
    share = heavy_tail(rng, documents, 0.8)
    found = [np.sort(rng.choice(documents, size=length, replace=False, p=share)) for length in lengths.tolist()]
    return np.repeat(np.arange(queries), lengths), np.concatenate(found)


def _features(seed: int, query: Integers, document: Integers) -> tuple[Doubles, Doubles, Doubles]:
    """(n, 20) features; (documents,) the document's own part of the utility; (n,) the part of the pair."""
    rng = stream(seed, "features")
    documents, rows = int(document.max()) + 1, len(document)
    length = np.exp(6 + rng.normal(size=documents))
    authority = np.exp(2.0 * rng.normal(size=documents))
    spam = rng.beta(1, 6, size=documents)
    fresh = rng.integers(0, 1_500, size=documents).astype(np.float64)
    title, body, anchor = rng.beta(1, 3, size=rows), rng.gamma(1.2, 4.0, size=rows), rng.poisson(0.7, size=rows)
    hard = rng.normal(size=int(query.max()) + 1)[query]
    own = 0.5 * np.log(authority) / 2 - 2.0 * spam
    match = 2.2 * title + 0.11 * body / (1 + length[document] / 800) + 0.9 * (title > 0.3) * (anchor > 0) - 0.3
    columns = [
        title,
        body,
        np.rint(length[document] * 40),
        anchor.astype(np.float64),
        authority[document],
        spam[document],
        fresh[document],
        hard,
        body / (1 + length[document] / 500) + rng.normal(scale=0.3, size=rows),
        title + rng.normal(scale=0.2, size=rows),
        np.log(length[document]),
        *(rng.normal(size=(6, rows)) + 0.3 * title),
        np.floor(rng.pareto(1.5, size=rows) * 10),
        np.full(rows, 3.0),
        rng.normal(size=rows),
    ]
    features = np.stack(columns, axis=1)
    features[rng.random(rows) < 0.05, 6] = np.nan
    return features, own, match


def _write_files(
    folder: Path,
    truth: Truth,
    query: Integers,
    document: Integers,
    features: Doubles,
    label: Integers,
    rng: np.random.Generator,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.char.replace(truth.who, SESSION, "").astype(np.int64)
    table = pd.DataFrame({"label": label, "qid": ids[query], "docid": truth.items[document]})
    table[[f"f{number}" for number in range(1, FEATURES + 1)]] = features.round(6)
    first = 0.0
    for part, last in PARTS.items():
        inside = (query >= first * len(ids)) & (query < last * len(ids))
        twice = np.repeat(np.flatnonzero(inside), 1 + (rng.random(int(inside.sum())) < 0.01))
        table.iloc[twice].to_csv(folder / f"{part}.csv", index=False)
        first = last


def _slates(truth: Truth, query: Integers, document: Integers, label: Integers) -> Slates:
    last = query >= PARTS["vali"] * len(truth.who)
    positives = np.bincount(document[~last], label[~last] > 0, minlength=len(truth.items))
    starts = np.unique(query[last], return_index=True)[1]
    sizes = np.unique(query[last], return_counts=True)[1]
    return Slates(
        slate=query[last],
        user=np.full(int(last.sum()), ""),
        session=np.char.replace(truth.who[query[last]], SESSION, ""),
        item=truth.items[document[last]],
        us=np.zeros(int(last.sum()), dtype=np.int64),
        position=np.arange(int(last.sum())) - np.repeat(starts, sizes),
        label=label[last],
        popularity=positives[document[last]].astype(np.float64),
        wanted=np.bincount(query[last], label[last] > 0)[query[last]].astype(np.int64),
    )
