"""Run the commands of ``itmo-hub`` as a user would, but without starting an interpreter for each.

Every command is written down, so that a reader of the demonstration can type it again.
"""

import contextlib
import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INTERRUPTED = 130


class CommandRefusedError(Exception):
    """A command ended with an exit status other than 0; ``text`` is what it said."""

    def __init__(self, arguments: tuple[str, ...], text: str) -> None:
        super().__init__(f"itmo-hub {shlex.join(arguments)}: {text}")
        self.text = text


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The commands: ``main`` is the entry point of the whole command line, ``record`` the list."""

    main: Callable[..., Any]
    record: Path

    def run(self, *arguments: str) -> str:
        """Return what a command prints. Raises CommandRefusedError when it refuses."""
        status, out, notes = self.outcome(*arguments)
        if status:
            raise CommandRefusedError(arguments, " ".join((notes or out).split()))
        return out

    def outcome(self, *arguments: str) -> tuple[int, str, str]:
        """Return a command's exit status, what it prints, and what it says beside."""
        with self.record.open("a", encoding="utf-8") as file:
            file.write(f"itmo-hub {shlex.join(arguments)}\n")
        out, notes = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(notes):
            # Not standalone: the command returns its exit status instead of leaving.
            status = self.main(list(arguments), prog_name="itmo-hub", standalone_mode=False)
        if status == _INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0, out.getvalue(), notes.getvalue()

    def run_json(self, *arguments: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.run(*arguments, "--json"))
