"""The console's secret: made once, read by its owner alone, and clear about what is wrong."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.sealing import (
    ConsoleSecretError,
    Sealing,
    read_or_make,
    secret_path,
)
from hub.store.database import Database


def test_a_missing_secret_is_made_for_its_owner_alone(sqlite: Database) -> None:
    """Beside the database, mode 0600; the second start reads the same."""
    path = secret_path(ConsolePolicy(), sqlite)
    assert path == Path(f"{sqlite.url.database}.console-secret")
    first = read_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make(path) == first
    assert len(first) == 32
    assert first.hex() not in repr(Sealing.of(first))


def test_two_consoles_that_start_together_have_one_secret(tmp_path: Path) -> None:
    """Whoever is quicker makes it."""
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(read_or_make, [tmp_path / "secret"] * 8))
    assert len(found) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("text", ["", "secret", "itmo-hub-console-secret/1 00ff\n", "\xff" * 99])
def test_a_file_that_is_no_secret_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    """The message names the file and the form, never what stands in it."""
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConsoleSecretError, match="is no console secret") as refused:
        read_or_make(path)
    assert str(path) in str(refused.value)
    assert "00ff" not in str(refused.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """It is no secret any more."""
    path = tmp_path / "secret"
    read_or_make(path)
    path.chmod(0o640)
    with pytest.raises(ConsoleSecretError, match="chmod 600"):
        read_or_make(path)


def test_where_it_cannot_be_made_the_setting_is_named(tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(ConsoleSecretError, match=r"`console\.secret`"):
        read_or_make(tmp_path / "no" / "folder")


@pytest.mark.postgres
def test_with_postgresql_the_file_is_named(postgres_database_url: str, tmp_path: Path) -> None:
    """There is no place beside such a database."""
    database = Database(postgres_database_url)
    with pytest.raises(ConsoleSecretError, match=r"name one in `console\.secret`"):
        Sealing.open(ConsolePolicy(), database)
    sealing = Sealing.open(ConsolePolicy(secret=str(tmp_path / "secret")), database)
    assert sealing.unseal(sealing.seal(b"codes", "a person"), "a person") == b"codes"
    database.dispose()
