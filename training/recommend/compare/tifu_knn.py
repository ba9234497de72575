"""TIFU-KNN (Hu et al. 2020, "Modeling personalized item frequency information for next-basket recommendation").

A user's baskets are cut into groups of equal size. A basket counts less the older it is within its group, and a group
less the older it is. The score of an item is that sum of the user, mixed with the mean of the nearest users'.

It is here to be compared with: the sources hold what serving can compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from infra.models.arrays import Doubles, Integers

USERS_AT_ONCE = 256


@dataclass(frozen=True)
class TifuKnn:
    """The defaults were chosen on the validation windows of the default data set."""

    groups: int = 7
    within: float = 0.9
    between: float = 0.7
    neighbours: int = 300
    own: float = 0.9

    def vectors(self, users: Integers, baskets: Integers, items: Integers) -> sparse.csr_matrix:
        """(users, items) of n orders: user, number of the basket among those of the user from 0 on, item. A user's
        item counts once per basket."""
        triples = np.unique(np.stack([users, baskets, items]), axis=1)
        user, basket, item = triples
        count = np.zeros(int(user.max(initial=-1)) + 1, np.int64)
        np.maximum.at(count, user, basket + 1)
        size = -(-count // self.groups)[user]  # of a group
        back = count[user] - 1 - basket  # 0: the latest basket
        group, inside = back // size, back % size
        groups = -(-count[user] // size)
        weight = self.within**inside * self.between**group / (size * groups)
        return sparse.csr_matrix((weight, (user, item)))

    def best(self, vectors: sparse.csr_matrix, rows: Integers, k: int) -> tuple[Integers, Doubles]:
        """(len(rows), k) items of the users at these rows, the best first, and their scores."""
        k = min(k, vectors.shape[1])
        items, scores = np.empty((len(rows), k), np.int64), np.empty((len(rows), k))
        squared = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
        for start in range(0, len(rows), USERS_AT_ONCE):
            part = slice(start, start + USERS_AT_ONCE)
            found = self._scores(vectors, squared, rows[part])
            items[part] = np.argsort(-found, axis=1, kind="stable")[:, :k]
            scores[part] = np.take_along_axis(found, items[part], 1)
        return items, scores

    def _scores(self, vectors: sparse.csr_matrix, squared: Doubles, rows: Integers) -> Doubles:
        """(len(rows), items). ``squared``: (users,) length of each vector, squared."""
        own = vectors[rows]
        k = min(self.neighbours, vectors.shape[0] - 1)
        if k < 1:
            return np.asarray(own.toarray())
        distance = squared[rows, None] + squared[None, :] - 2.0 * (own @ vectors.T).toarray()
        distance[np.arange(len(rows)), rows] = np.inf  # nobody is a neighbour of oneself
        nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
        chosen = (np.full(nearest.size, 1.0 / k), nearest.ravel(), np.arange(0, nearest.size + 1, k))
        means = sparse.csr_matrix(chosen, shape=(len(rows), vectors.shape[0])) @ vectors
        return np.asarray((self.own * own + (1.0 - self.own) * means).toarray())
