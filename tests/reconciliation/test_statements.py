"""Statements of holdings: what is taken, and what is refused with its place and remedy."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.owned import OWNED, SERIAL_MAX, Block
from reconciliation.statement_cells import Odd
from reconciliation.statement_words import HEADINGS, STATUSES, heading_key, word_key
from reconciliation.statements import PROBLEMS_MAX, Problem, StatementError, StatementReader
from tests.reconciliation.sessions import USED, A, B, X, Y
from tests.reconciliation.statement_rows import ALL, BY_ID, BY_SERIAL, read, row_of, table_of

BLOCKS = [Block(A, 1, 100, X), Block(B, 7, 7, Y), Block(A, 101, 250, USED)]


def problems(table: Any, **options: Any) -> list[Problem]:
    """Return what is wrong with a table."""
    with pytest.raises(StatementError) as refused:
        read(table, **options)
    return list(refused.value.problems)


def with_cell(column: str, value: Any, columns: tuple[str, ...] = ALL) -> list[list[Any]]:
    """Return a good table with one cell of its second row of units changed."""
    table: list[list[Any]] = list(table_of(BLOCKS, columns))
    table[2][columns.index(column)] = value
    return table


@pytest.mark.parametrize("where", [(*BY_ID,), BY_SERIAL, (*BY_ID, *BY_SERIAL)], ids=len)
def test_a_row_is_a_block_by_its_identifiers_or_its_serials(where: tuple[str, ...]) -> None:
    """Either way to name units is enough; with both, both are read."""
    statement = read(table_of(BLOCKS, (*where, "quantity", *OWNED)))
    assert statement.blocks == BLOCKS
    assert (statement.row_count, statement.units) == (3, 251)
    assert statement.compared == OWNED
    assert not statement.held_alone


@given(order=st.permutations(ALL), seed=st.integers(0, 999))
def test_the_order_and_dress_of_headings_mean_nothing(order: list[str], seed: int) -> None:
    """Capitals, spaces, hyphens; a title and empty rows above."""
    dice = random.Random(seed)
    dress: list[Callable[[str], str]] = [str.upper, str.title, "  {} ".format]
    table: list[list[Any]] = [*table_of(BLOCKS, tuple(order))]
    table[0] = [dice.choice(dress)(name).replace("_", dice.choice("_- ")) for name in order]
    title: list[list[Any]] = [["Holdings of 21 November", *[""] * 3], [], [None, ""]]
    assert read([*title, *table]).blocks == BLOCKS


def test_columns_that_are_missing_are_not_compared_and_no_status_means_held() -> None:
    """What the statement does not speak of is empty in its blocks."""
    statement = read(table_of(BLOCKS[:2], (*BY_ID, "quantity", "sector", "first_transferred")))
    assert statement.compared == ("status", "first_transferred", "sector")
    assert statement.held_alone
    owned = dict(zip(OWNED, statement.blocks[0].owned, strict=True))
    given_ = {name: value for name, value in owned.items() if value is not None}
    assert given_ == {"status": "held", "first_transferred": "yes", "sector": "Energy"}


def test_headings_that_mean_nothing_here_are_told() -> None:
    """Accounts and remarks are not compared, and the result can say so."""
    table = [[*row, extra] for row, extra in zip(table_of(BLOCKS), ["Konto", *"abc"], strict=True)]
    assert read(table).unused == ("Konto",)


@pytest.mark.parametrize("misspelt", ["SEKTOR", "First transfered", "GWP_VALEUS"])
def test_a_heading_that_is_nearly_right_is_refused(misspelt: str) -> None:
    """Otherwise a column would silently not be compared."""
    table = table_of(BLOCKS, (*BY_ID, "quantity"))
    (problem,) = problems([[*row, misspelt] for row in table])
    assert problem.line == 1
    assert "is no known heading; if" in problem.text


def test_units_before_their_first_transfer_are_left_out_and_counted() -> None:
    """The hub was not told of them."""
    statement = read(with_cell("status", "Authorised"))
    assert statement.blocks == [BLOCKS[0], BLOCKS[2]]
    assert (statement.left_out, statement.row_count) == (1, 3)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("HELD", "held"),
        ("  détenu ", "held"),
        ("UTILISÉ", "used"),
        ("Annulée", "cancelled"),
        ("en  posesión", "held"),
        ("voluntarily_cancelled", "cancelled"),
        ("аннулировано", "cancelled"),
        ("已使用", "used"),
        ("gelöscht", "cancelled"),
    ],
)
def test_statuses_are_read_in_many_languages(word: str, status: str) -> None:
    """In any case, with any white space."""
    assert read(with_cell("status", word)).blocks[1].owned[0] == status


def test_words_of_the_registry_itself_are_taken_beside_the_table() -> None:
    """A word that nobody else uses, for this statement alone."""
    assert "is not a known word" in problems(with_cell("status", "imehifadhiwa"))[0].text
    table = with_cell("status", "Imehifadhiwa")
    assert read(table, words={"imehifadhiwa": "used"}).blocks[1].owned[0] == "used"


def test_no_word_means_two_things() -> None:
    """Every heading and every word has one meaning, and is found by its own key."""
    assert all(heading_key(name) in HEADINGS for name in ALL)
    assert all(word_key(key) == key for key in STATUSES)
    assert all(HEADINGS[heading_key(name)] == name for name in ALL)


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("quantity", "2", "but 7 to 7 are 1 units; put the quantity or the serials right"),
        ("quantity", "", "is empty"),
        ("quantity", "1.5", "is no whole number"),
        ("quantity", "1,001", "has separators"),
        ("first_serial", "1.0E+15", "has lost digits; format the column as text"),
        ("first_serial", 1.0e15, "more than 15 digits"),
        ("first_serial", 10**15, "more than 15 digits"),
        ("first_serial", 7.25, "is no whole number"),
        ("first_serial", "0", "is not a number from 1 to"),
        ("first_serial", str(SERIAL_MAX + 1), "is not a number from 1 to"),
        ("first_serial", Odd("a formula", "paste values"), "a formula; paste values"),
        ("last_serial", "6", "is before the first"),
        ("vintage", "1889", "a year from 1990 to 2100"),
        ("vintage", Odd("a date (2023-01-01)", "write a number"), "a date (2023-01-01)"),
        ("cooperative_approach", "CA3", "write it like CA0003"),
        ("originating_registry", "", "is empty"),
        ("first_transferring_party", "Ghana", "write it like GHA"),
        ("first_id", "CA0003-GHA01-GHA-07-2024", "not an identifier like"),
        ("first_id", "CA0003-GHA01-GHA-8-2024", "is of another series than FIRST_ID|is before"),
        ("last_id", "CA0003-GHA01-GHA-7-2023", "is of another series than FIRST_ID"),
        ("status", "", "is empty"),
        ("status", "lost", "is not a known word; write held, used or cancelled"),
        ("first_transferred", "maybe", "write yes or no"),
        ("sector", "x" * 1001, "1001 characters; at most 1000"),
        ("sector", "two\nlines", "a line break or control character"),
        ("authorization_version", "one", "is no whole number"),
        ("authorization_id", 17.5, "where a text belongs"),
    ],
)
def test_a_bad_cell_is_named_with_its_line_column_and_remedy(
    column: str, value: Any, text: str
) -> None:
    """The officer can go straight to it."""
    found = problems(with_cell(column, value))
    assert {problem.line for problem in found} == {3}
    assert any(column.upper() in problem.column for problem in found) or column == "first_id"
    assert any(part in problem.text for problem in found for part in text.split("|")), found


@pytest.mark.parametrize("value", ["7", "7.0", " 7 ", 7, 7.0])
def test_numbers_as_spreadsheets_write_them_are_numbers(value: Any) -> None:
    """A whole number is one, whatever dress it wears."""
    assert read(with_cell("first_serial", value)).blocks == BLOCKS


def test_a_vintage_may_be_a_number() -> None:
    """2024 and 2024.0 are the year 2024."""
    for value in (2024, 2024.0, "2024"):
        assert read(with_cell("vintage", value)).blocks == BLOCKS


def test_the_identifiers_and_the_columns_of_a_row_must_be_of_the_same_units() -> None:
    """Two ways to say it are checked against each other."""
    table = with_cell("first_id", row_of(Block(B, 6, 7, Y))["first_id"])
    (problem,) = problems(table)
    assert "6 to 7, but the row is" in problem.text


def test_codes_are_taken_in_any_case() -> None:
    """The code lists have none that differ in case alone."""
    block = Block(A, 1, 9, (*X[:6], "Energy generation", *X[7:]))
    table = table_of([block])
    table[1] = [cell.replace("Energy generation", "ENERGY  GENERATION") for cell in table[1]]
    assert read(table).blocks == [block]


def test_all_faults_are_told_together_up_to_a_limit() -> None:
    """Two in one row, one in another; not more than fifty in all."""
    table = table_of(BLOCKS)
    table[1][ALL.index("quantity")] = "many"
    table[1][ALL.index("status")] = "gone"
    table[3][ALL.index("first_transferred")] = "?"
    found = [(problem.line, problem.column) for problem in problems(table)]
    assert found == [(2, "QUANTITY"), (2, "STATUS"), (4, "FIRST_TRANSFERRED")]
    table[2:] = [table[1]] * 1_000
    assert len(problems(table)) == PROBLEMS_MAX


def test_a_workbook_names_the_cell() -> None:
    """Where cells have names, the name is told."""
    (problem,) = problems(with_cell("quantity", "x"), cell_name=lambda line, at: f"<{line},{at}>")
    assert str(problem) == (
        f"line 3, QUANTITY (cell <3,{ALL.index('quantity')}>): 'x' is no whole number; "
        "write the digits alone"
    )


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (("quantity", *OWNED), "nor both FIRST_ID and LAST_ID"),
        ((*BY_ID, *OWNED), "no column QUANTITY"),
        ((*BY_SERIAL[:4], "first_serial", "quantity"), "no column LAST_SERIAL"),
        ((*BY_ID, "quantity", "quantity"), "a second column of QUANTITY"),
        (("sector", "metric"), "no row of headings"),
    ],
)
def test_headings_that_are_not_enough_are_refused(columns: tuple[str, ...], text: str) -> None:
    """Before any row is read."""
    assert text in problems(table_of(BLOCKS, columns) + [["x"]] * 30)[0].text


def test_a_row_with_more_cells_than_headings_is_refused() -> None:
    """A separator inside a text shifts all that follows it."""
    table = table_of(BLOCKS)
    table[2].append("?")
    (problem,) = problems(table)
    assert (problem.line, "more cells than headings" in problem.text) == (3, True)


def test_a_statement_of_another_registry_is_refused() -> None:
    """If it says whose it is."""
    table = [
        [name, *row]
        for name, row in zip(["Registry", *["KEN01"] * 3], table_of(BLOCKS), strict=True)
    ]
    assert read(table, registry="KEN01").blocks == BLOCKS
    assert "this is to be a statement of CHE02" in problems(table)[0].text


def test_a_statement_without_rows_must_be_meant() -> None:
    """Else every unit of the registry would be missing."""
    assert "no row of units" in problems(table_of([]))[0].text
    reader = StatementReader("CHE02")
    reader.take(1, ALL)
    assert reader.finish(may_be_empty=True).blocks == []
