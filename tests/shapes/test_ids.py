from __future__ import annotations

import numpy as np

from tests.shapes.ids import USER, named, texts


def test_an_id_is_the_same_text_whatever_type_a_reader_gave_it() -> None:
    assert texts([17850, 17850.0, "17850", "17850.0", np.int64(17850), np.float64(17850)]) == ["17850"] * 6
    assert texts(["85123A", "12.05", "v2.0", "a.0"]) == ["85123A", "12.05", "v2.0", "a.0"]


def test_a_missing_id_is_no_text() -> None:
    assert texts([None, float("nan"), "", np.datetime64("NaT")]) == ["", "", "", ""]


def test_ids_of_a_user_and_of_a_session_differ() -> None:
    assert named(USER, [7]).tolist() == ["u:7"]
