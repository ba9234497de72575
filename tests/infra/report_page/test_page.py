"""The frame of the HTML reports: the document, its tables and its file."""

from infra.report_page.page import page, table, write_page


def test_texts_of_a_table_and_a_title_are_escaped():
    assert table(["<a>"], [["x & y"]]) == (
        "<table><tr><th>&lt;a&gt;</th></tr><tr><td>x &amp; y</td></tr></table>\n"
    )  # fmt: skip
    assert "<title>&lt;b&gt;</title>" in page("<b>", "")


def test_a_page_replaces_the_one_before_it_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "reports" / "x.html"
    write_page(path, "first")
    assert write_page(path, "second") == path
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]
