from feature_repo.init.writing.merge import Changes, changes, users_own

A, B, C, D = ("a",), ("b",), ("c",), ("d",)


def test_what_is_new_is_added():
    found = changes({A: 1}, {A: 1}, {A: 1, B: 2})
    assert (found.added, found.replaced, found.removed, found.kept) == ({B: 2}, {}, [], {})


def test_a_line_that_the_user_took_out_does_not_come_back():
    assert changes({A: 1, B: 2}, {A: 1}, {A: 1, B: 2}) == Changes()


def test_a_line_of_init_follows_the_files():
    found = changes({A: 1, B: 2}, {A: 1, B: 2}, {A: 5})
    assert (found.replaced, found.removed) == ({A: 5}, [B])


def test_a_line_of_the_user_stays_and_a_new_guess_is_said():
    found = changes({A: 1}, {A: 7}, {A: 5})
    assert (found.added, found.replaced, found.removed) == ({}, {}, [])
    assert found.kept == {A: (7, 5)}


def test_a_line_of_the_user_is_not_said_again_while_the_guess_stays_the_same():
    assert changes({A: 1}, {A: 7}, {A: 1}).kept == {}


def test_without_a_copy_all_lines_are_the_users():
    found = changes(None, {A: 7, C: 3}, {A: 5, B: 2})
    assert (found.added, found.replaced, found.removed, found.kept) == ({B: 2}, {}, [], {A: (7, 5)})
    assert users_own(None, {A: 7}) == {A: 7}


def test_the_input_is_what_the_command_line_says():
    assert changes(None, {("input",): "old"}, {("input",): "new"}).replaced == {("input",): "new"}


def test_columns_of_an_entry_that_the_user_took_out_do_not_come_back():
    entry = ("files", ("events", "a.csv", 0))
    column, new = (*entry, "columns", "price"), (*entry, "columns", "value")
    assert changes({entry: None, column: 1}, {D: 1}, {entry: None, column: 1, new: 2}) == Changes()


def test_an_entry_with_lines_of_the_user_stays():
    entry = ("files", ("events", "a.csv", 0))
    column = (*entry, "columns", "price")
    assert changes({entry: None, column: 1}, {entry: None, column: 5}, {}).removed == []
    assert set(changes({entry: None, column: 1}, {entry: None, column: 1}, {}).removed) == {entry, column}


def test_the_users_own_lines_are_those_that_differ():
    assert users_own({A: 1, B: 2}, {A: 1, B: 3, C: 4}) == {B: 3, C: 4}
