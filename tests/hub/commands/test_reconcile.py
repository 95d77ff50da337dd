"""``itmo-hub reconcile …``: secrets, modes, and what ran, as tables and as JSON."""

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hub.services.reconciliation.runs.link_secrets import LinkSecrets, read_secret
from hub.store.database import Database
from hub.store.reconciliation import links, nights, sessions
from hub.store.reconciliation.nights import FINISHED, MISSED, NightRow
from hub.store.reconciliation.sessions import SessionRow
from tests.hub.commands.runner import done, refused, run
from tests.integration.peers import now

AT = now()


def session(name: str, registry: str, **changes: object) -> SessionRow:
    """Return a session that agreed."""
    row = SessionRow(
        session=name,
        registry=registry,
        night="2026-11-22",
        request_id=None,
        trigger="night",
        mode="digests",
        log_index=7,
        key_id=f"{registry}-2026",
        state="done",
        asked_at=AT,
        answer_by=AT + timedelta(hours=4),
        finished_at=AT,
        as_of=7,
        agreed=True,
        basis="digests",
        question_count=1,
        finding_count=0,
        result_log_index=8,
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # names and values of the row


def test_secrets_are_made_at_the_hub_and_handed_over_as_files(
    sqlite_url: str, tmp_path: Path
) -> None:
    """One for the hub, one for each registry; the registry's is the hub's own derivation."""
    master, of_link = tmp_path / "master", tmp_path / "ken"
    database = ("--database", sqlite_url)
    assert done("reconcile", "secret", "new", "--out", str(master), *database).out.startswith(
        "XHB01\t"
    )
    config = tmp_path / "hub.toml"
    config.write_text(f'[reconciliation]\nsecret = "{master}"\n')
    words = ("reconcile", "secret", "KEN01", "--out", str(of_link), "--config", str(config))
    done(*words)
    assert stat.S_IMODE(of_link.stat().st_mode) == 0o600
    derived = LinkSecrets(read_secret(master, "XHB01"), b"").secret_of("KEN01")
    assert read_secret(of_link, "KEN01") == derived
    mistyped = ("KEM01", "--out", str(tmp_path / "KEM01"), "--config", str(config), *database)
    assert "no KEM01 is registered yet" in run("reconcile", "secret", *mistyped).err
    assert "never overwritten" in refused(*words)
    wrong = ("reconcile", "secret", "kenya", "--out", str(tmp_path / "x"), "--config", str(config))
    assert "is not the code of a registry" in refused(*wrong)
    without = ("reconcile", "secret", "KEN01", "--out", str(tmp_path / "x"), *database)
    assert "reconcile secret new --out FILE" in refused(*without)
    assert not (tmp_path / "x").exists()


def test_how_a_registry_is_compared_is_an_act(sqlite_url: str) -> None:
    """With a reason, in the log; digests made with another key are made anew."""
    database = ("--database", sqlite_url)
    opened = Database(sqlite_url)
    with opened.writing() as connection:
        held = links.hold(connection, ["CHE01"])["CHE01"]
        built = replace(held, key_year=2026, folded_to=1, root=b"\0" * 16)
        links.switch_table(connection, replace(built, movements_from=1, built_at=AT))
    done("reconcile", "mode", "CHE01", "totals", "--reason", "no digests there", *database)
    with opened.reading() as connection:
        row = links.load(connection, "CHE01")
    assert row is not None
    assert (row.mode, row.key_year) == ("totals", None)
    acts = done("act", "list", "--json", *database).document
    assert any(one["kind"] == "reconciliation.mode" for one in acts)
    for words, why in (
        (("CHE01", "guess"), "is not one of digests, totals, statement, records, off"),
        (("KEN01", "off"), "there is no participant KEN01"),
        (("XMR01", "off"), "Party registries alone"),
    ):
        assert why in refused("reconcile", "mode", *words, "--reason", "x", *database)
    opened.dispose()


def test_what_ran_is_shown_newest_first(sqlite_url: str) -> None:
    """Nights with what came of them, sessions with why they ended so, and where each stands."""
    database = ("--database", sqlite_url)
    opened = Database(sqlite_url)
    with opened.writing() as connection:
        nights.add(
            connection,
            [
                NightRow("2026-11-21", MISSED, AT),
                NightRow("2026-11-22", FINISHED, AT, AT, AT, '{"fault_count": 2}'),
            ],
        )
        silent = session("GHA01-9", "GHA01", state="silent", agreed=False, reason="no answer")
        later = replace(silent, asked_at=AT + timedelta(seconds=1))
        sessions.add(connection, [session("CHE01-7", "CHE01"), later])
        links.set_agreed(connection, "CHE01", 7, AT)
    opened.dispose()
    listed = done("reconcile", "nights", "--json", *database).document
    assert [(row["night"], row["state"], row["agreed"], row["silent"]) for row in listed] == [
        ("2026-11-22", "finished", 1, 1),
        ("2026-11-21", "missed", 0, 0),
    ]
    assert listed[0]["own_book_faults"] == 2
    rows = done("reconcile", "sessions", "--json", *database).document
    assert [(row["session"], row["result"]) for row in rows] == [
        ("GHA01-9", "silent"),
        ("CHE01-7", "agreed"),
    ]
    of_night = ("--night", "2026-11-21")
    assert done("reconcile", "sessions", "--json", *of_night, *database).document == []
    table = done("reconcile", "sessions", "--registry", "GHA01", *database).lines
    assert table[1][0] == "GHA01-9"
    standing = done("reconcile", "status", "--json", *database).document
    assert standing["running_night"] is None
    by_code = {row["registry"]: row for row in standing["registries"]}
    assert (by_code["CHE01"]["agreed_to"], by_code["CHE01"]["result"]) == (7, "agreed")
    assert (by_code["THA01"]["mode"], by_code["THA01"]["result"]) == ("digests", None)
    assert "XMR01" not in by_code
    assert len(done("reconcile", "status", *database).lines) == 4
