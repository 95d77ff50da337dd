"""The command line imports a command's modules when it is called, and says the same as before."""

import json
import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from hub.cli import PARTS, app
from hub.commands.late import LatePart, late_group
from tests.hub.commands.runner import run

HEAVY = {"sqlalchemy", "aiohttp", "alembic", "lxml", "hub.bootstrap", "connectors"}
LOOK = """
import json, sys
sys.argv = ["itmo-hub", *sys.argv[1:]]
from hub.cli import main
try:
    main()
except SystemExit as left:
    status = left.code
print(json.dumps([status or 0, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    """Run a command in a process of its own; return the modules it imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, check=True
    )
    status, names = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return set(names)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("rulebook",), ("keys", "--help"), ("db", "--help")],
    ids=" ".join,
)
def test_a_light_command_imports_no_heavy_library(arguments: tuple[str, ...]) -> None:
    """No database, no HTTP, no connector: it answers at once."""
    assert modules_after(*arguments) & HEAVY == set()


def test_a_command_still_imports_what_it_needs() -> None:
    """The look above does see modules that are imported late."""
    assert {"sqlalchemy", "hub.bootstrap"} <= modules_after("participant", "--help")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_listed_sentence_is_the_commands_own(part: LatePart) -> None:
    """Written twice, so compared: nobody changes one without the other."""
    command = part.load()
    assert command.name == part.name
    assert " ".join(command.help.split("\n\n")[0].split()) == part.help


def test_the_help_is_the_same_as_with_everything_imported() -> None:
    """Line by line, at several widths."""
    host = typer.Typer(name="itmo-hub", no_args_is_help=True)
    host.callback()(lambda: None)
    whole = get_group(host)
    whole.help = get_command(app).help
    whole.params = get_command(app).params
    for part in PARTS:
        whole.add_command(part.load(), part.name)
    for width in ("60", "100", "200"):
        said = run("--help", COLUMNS=width, TERM="dumb")
        assert said.status == 0
        assert said.out == _help_of(whole, width)


def _help_of(group: TyperGroup, width: str) -> str:
    from typer.testing import CliRunner

    runner = CliRunner()
    with runner.isolation(env={"COLUMNS": width, "TERM": "dumb"}) as (out, _, _):
        with pytest.raises(SystemExit):
            group.main(args=["--help"], prog_name="itmo-hub")
        sys.stdout.flush()
        return out.getvalue().decode()


def test_a_wrong_word_is_told_with_the_nearest_right_one() -> None:
    """As any group of commands does."""
    said = run("alrts")
    assert said.status == 2
    assert "alerts" in said.err


def test_commands_can_be_walked_and_changed_like_any_groups() -> None:
    """Tests and generators of documents walk them; each is made once."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert list(group.commands) == [part.name for part in PARTS]
    assert group.commands["rulebook"] is group.commands["rulebook"]
    own = late_group(PARTS[:2])(name="two")
    own.add_command(group.commands["alerts"], "alarms")
    assert list(own.commands) == ["serve", "console", "alarms"]
    del own.commands["console"]
    assert (len(own.commands), "console" in own.commands) == (2, False)
