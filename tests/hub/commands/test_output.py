"""How commands speak: tab-separated for pipes, JSON for machines, one line for what is wrong."""

import json
from datetime import UTC, datetime

import pytest
import typer

from hub.commands.output import refusals, refuse, show
from hub.services.administration.deeds import AdministrationError
from hub.store.database import DatabaseUnavailableError, DatabaseUrlError
from hub.store.schema import SchemaError
from keys.errors import KeyFileError

ROWS = [("THA01", datetime(2026, 11, 22, tzinfo=UTC), None, ("a", "b"), 7)]
COLUMNS = ("code", "at", "error", "suites", "count")


def test_a_pipe_gets_tab_separated_lines_under_their_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Instants in the protocol's form, nothing as nothing."""
    show(COLUMNS, ROWS, as_json=False)
    assert capsys.readouterr().out == (
        "code\tat\terror\tsuites\tcount\nTHA01\t2026-11-22T00:00:00.000Z\t\ta b\t7\n"
    )


def test_a_machine_gets_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Objects by column name; absent is null, numbers stay numbers."""
    show(COLUMNS, ROWS, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {
            "code": "THA01",
            "at": "2026-11-22T00:00:00.000Z",
            "error": None,
            "suites": "a b",
            "count": 7,
        }
    ]


@pytest.mark.parametrize(
    "error",
    [
        AdministrationError("why"),
        DatabaseUnavailableError("why"),
        DatabaseUrlError("why"),
        SchemaError("why"),
        KeyFileError("why"),
        FileNotFoundError("why"),
        PermissionError("why"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_an_operator_can_mend_is_one_line_on_standard_error(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, no stack."""
    with pytest.raises(typer.Exit) as left, refusals():
        raise error
    assert left.value.exit_code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("itmo-hub: ")
    assert "why" in said.err


def test_a_defect_of_ours_is_not_dressed_up() -> None:
    """What nobody foresaw crashes loudly."""
    with pytest.raises(ZeroDivisionError), refusals():
        raise ZeroDivisionError


def test_refusing_says_why_and_leaves_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The line begins with the command's name."""
    with pytest.raises(typer.Exit) as left:
        refuse("not like this")
    assert left.value.exit_code == 1
    assert capsys.readouterr().err == "itmo-hub: not like this\n"
