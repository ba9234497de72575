"""The network's scores at every position of many sessions at once."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.gru4rec.session_arrays import sessions_of  # noqa: E402
from training.gru4rec.evaluation.next_item_metrics import evaluate  # noqa: E402
from training.gru4rec.network.gru4rec import Gru4Rec  # noqa: E402
from training.gru4rec.network.gru_scorer import GruScorer  # noqa: E402

SESSIONS = [np.array(s, dtype=np.int32) for s in ([3], [0, 1, 2, 3, 4], [5, 5, 1], [2, 0])]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    return Gru4Rec(6, 8, 0.5, 0.5).eval()


def test_each_position_has_the_scores_of_the_session_that_ends_there(network):
    found = np.concatenate(list(GruScorer(network).score_blocks(SESSIONS)))
    prefixes = [session[: k + 1] for session in SESSIONS for k in range(len(session))]
    with torch.inference_mode():
        expected = [
            network.scores(network(torch.from_numpy(p.astype(np.int64))[None], torch.tensor([len(p)])))[0].numpy()
            for p in prefixes
        ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_session_has_the_same_scores_alone_and_with_others(network):
    scorer = GruScorer(network)
    together = np.concatenate(list(scorer.score_blocks(SESSIONS)))
    np.testing.assert_allclose(np.concatenate([scorer.scores(s) for s in SESSIONS]), together, atol=1e-6)


def test_a_network_with_equal_scores_for_all_items_ranks_each_target_last(network):
    collapsed = Gru4Rec(6, 8).eval()
    with torch.no_grad():
        for parameter in collapsed.parameters():
            parameter.zero_()
    found = evaluate(GruScorer(collapsed), sessions_of([0, 1, 2, 3, 4], [5, 5, 1], [2, 0]))
    assert set(found.ranks) == {6}
