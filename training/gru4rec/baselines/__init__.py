"""What GRU4Rec has to beat: each is fitted on the train sessions and scores like any next-item model."""

from __future__ import annotations

from training.gru4rec.baselines.covisitation import Covisitation
from training.gru4rec.baselines.markov import Markov
from training.gru4rec.baselines.popularity import Popularity
from training.gru4rec.baselines.vstan import VStan
from training.gru4rec.next_item import NextItemModel
from training.gru4rec.processed import Sessions


def baselines(train: Sessions, n_items: int) -> tuple[NextItemModel, ...]:
    """All of them, fitted."""
    return (
        Popularity.fit(train, n_items),
        Markov.fit(train, n_items),
        Covisitation.fit(train, n_items),
        VStan.fit(train, n_items),
    )
