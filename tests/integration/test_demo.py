"""The demonstration plays to its end on its own, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from hub.demo.books import Run, compare, joined
from hub.demo.chapters import CHAPTERS
from hub.store.database import Database
from hub.store.schema import upgrade

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "hub", "demo"]


def play(*options: str) -> "subprocess.CompletedProcess[str]":
    """Run the demonstration to its end, without a terminal."""
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=240, check=False
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the running processes that were started with files of a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if "serve" in command and str(folder) in command:
            found.append(process)
    return found


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_the_demonstration_plays_every_chapter(kind: str, tmp_path: Path) -> None:
    """It ends with 0, tells every chapter in plain text, and its result holds what it promised."""
    folder = tmp_path / "demo"
    options = ["--json", "--database", kind, "--folder", str(folder), "--feed-blocks", "4000"]
    done = play(*options)
    assert done.returncode == 0, done.stderr[-6000:]
    for number, (title, _) in enumerate(CHAPTERS, start=1):
        assert f"\n{number}. {title}\n" in done.stderr
    assert "\x1b" not in done.stderr, "no colours and no moving cursor without a terminal"
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["double_sale"]["rule"] == 5007
    assert result["double_sale"]["hub_view"].startswith("held by CHE01")
    assert [book["agrees"] for book in result["books"]] == [True, True, True]
    assert [book["equal_units"] for book in result["books"]] == [0, 1_600, 300]
    assert 0 < result["killed_at"] < sum(result["push"]["quantity_by_account"].values())
    assert result["push"]["refused_by_hub"] == result["push"]["refused_here"] == 0
    assert result["db_check"].startswith("every invariant holds")
    assert result["evidence"]["verdict"] == "proved"
    assert result["forgery"]["verdict"] == "failed"
    assert "not the one that the log committed to" in result["forgery"]["said"][0]
    assert [row["result"] for row in result["night"]] == ["agreed"] * 3
    assert sorted(result["cases"]) == [
        "attribute_differs",
        "doubled_message",
        "lost_message",
        "used_or_cancelled_on_one_side",
    ]
    assert result["frozen"]["rule"] == 5005
    assert result["closed"] == 4
    assert processes_of(folder) == []


def test_an_interrupted_demonstration_ends_its_processes(tmp_path: Path) -> None:
    """Ctrl-C ends every child; the exit status says that it was interrupted."""
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        [*COMMAND, "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_for_children(folder, 4)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "Interrupted in" in out
    assert processes_of(folder) == []


def test_a_demonstration_whose_hub_dies_says_where_and_why(tmp_path: Path) -> None:
    """It ends with 1, names the chapter and the process, and ends the others."""
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        [*COMMAND, "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    children = wait_for_children(folder, 4)
    hub = next(child for child in children if "hub.toml" in " ".join(child.cmdline()))
    hub.kill()
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 1, out
    assert "Failed in" in out
    assert f"hub ended with exit status {-signal.SIGKILL}" in out
    assert processes_of(folder) == []


def wait_for_children(folder: Path, count: int) -> list[psutil.Process]:
    """Wait until so many processes of a demonstration run, and return them."""
    deadline = time.monotonic() + 60
    while len(found := processes_of(folder)) < count:
        assert time.monotonic() < deadline, f"only {len(found)} processes run"
        time.sleep(0.1)
    return found


def test_a_folder_with_files_in_it_is_refused(tmp_path: Path) -> None:
    """The demonstration never writes among files that are not its own."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = play("--folder", str(tmp_path))
    assert done.returncode == 2
    assert os.listdir(tmp_path) == ["mine.txt"]  # noqa: PTH208 - the names alone are compared


def run(first: int, last: int, status: str = "itmo") -> Run:
    """Return units of one series in one account."""
    return Run(("CA0001", "THA01", "THA", 2022), first, last, "CH-1", status, None)


def test_only_touching_units_of_one_status_are_joined() -> None:
    """The same units in other pieces are the same; a gap or another status is a difference."""
    assert joined([run(6, 9), run(1, 5)]) == [run(1, 9)]
    assert joined([run(1, 5), run(7, 9)]) == [run(1, 5), run(7, 9)]
    assert joined([run(1, 5), run(6, 9, "used")]) == [run(1, 5), run(6, 9, "used")]


def test_units_that_only_the_book_has_are_a_difference(tmp_path: Path) -> None:
    """A book may not claim transferred units of which the central ledger knows nothing."""
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    upgrade(database)
    block = {
        "first_id": "CA0001-THA01-THA-1-2022",
        "last_id": "CA0001-THA01-THA-5-2022",
        "account": "CH-1",
        "status": "itmo",
        "reserved_by": None,
        "first_transfer": "international_transfer",
    }
    fresh = block | {"status": "authorized", "first_transfer": None}
    with database.reading() as connection:
        differing = compare("CHE01", [block], connection)
        agreeing = compare("CHE01", [fresh], connection)
    database.dispose()
    assert not differing.agrees
    assert differing.book_only == (run(1, 5),)
    assert agreeing.agrees
    assert agreeing.not_transferred == (run(1, 5, "authorized"),)
