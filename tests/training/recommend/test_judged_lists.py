"""The judged lists of a recommender that is fitted on the small shop, against the file that it was fitted from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.clock import epoch_us, timestamp_of
from infra.params import read_params
from tests.small_log import at
from tests.training.buyers.small_shop import basket, order_days, small_shop
from tests.training.recommend.batch_shop import DAY, K, write_params
from training.recommend.judged_lists import ListMass, judged_lists
from training.stage_two.recommender import fit_recommender
from training.training_set.levels import feature_matrix_of


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    settings = small_shop(folder).model_copy(update={"params_file": folder / "params.yaml"})
    write_params(settings)
    params = read_params(settings)["recommend"]
    return fit_recommender(settings, params, at(DAY), folder / "batch")


def test_each_user_who_ordered_in_a_judged_window_has_a_list(fitted):
    found = judged_lists(fitted, K, threads=1)
    expected = {
        (f"u{user:02d}", epoch_us(at(start)))
        for start in (48, 51, 54, 57)
        for user in range(20)
        if set(order_days(user)) & set(range(start, start + 3)) and order_days(user)[0] < start
    }
    pairs = list(zip(found.users.to_pylist(), found.start_us.tolist(), strict=True))
    assert set(pairs) == expected
    assert len(pairs) == len(expected) == len(found)


def test_recall_is_the_share_of_the_window_s_items_among_the_best(fitted):
    found = judged_lists(fitted, K, threads=1)
    table = pq.read_table(fitted.written.path).to_pandas()
    for user, start, mass, recall in zip(
        found.users.to_pylist(), found.start_us, found.mass.first, found.recall, strict=True
    ):
        rows = table[(table["user_id"] == user) & (table["event_timestamp"] == timestamp_of(int(start)))]
        rows = rows[rows["slate_id"].str.startswith("u:")]
        ranker = fitted.recommender.ranker
        read = pa.Table.from_pandas(rows, preserve_index=False)
        scores = ranker.score(feature_matrix_of(read, ranker.feature_names, ranker.vocabulary))
        best = np.argsort(-scores, kind="stable")[:K]
        day = (int(start) - epoch_us(at(0))) // 86_400_000_000
        bought = {
            item for each in order_days(int(user[1:])) if day <= each < day + 3 for item in basket(int(user[1:]), each)
        }
        assert recall == pytest.approx(len(bought & set(rows["item_id"].iloc[best])) / len(bought))
        assert mass == pytest.approx(fitted.recommender.scaling(scores)[best].sum())


def test_mass_is_summed_over_the_first_and_over_all():
    rows, positions = np.array([0, 0, 2, 2]), np.array([1, 0, 0, 1])
    found = ListMass.of(np.array([0.1, 0.2, 0.3, 0.4]), rows, positions, 3, 1)
    assert found.first.tolist() == [0.2, 0, 0.3]
    assert found.every == pytest.approx([0.3, 0, 0.7])
