"""``itmo-hub reconcile statement`` as an officer uses it: files in; findings, cases, freezes."""

import csv
import hashlib
import io
import json
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.services.reconciliation.statements.statement_workbooks import write_workbook
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from hub.store.reconciliation import sessions
from message_schemas import timestamps
from reconciliation.owned import OWNED, Block, blocks_of
from tests.hub.commands.runner import Said, done, run
from tests.hub.world import World, notices_to
from tests.integration.peers import now
from tests.reconciliation.statement_rows import ALL, BY_ID, table_of

PARTIAL = (*BY_ID, "quantity", "status")


@pytest.fixture
def world(registered_url: str) -> World:
    """Return a hub at which Switzerland has units by two transfers, and hands in statements."""
    world = World(Database(registered_url))
    world.begin()
    world.transfer("THA01-1", 1, 100)
    world.transfer("THA01-2", 101, 150)
    mode = ("reconcile", "mode", "CHE01", "statement", "--reason", "it implements nothing")
    done(*mode, "--database", registered_url)
    return world


def held_by(world: World, registry: str = "CHE01") -> list[Block]:
    """Return what the ledger has of a registry."""
    with world.database.reading() as connection:
        return blocks_of(all_blocks(connection, Interning()), registry)


def xml_of(table: Sequence[Sequence[str]]) -> bytes:
    """Return a table with identifiers as an XML statement."""
    names = [name for name in table[0] if name in OWNED]
    lines = ['<statement xmlns="urn:itmo-exchange:statement:1">']
    lines.append(f"<registry>CHE01</registry><compared>{' '.join(names)}</compared>")
    for row in table[1:]:
        cells = dict(zip(table[0], row, strict=True))
        kept = {n: v for n, v in cells.items() if v and n in (*BY_ID, "quantity", *OWNED)}
        lines.append(f"<block>{''.join(f'<{n}>{v}</{n}>' for n, v in kept.items())}</block>")
    return "\n".join([*lines, "</statement>"]).encode()


def written(folder: Path, form: str, blocks: Iterable[Block], columns: Sequence[str] = ALL) -> str:
    """Write a statement in one form and return its path; the name tells nothing of the form."""
    table = table_of(blocks, columns)
    if form == "xml":
        content = xml_of(table)
    elif form == "xlsx":
        into = io.BytesIO()
        write_workbook(into, table[0], table[1:])
        content = into.getvalue()
    else:
        text = io.StringIO()
        csv.writer(text, delimiter=";" if form == "semicolons" else ",").writerows(table)
        content = text.getvalue().encode("utf-16" if form == "semicolons" else "utf-8")
    path = folder / f"statement-{form}.dat"
    path.write_bytes(content)
    return str(path)


def taken(world: World, path: str, *more: str, status: int = 0, late: bool = False) -> Any:
    """Load a statement; return the JSON that is told. Unless ``late``, all was applied."""
    url = world.database.url.render_as_string(hide_password=False)
    said = run(
        *("reconcile", "statement", path, "--registry", "CHE01", "--json", "--database", url),
        *(() if late else ("--all-applied",)),
        *more,
    )
    assert said.status == status, said
    assert said.err == ""
    return said.document


def refused(world: World, path: str, *more: str, registry: str = "CHE01") -> str:
    """Load a statement that is not taken; return what is said. Nothing is recorded."""
    url = world.database.url.render_as_string(hide_password=False)
    before = done("act", "list", "--database", url).out
    said: Said = run(
        *("reconcile", "statement", path, "--registry", registry, "--database", url), *more
    )
    assert said.status == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert done("act", "list", "--database", url).out == before
    return said.err


@pytest.mark.parametrize("form", ["commas", "semicolons", "xlsx", "xml"])
def test_a_statement_that_agrees_is_a_session_that_agreed(
    world: World, tmp_path: Path, form: str
) -> None:
    """In any form: an act with the file's digest, a result, and the link's last agreement."""
    path = written(tmp_path, form, held_by(world))
    told = taken(world, path)
    assert (told["agreed"], told["findings"], told["is_partial"]) == (True, [], False)
    assert (told["units"], told["left_out"], told["compared"]) == (150, 0, list(OWNED))
    with world.database.reading() as connection:
        row = sessions.load(connection, told["session"])
    assert row is not None
    assert (row.mode, row.trigger, row.state, row.agreed) == ("statement",) * 2 + ("done", True)
    assert (row.as_of, row.result_log_index) == (told["as_of"], told["result_log_index"])
    assert row.log_index == told["as_of"] + 1
    url = world.database.url.render_as_string(hide_password=False)
    act = done("act", "show", str(row.log_index), "--json", "--database", url).document
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert digest in json.dumps(act)
    results = [body for type_, body in notices_to(world, "CHE01") if type_.endswith(".result")]
    assert [body["agreed"] for body in results] == [True]
    assert results[0]["reason"].startswith("by a statement of holdings as of 20")
    world.prove()


def test_what_differs_opens_cases_and_a_later_clean_statement_closes_them(
    world: World, tmp_path: Path
) -> None:
    """Serials the registry lacks freeze; when it has them again, the case closes."""
    held = held_by(world)
    less = [*held[1:], held[0]._replace(last=39), held[0]._replace(first=50)]
    told = taken(world, written(tmp_path, "xlsx", less), status=1)
    (finding,) = told["findings"]
    assert (finding["kind"], finding["first_serial"], finding["last_serial"]) == (
        *("missing_at_registry", 40),
        49,
    )
    assert len(told["opened"]) == 1
    url = world.database.url.render_as_string(hide_password=False)
    assert "40" in done("reconcile", "frozen", "--database", url).out
    partial = taken(world, written(tmp_path, "commas", held, PARTIAL))
    assert (partial["is_partial"], partial["closed"]) == (True, [])
    assert "no case is closed by it" in partial["note"]
    clean = taken(world, written(tmp_path, "commas", held))
    assert clean["closed"] == told["opened"]
    assert "40" not in done("reconcile", "frozen", "--database", url).out
    world.prove()


def test_a_statement_of_yesterday_is_compared_as_of_then(world: World, tmp_path: Path) -> None:
    """By log index or by time; what came later is not missing."""
    path = written(tmp_path, "commas", held_by(world))
    url = world.database.url.render_as_string(hide_password=False)
    as_of = done("act", "list", "--json", "--database", url).document[0]["log_index"]
    moment = timestamps.render(now())
    time.sleep(0.002)  # times of the log are whole milliseconds
    world.transfer("THA01-3", 200, 210)
    later = taken(world, path, "--try-out", status=1)
    assert later["findings"][0]["reference"] == "THA01-3"
    assert later["session"] is None
    told = taken(world, path, "--as-of-time", moment, "--try-out")
    assert (told["as_of"], told["agreed"]) == (as_of, True)
    assert taken(world, path, "--as-of", str(as_of))["agreed"]


def test_what_was_not_acknowledged_is_timing_and_what_was_is_lost(
    world: World, tmp_path: Path
) -> None:
    """The mailbox tells them apart."""
    path = written(tmp_path, "commas", held_by(world))
    world.transfer("THA01-3", 200, 210)
    waiting = taken(world, path, late=True)
    assert (waiting["agreed"], waiting["opened"]) == (True, [])
    assert [one["kind"] for one in waiting["findings"]] == ["timing"]
    assert f"items after log index {waiting['applied_to']} were not acknowledged" in waiting["note"]
    lost = taken(world, path, status=1)
    assert [one["kind"] for one in lost["findings"]] == ["lost_message"]
    assert len(lost["opened"]) == 1


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--as-of", "999999"), "999999 is not in it"),
        (("--as-of-time", "yesterday"), "not a timestamp like"),
        (("--as-of-time", "2020-01-01T00:00:00.000Z"), "the log begins after"),
        (("--as-of", "3", "--as-of-time", "2020-01-01T00:00:00.000Z"), "not both"),
        (("--status-word", "gone=lost"), "write WORD=STATUS"),
    ],
    ids=["index", "word", "before", "both", "status"],
)
def test_what_cannot_be_asked_is_refused(
    world: World, tmp_path: Path, more: tuple[str, ...], text: str
) -> None:
    """One line, exit status 2, and nothing recorded."""
    said = refused(world, written(tmp_path, "commas", held_by(world)), *more)
    assert text in said
    assert said.count("\n") == 1


def test_other_registries_other_files_and_older_statements_are_refused(
    world: World, tmp_path: Path
) -> None:
    """Each with what would be right."""
    path = written(tmp_path, "commas", held_by(world))
    assert "XIR01 is no Party registry here" in refused(world, path, registry="XIR01")
    assert "No such file" in refused(world, str(tmp_path / "none.csv"))
    first = taken(world, path)
    older = refused(world, path, "--as-of", str(first["as_of"] - 1))
    assert f"was compared as of log index {first['as_of']}" in older
    tomorrow = timestamps.render(now() + timedelta(days=1))
    assert "lies ahead" in refused(world, path, "--as-of-time", tomorrow)


def test_every_fault_of_a_file_is_listed_and_nothing_is_recorded(
    world: World, tmp_path: Path
) -> None:
    """With file, line, column and remedy; a last line says what became of it."""
    path = tmp_path / "bad.csv"
    table = table_of(held_by(world), PARTIAL)
    table[1][2] = "many"
    table[1][3] = "verloren"
    path.write_text("\n".join(map(",".join, table)))
    lines = refused(world, str(path)).splitlines()
    assert lines[0].startswith(f"{path}: line 2, QUANTITY: 'many' is no whole number")
    assert lines[1].startswith(f"{path}: line 2, STATUS: 'verloren' is not a known word")
    assert lines[2] == f"itmo-hub: {path} was not taken, and nothing was recorded"
    assert taken(world, str(_fixed(path)), "--status-word", "verloren=held")["agreed"]


def _fixed(path: Path) -> Path:
    text = path.read_text()
    path.write_text(text.replace("many", text.splitlines()[1].split("-")[3] and "100"))
    return path


def test_nothing_held_must_be_said(world: World, tmp_path: Path) -> None:
    """An empty file by mistake would freeze all units of a registry."""
    path = written(tmp_path, "commas", [])
    assert "no row of units" in refused(world, path)
    told = taken(world, path, "--holds-nothing", "--try-out", status=1)
    assert sum(one["quantity"] for one in told["findings"]) == 150


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_template_is_a_statement_without_rows(world: World, tmp_path: Path, suffix: str) -> None:
    """What we hand out we also take; it is written once."""
    path = str(tmp_path / f"template.{suffix}")
    done("reconcile", "statement", "--template", path)
    assert "no row of units" in refused(world, path)
    again = run("reconcile", "statement", "--template", path)
    assert (again.status, "File exists" in again.err) == (2, True)
    assert run("reconcile", "statement", "--template", f"{path}.ods").status == 2


def test_people_read_tables(world: World, tmp_path: Path) -> None:
    """Facts first, then a line for each finding."""
    url = world.database.url.render_as_string(hide_password=False)
    path = written(tmp_path, "commas", held_by(world)[:1])
    said = run(
        "reconcile", "statement", path, "--registry", "CHE01", "--all-applied", "--database", url
    )
    assert said.status == 1
    facts = dict(line[:2] for line in said.lines)
    assert facts["registry"] == "CHE01"
    assert facts["agreed"] == "False"
    assert said.lines[-1][1] == "CA0001-THA01-THA-*-2022"
