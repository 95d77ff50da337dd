"""Child processes: each with a log, watched while they run, ended by their id whatever happens.

Every child has a session of its own, so that Ctrl-C reaches the demonstration alone and the
children are ended in order: the connectors first, the hub after them.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS_MAX: Final = 30.0
WORK_SECONDS_MAX: Final = 180.0
STOP_SECONDS_MAX: Final = 6.0
LOG_LINES_SHOWN: Final = 12
_LOOK_SECONDS: Final = 0.02


class ProcessFailedError(Exception):
    """A child process ended by itself, or did not start in time."""


@contextmanager
def _no_interruption() -> Iterator[None]:
    """Hold back the signals that end the story: a child is started and noted, or neither."""
    waiting: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: waiting.append(number))
        for number in ENDING_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])


@dataclass(slots=True)
class Child:
    """One child process; its standard output and standard error go to files."""

    name: str
    process: subprocess.Popen[bytes]
    out: Path
    log: Path

    def last_lines(self, count: int = LOG_LINES_SHOWN) -> list[str]:
        """Return the last lines that it logged."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]


@dataclass(slots=True)
class Processes:
    """The children of one demonstration, in the order of their start."""

    logs: Path
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, *arguments: str, notes: IO[str] | None = None) -> Child:
        """Start a command of ``itmo-hub``; with ``notes`` its standard error is shown there."""
        out, log = self.logs / f"{name}.out", self.logs / f"{name}.log"
        with out.open("wb") as stdout, log.open("ab") as stderr, _no_interruption():
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own commands
                [sys.executable, "-m", "hub", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr if notes is None else notes,
                start_new_session=True,
            )
            child = Child(name, process, out, log)
            self.children.append(child)
        return child

    def first_line(self, child: Child) -> str:
        """Wait for a child's first line of output, by which it says that it is ready.

        Raises:
            ProcessFailedError: it ended before, or took too long.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            text = child.out.read_text(encoding="utf-8")
            if "\n" in text:
                return text.partition("\n")[0]
            self.check()
            time.sleep(_LOOK_SECONDS)
        raise ProcessFailedError(f"{child.name} did not start in {START_SECONDS_MAX:.0f} seconds")

    def finish(self, child: Child) -> int:
        """Wait until a child has done its work; return its exit status.

        Raises:
            ProcessFailedError: another one ended meanwhile, or it took too long.
        """
        deadline = time.monotonic() + WORK_SECONDS_MAX
        while time.monotonic() < deadline:
            if (status := child.process.poll()) is not None:
                self.children.remove(child)
                return status
            self.check()
            time.sleep(_LOOK_SECONDS)
        raise ProcessFailedError(f"{child.name} was not done in {WORK_SECONDS_MAX:.0f} seconds")

    def kill_when(self, child: Child, ripe: Callable[[], bool]) -> None:
        """End a child as a power cut would, as soon as it is ``ripe``.

        Raises:
            ProcessFailedError: another one ended meanwhile, or it took too long.
        """
        deadline = time.monotonic() + WORK_SECONDS_MAX
        while not ripe():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailedError(f"{child.name} took {WORK_SECONDS_MAX:.0f} seconds")
            time.sleep(_LOOK_SECONDS)
        child.process.kill()
        child.process.wait()
        self.children.remove(child)

    def check(self) -> None:
        """Make sure that every child still runs. Raises ProcessFailedError."""
        for child in self.children:
            if (status := child.process.poll()) is not None:
                raise ProcessFailedError(f"{child.name} ended with exit status {status}")

    def stop(self) -> None:
        """End the children, the last started first; kill those that take too long."""
        while self.children:
            child = self.children[-1]
            child.process.terminate()
            try:
                child.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            self.children.pop()
