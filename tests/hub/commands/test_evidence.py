"""``itmo-hub evidence …``: export, verify, anchor, verifier, story, as an operator types them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub.evidence import bundles
from hub.store.database import Database
from tests.hub.commands.runner import done, refused, run
from tests.hub.commands.test_log import publish
from tests.hub.world import World
from tests.integration.hub_process import hub_key_variable

TRANSFER = "THA01-1"


@pytest.fixture(autouse=True)
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the hub its key, as its environment does."""
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    monkeypatch.setenv("ITMO_HUB_SIGNERS", '["env:HUB_KEY"]')


@pytest.fixture
def traded(sqlite_url: str) -> str:
    """Return the URL of a hub's database with one completed transfer, published."""
    database = Database(sqlite_url)
    world = World(database)
    world.begin()
    world.transfer(TRANSFER, 1, 100)
    database.dispose()
    publish(sqlite_url)
    return sqlite_url


@pytest.fixture
def files(traded: str, tmp_path: Path) -> tuple[Path, Path]:
    """Return a bundle and an anchor that pins everybody's keys."""
    bundle, anchor = tmp_path / "transfer.zip", tmp_path / "anchor.json"
    done("evidence", "export", TRANSFER, "-o", str(bundle), "--database", traded)
    options = ["-o", str(anchor), "--participants", "--database", traded]
    said = done("evidence", "anchor", *options)
    assert said.lines[0][1] == "1 keys of the hub, 4 of participants"
    return bundle, anchor


def test_an_exported_transfer_verifies_by_command(files: tuple[Path, Path]) -> None:
    """In words and as JSON, with exit status 0."""
    bundle, anchor = files
    said = done("evidence", "verify", str(bundle), "--trust", str(anchor))
    assert said.out.splitlines()[-1] == "PROVED: transfer THA01-1, completed"
    shown = done("evidence", "verify", str(bundle), "--trust", str(anchor), "--json").document
    assert (shown["verdict"], shown["outcome"]) == ("proved", "completed")


def test_the_exit_status_tells_false_from_unusable(files: tuple[Path, Path]) -> None:
    """1 for a false statement, 2 for a file that is none."""
    bundle, anchor = files
    evidence = bundles.read(bundle.read_bytes())
    first, *rest = evidence.items
    other = dict.fromkeys(first.contents, b"{}")
    forged = replace(evidence, items=[replace(first, contents=other), *rest])
    bundle.write_bytes(bundles.write(forged, "a page"))
    assert run("evidence", "verify", str(bundle), "--trust", str(anchor)).status == 1
    bundle.write_bytes(bundle.read_bytes()[:-7])
    said = run("evidence", "verify", str(bundle), "--trust", str(anchor))
    assert said.status == 2
    assert said.err.startswith("UNUSABLE: the file is damaged")


def test_what_cannot_be_exported_is_refused_in_one_line(traded: str, tmp_path: Path) -> None:
    """An unknown transfer; one that is in no published tree yet."""
    path = ["-o", str(tmp_path / "x.zip"), "--database", traded]
    assert "there is no transfer THA01-404" in refused("evidence", "export", "THA01-404", *path)
    database = Database(traded)
    World(database).propose("THA01-2", 201, 210)
    database.dispose()
    line = refused("evidence", "export", "THA01-2", *path, "--wait", "0")
    assert "no published tree covers entry" in line
    assert not (tmp_path / "x.zip").exists()


def test_the_page_is_made_anew_from_what_is_signed(files: tuple[Path, Path]) -> None:
    """Whatever page came with a bundle, its own contents tell the story."""
    bundle, _ = files
    evidence = bundles.read(bundle.read_bytes())
    bundle.write_bytes(bundles.write(evidence, "<h1>Nothing happened</h1>"))
    page = bundle.with_suffix(".html")
    done("evidence", "story", str(bundle), "-o", str(page))
    assert "Evidence of transfer THA01-1" in page.read_text(encoding="utf-8")
    bundle.write_bytes(b"no bundle")
    assert "no page can be made" in refused("evidence", "story", str(bundle), "-o", str(page))


def test_the_verifier_is_written_as_one_script(tmp_path: Path) -> None:
    """What an auditor gets is a Python file."""
    path = tmp_path / "verify_evidence.py"
    done("evidence", "verifier", "-o", str(path))
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_json_tells_programs_what_was_written(traded: str, tmp_path: Path) -> None:
    """File, size and the number of entries."""
    path = tmp_path / "x.zip"
    options = ["-o", str(path), "--database", traded, "--without-deliveries", "--json"]
    shown = json.loads(done("evidence", "export", TRANSFER, *options).out)
    assert shown == {"file": str(path), "bytes": path.stat().st_size, "entries": shown["entries"]}
