"""What argparse says of a bad argument is the sentence of its type."""

import argparse
from datetime import UTC, datetime

import pytest

from infra.arguments import positive, timestamp, timestamps


def parsed(kind, text):
    parser = argparse.ArgumentParser()
    parser.add_argument("--value", type=kind)
    return parser.parse_args([f"--value={text}"]).value


def test_good_arguments_are_read():
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    assert parsed(timestamp, "2024-06-01T14:00:00+02:00") == noon
    assert parsed(timestamps, "2024-06-01T12:00:00Z, 2024-06-01T12:00:00Z") == [noon, noon]
    assert parsed(positive, "3000") == 3000


BAD = [
    (timestamp, "yesterday", "'yesterday' is not a timestamp like"),
    (timestamp, "2024-06-01", "2024-06-01 needs a time zone"),
    (timestamps, "2024-06-01T00:00:00Z,2024-06-02", "2024-06-02 needs a time zone"),
    (positive, "0", "'0' is not a whole number of at least 1"),
    (positive, "2.5", "'2.5' is not a whole number of at least 1"),
]


@pytest.mark.parametrize(("kind", "text", "message"), BAD)
def test_a_bad_argument_is_refused_in_a_sentence(kind, text, message, capsys):
    with pytest.raises(SystemExit):
        parsed(kind, text)
    assert f"argument --value: {message}" in capsys.readouterr().err
