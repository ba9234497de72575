from datetime import UTC, datetime

import duckdb
import pytest

from feature_repo.init.profile.times import epoch_times, text_times


@pytest.fixture
def times():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def of(*texts):
            connection.execute("CREATE OR REPLACE TABLE t (stamp VARCHAR)")
            connection.executemany("INSERT INTO t VALUES (?)", [[text] for text in texts])
            return text_times(connection, "t", "stamp")

        yield of


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_the_size_of_a_number_says_its_unit(unit, factor):
    found = epoch_times(1_546_300_800 * factor, 1_577_836_800 * factor)
    assert found.unit == unit
    assert (found.first, found.last) == (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))


def test_small_numbers_and_ranges_over_two_units_are_no_times():
    assert epoch_times(1, 50_000) is None
    assert epoch_times(1_546_300_800, 1_546_300_800_000) is None


@pytest.mark.parametrize(
    ("texts", "zoned"),
    [
        (("2024-05-01 03:12:09 UTC", "2024-05-02 00:00:00 UTC"), True),
        (("2019-11-24 00:00:01.002345+00:00", "2019-11-24 00:00:02+00:00"), True),
        (("2024-05-01T03:12:09Z",), True),
        (("2024-05-01 03:12:09", "2024-05-02"), False),
    ],
)
def test_iso_8601_needs_no_format(times, texts, zoned):
    found = times(*texts)
    assert (found.formats, found.unit, found.zoned) == ((), None, zoned)


def test_a_13_in_the_first_place_says_that_the_day_comes_first(times):
    assert times("01/12/2010 8:26", "13/12/2010 9:00").formats == ("%d/%m/%Y %H:%M",)


def test_a_13_in_the_second_place_says_that_the_month_comes_first(times):
    assert times("12/1/2010 8:26", "12/13/2010 9:00").formats == ("%m/%d/%Y %H:%M",)


def test_without_a_13_both_orders_fit(times):
    assert set(times("01/02/2011", "03/04/2011").formats) == {"%d/%m/%Y", "%m/%d/%Y"}


def test_a_13_in_both_places_is_no_date(times):
    assert times("13/01/2011", "01/13/2011") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2019/01/31 10:00", "%Y/%m/%d %H:%M"),
        ("20190131", "%Y%m%d"),
        ("31-Jan-2019", "%d-%b-%Y"),
        ("Jan 31, 2019 8:26 PM", "%b %d, %Y %I:%M %p"),
        ("31.01.2019 10:00:01", "%d.%m.%Y %H:%M:%S"),
        ("31/01/19", "%d/%m/%y"),
    ],
)
def test_other_formats_are_found(times, text, written):
    assert times(text, text).formats == (written,)


def test_texts_with_digits_are_no_times(times):
    assert times("A12", "B34") is None
    assert times("10.5 kg", "11.25 kg") is None


def test_an_offset_without_a_colon_is_read_by_a_format(times):
    found = times("2020-09-01 02:00:00 +0200", "2020-09-02 02:00:00 +0200")
    assert (found.formats, found.zoned) == (("%Y-%m-%d %H:%M:%S %z",), True)
    assert found.first == datetime(2020, 9, 1, tzinfo=UTC)
