import duckdb
import pytest

from feature_repo.init.profile.column import Kind
from feature_repo.init.profile.measure import profile
from feature_repo.init.reading.tables import read_source
from tests.feature_repo.init.folders import write


@pytest.fixture
def column(tmp_path):
    """The profile of a column of these cells."""

    def of(*cells, delimiter="\t"):
        write(tmp_path, "a.tsv", ("id", "value"), [(f"k{n}", cell) for n, cell in enumerate(cells)], delimiter)
        with duckdb.connect() as connection:
            (table,) = read_source(connection, tmp_path, tmp_path).tables
            return profile(connection, table)[1]

    return of


def test_numbers_have_a_range_and_a_share_below_zero(column):
    found = column("1.5", "-2", "nan", "4")
    assert found.kind is Kind.NUMBER
    assert (found.numbers.low, found.numbers.high, found.numbers.whole) == (-2, 4, False)
    assert found.numbers.negative == pytest.approx(1 / 3)
    assert found.nulls == 0.25


def test_whole_floats_are_integers(column):
    assert column("34.0", "35.0", "").kind is Kind.INTEGER


def test_zeros_in_front_make_a_number_a_name(column):
    assert column("0114280", "0114378", "12").kind is Kind.TEXT


def test_thousands_may_be_grouped(column):
    assert column("1,234.50", "2,000").numbers.high == 2000


@pytest.mark.parametrize("cells", [("0", "1", "1"), ("True", "False", "True"), ("yes", "no", "no"), ("0.0", "1.0", "")])
def test_two_values_that_mean_yes_and_no_are_a_flag(column, cells):
    assert column(*cells).kind is Kind.FLAG


def test_several_labels_in_one_cell_are_a_list(column):
    found = column(*["Comedy|Drama", "Drama", "Action|Comedy|Drama", "Action|Drama"] * 3)
    assert found.kind is Kind.LIST
    assert (found.lists.separator, found.lists.distinct, found.lists.numeric) == ("|", 3, False)
    assert found.lists.length == pytest.approx((2 + 1 + 3 + 2) / 4)


def test_ids_separated_by_blanks_are_a_list_and_words_are_a_text(column):
    assert column("N1-0 N2-1", "N3-1 N4-0", "N7-0 N9-1").lists.separator == " "
    assert column("a red shoe", "a blue shoe", "a red hat", "one more shoe").kind is Kind.TEXT


def test_a_place_with_its_country_is_a_text(column):
    assert column("Rome, Italy", "Lisbon, Portugal", "Kyoto, Japan").kind is Kind.TEXT


def test_few_values_are_listed_with_their_rows(column):
    assert column("view", "buy", "view").values == (("view", 2), ("buy", 1))


def test_an_empty_column_is_empty(column):
    found = column("", "NULL", "\\N")
    assert (found.kind, found.nulls) == (Kind.EMPTY, 1.0)
