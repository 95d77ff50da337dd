"""Run commands as an operator does, within the test's process."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from hub.cli import app
from keys.possession import sign_possession
from tests.integration.peers import now, seeded_signer

COMMAND = get_command(app)  # built once: it takes longer than most commands


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[list[str]]:
        """Standard output as tab-separated lines."""
        return [line.split("\t") for line in self.out.splitlines()]


def run(*arguments: str, **environment: str) -> Said:
    """Run one command; an exception that escapes it fails the test."""
    runner, status = CliRunner(), 0
    with runner.isolation(env=environment) as (out, err, _):
        try:
            COMMAND.main(args=list(arguments), prog_name="itmo-hub")
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else int(left.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        return Said(status, out.getvalue().decode(), err.getvalue().decode())


def done(*arguments: str, **environment: str) -> Said:
    """Run a command that must succeed, silently on standard error."""
    said = run(*arguments, **environment)
    assert said.status == 0, said
    assert said.err == ""
    return said


def refused(*arguments: str, **environment: str) -> str:
    """Run a command that must be refused with one clear line; return the line."""
    said = run(*arguments, **environment)
    assert said.status == 1, said
    assert said.out == ""
    assert said.err.startswith("itmo-hub: ")
    assert "Traceback" not in said.err
    assert said.err.count("\n") == 1, said.err
    return said.err.removeprefix("itmo-hub: ").strip()


def misused(*arguments: str) -> str:
    """Run a command that is used wrongly; return what it says."""
    said = run(*arguments)
    assert said.status == 2, said
    return said.err


def key_document(folder: Path, code: str, salt: str = "") -> Path:
    """Write a participant's self-signed public key document and return where."""
    path = folder / f"{code}{salt}.jws"
    path.write_bytes(sign_possession(seeded_signer(code, salt), code, valid_from=now()) + b"\n")
    return path
