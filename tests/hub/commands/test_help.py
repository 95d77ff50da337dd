"""Every command explains itself."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from tests.hub.commands.runner import COMMAND, misused, run


def commands_of(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every command and group below one, with the words that call it."""
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from commands_of(part, (*path, name))


COMMANDS = list(commands_of(COMMAND))


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) or "itmo-hub" for path, _ in COMMANDS]
)
def test_every_command_says_what_it_is_for(path: tuple[str, ...], command: Any) -> None:
    """A sentence of its own, and ``--help`` that prints it."""
    assert command.help
    said = run(*path, "--help", COLUMNS="200", TERM="dumb")
    assert said.status == 0
    assert command.help.split(".")[0].split("\n")[0][:40] in said.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("participant", "add"),
        ("participant", "suspend", "CHE01"),
        ("account", "open", "A", "--party", "CHE", "--status", "lost"),
        ("account", "status", "A", "nonsense", "--reason", "x"),
        ("transfer", "list", "--limit", "many"),
        ("serve", "--port", "high"),
        ("db", "check", "--fast"),
        ("suspension", "place", "hub"),
    ],
    ids=" ".join,
)
def test_misuse_is_told_apart_from_refusal(arguments: tuple[str, ...]) -> None:
    """Wrong words: status 2, on standard error."""
    assert misused(*arguments)


def test_the_command_tells_its_version() -> None:
    """What a bug report begins with; nothing else is loaded for it."""
    said = run("--version")
    assert (said.status, said.out.strip()) == (0, version("itmo-hub"))
