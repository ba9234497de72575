"""The half-life is one that the user's row holds."""

import pytest

from tests.training.candidates.known import known_log
from training.candidates.sources import own_history


def test_a_half_life_without_a_column_is_refused(tmp_path):
    with known_log(tmp_path, [(1, "u", "order", "a")]) as log:
        assert own_history.fit(log, {"half_life_days": 180}).half_life_days == 180
        with pytest.raises(ValueError, match=r"half_life_days of own_history is 30"):
            own_history.fit(log, {"half_life_days": 30})
