"""``itmo-hub participant …`` from registration to closing, each step seen in the list."""

from pathlib import Path

import pytest

from tests.hub.commands.runner import done, key_document, misused, refused
from tests.integration.peers import seeded_signer


def row_of(url: str, code: str) -> dict[str, object]:
    """Return a participant's row of the list."""
    rows = done("participant", "list", "--json", "--database", url).document
    found: dict[str, object] = {row["code"]: row for row in rows}[code]
    return found


def test_a_registry_joins_is_suspended_comes_back_and_leaves(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Every state by one command, told on standard output and seen in the list."""
    database = ("--database", sqlite_url)
    key = str(key_document(tmp_path, "PER01"))
    joined = done("participant", "add", "PER01", "--key", key, *database)
    (line,) = joined.lines
    assert line[:3] == ["PER01", "registered", seeded_signer("PER01").key_id]
    assert len(line[3]) == 64
    assert row_of(sqlite_url, "PER01")["state"] == "registered"
    assert row_of(sqlite_url, "PER01")["valid_keys"] == 1
    for words, state in (
        (("activate", "PER01"), "active"),
        (("suspend", "PER01", "--reason", "a broken key"), "suspended"),
        (("activate", "PER01"), "active"),
        (("close", "PER01", "--reason", "left"), "closed"),
    ):
        assert done("participant", *words, *database).lines == [["PER01", state]]
        assert row_of(sqlite_url, "PER01")["state"] == state


def test_deliveries_are_pushed_or_pulled(sqlite_url: str) -> None:
    """One of both must be said."""
    database = ("--database", sqlite_url)
    done("participant", "deliver", "CHE01", "--endpoint", "https://ch.example/in", *database)
    assert row_of(sqlite_url, "CHE01")["delivery"] == "push"
    done("participant", "deliver", "CHE01", "--pull", *database)
    assert row_of(sqlite_url, "CHE01")["delivery"] == "pull"
    for words in ((), ("--pull", "--endpoint", "https://ch.example/in")):
        assert "either" in refused("participant", "deliver", "CHE01", *words, *database)
    assert done("participant", "try-now", "CHE01", *database).lines == [["CHE01", "due now"]]


def test_deliveries_are_written_in_json_or_xml(xml_url: str, tmp_path: Path) -> None:
    """From the start or later, each an act in the log; the hub needs a key for it."""
    database = ("--database", xml_url)
    assert row_of(xml_url, "CHE01")["binding"] == "json"
    changed = done("participant", "binding", "CHE01", "xml", "--reason", "as asked", *database)
    assert changed.lines == [["CHE01", "xml"]]
    assert row_of(xml_url, "CHE01")["binding"] == "xml"
    (newest, *_) = done("act", "list", "--json", *database).document
    assert (newest["kind"], newest["subject"]) == ("participant.binding", "CHE01")
    done("participant", "binding", "CHE01", "json", *database)
    assert row_of(xml_url, "CHE01")["binding"] == "json"
    key = str(key_document(tmp_path, "PER01"))
    done("participant", "add", "PER01", "--key", key, "--binding", "xml", *database)
    assert row_of(xml_url, "PER01")["binding"] == "xml"
    assert "not a participant" in refused("participant", "binding", "BRA01", "xml", *database)
    assert "yaml" in misused("participant", "binding", "CHE01", "yaml")


def test_xml_is_not_promised_where_it_cannot_be_signed(
    sqlite_url: str, xml_url: str, tmp_path: Path
) -> None:
    """The hub has no ES256 key; or the participant may not use one."""
    said = refused("participant", "binding", "CHE01", "xml", "--database", sqlite_url)
    assert "--algorithm ES256" in said
    key = ("--key", str(key_document(tmp_path, "PER01")), "--binding", "xml")
    assert "ES256" in refused("participant", "add", "PER01", *key, "--database", sqlite_url)
    bound = ("participant", "add", "PER01", *key, "--suite", "Ed25519", "--database", xml_url)
    assert "Ed25519" in refused(*bound)


def test_keys_are_added_and_revoked_out_of_band(sqlite_url: str, tmp_path: Path) -> None:
    """The emergency path: a new key in, the lost one out."""
    database = ("--database", sqlite_url, "--reason", "lost")
    key = str(key_document(tmp_path, "CHE01", "new"))
    done("participant", "key-add", key, *database)
    assert row_of(sqlite_url, "CHE01")["valid_keys"] == 2
    done("participant", "key-revoke", seeded_signer("CHE01").key_id, *database)
    assert row_of(sqlite_url, "CHE01")["valid_keys"] == 1


def test_what_is_wrong_is_said_in_one_line(sqlite_url: str, tmp_path: Path) -> None:
    """Unknown codes, missing and false key files, keys of somebody else, states that do not fit."""
    database = ("--database", sqlite_url)
    peru, other = (str(key_document(tmp_path, code)) for code in ("PER01", "BRA01"))
    (tmp_path / "nonsense").write_text("nonsense")
    missing, nonsense = str(tmp_path / "missing"), str(tmp_path / "nonsense")
    add = ("participant", "add")
    for words, expected in (
        ((*add, "PER01", "--key", missing), "missing"),
        ((*add, "PER01", "--key", nonsense), ""),
        ((*add, "PER01", "--key", str(tmp_path)), "directory"),
        ((*add, "PER01", "--key", other), "BRA01"),
        ((*add, "per1", "--key", peru), "three capitals"),
        ((*add, "PER01", "--key", peru, "--kind", "broker"), "broker"),
        ((*add, "PER01", "--key", peru, "--suite", "RS256"), "RS256"),
        ((*add, "PER01", "--key", peru, "--name", "N" * 201), "200"),
        ((*add, "PER01", "--key", peru, "--endpoint", "x" * 501), "endpoint"),
        ((*add, "PER01", "--key", peru, "--endpoint", "ftp://x"), "endpoint"),
        ((*add, "CHE01", "--key", str(key_document(tmp_path, "CHE01"))), "registered already"),
        (("participant", "activate", "PER01"), "not a participant"),
        (("participant", "activate", "CHE01"), "cannot activate"),
        (("participant", "try-now", "PER01"), "not a participant"),
        (("participant", "deliver", "PER01", "--pull"), "not a participant"),
        (("participant", "deliver", "CHE01", "--endpoint", "nonsense"), "endpoint"),
        (("participant", "key-revoke", "CHE01-0", "--reason", "x"), "no key"),
        (("participant", "key-add", peru, "--reason", "x"), "not a participant"),
    ):
        assert expected in refused(*words, *database), words


@pytest.mark.parametrize("words", [("suspend", "CHE01"), ("close", "CHE01")])
def test_nobody_is_stopped_without_a_reason(words: tuple[str, ...]) -> None:
    """The reason is recorded with the act, so it must be given."""
    assert "--reason" in misused("participant", *words)
