"""The README's tour, run as it stands: every command, and every line of output it shows."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("8470", "8480", "8601", "8602", "8702")
OWN_PORTS = {"serve": "8470", "console": "8480"}
"""Commands that take the port they listen on, by what it is in the README."""
PATIENCE_SECONDS = 30.0
ASK = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"


@dataclass(slots=True)
class Step:
    """One command of the tour and the output shown below it."""

    command: str
    shown: list[str] = field(default_factory=list)


def tour() -> list[Step]:
    """Return the commands of the README's console blocks, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    steps: list[Step] = []
    for body in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in body.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line.removeprefix("$ ")))
            else:
                steps[-1].shown.append(line)
    return steps


def free_ports(count: int) -> list[str]:
    """Return ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Shell:
    """Runs the tour's lines: exports, background processes, commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = Path(sys.executable).parent
        self.environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
        self.background: list[subprocess.Popen[bytes]] = []
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))

    def run(self, step: Step) -> None:
        """Run one step; a command is repeated until it does what the README shows."""
        words = shlex.split(self.with_own_ports(step.command))
        if words[0] in ("source", "mkdir"):
            return  # the environment is the one that runs this test, the folder its own
        if words[0] == "export":
            self.environment |= dict(word.split("=", 1) for word in words[1:])
        elif words[-1] == "&":
            if words[1] in OWN_PORTS:
                words[-1:] = ["--port", self.ports[OWN_PORTS[words[1]]]]
            else:
                words = words[:-1]
            log = (self.folder / f"log{len(self.background)}").open("wb")
            self.background.append(
                subprocess.Popen(
                    words, cwd=self.folder, env=self.environment, stdout=log, stderr=log
                )
            )
        else:
            self.until_shown(words, step.shown)

    def until_shown(self, words: list[str], shown: list[str]) -> None:
        """Run a command until it succeeds and prints what is shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            done = subprocess.run(
                words,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            as_shown = not shown or plain(done.stdout.splitlines()) == plain(shown)
            if done.returncode == 0 and as_shown:
                return
            assert time.monotonic() < deadline, (words, done.stdout, done.stderr, shown)
            time.sleep(0.3)

    def with_own_ports(self, command: str) -> str:
        """Return the command with free ports in place of the README's."""
        for shown, own in self.ports.items():
            command = command.replace(f":{shown}", f":{own}")
        return command

    def close(self) -> None:
        """End the background processes."""
        for process in self.background:
            process.terminate()
        for process in self.background:
            process.wait(30)


def plain(lines: list[str]) -> list[str]:
    """Return output with log indices, which count the seconds' work of others, left out."""
    return [re.sub(r"log index \d+", "log index N", line.rstrip()) for line in lines]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Return a shell in an empty folder that holds the README's example files."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path, dirs_exist_ok=True)
    running = Shell(tmp_path)
    yield running
    running.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tour_of_the_readme_works_as_it_stands(shell: Shell) -> None:
    """Each command succeeds, and prints what the README shows below it."""
    steps = tour()
    assert len(steps) > 20
    for step in steps:
        shell.run(step)
    console = f"http://localhost:{shell.ports['8480']}/health/ready"
    shell.until_shown(
        [sys.executable, "-c", ASK, console], ['{"status": "ready", "database": "ready"}']
    )


def test_the_readme_names_no_address_that_is_not_local() -> None:
    """The tour speaks to the loopback only, so that anyone may run it."""
    hosts = {host for step in tour() for host in re.findall(r"https?://([^:/\"]+)", step.command)}
    assert hosts == {"127.0.0.1"}
