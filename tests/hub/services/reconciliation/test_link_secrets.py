"""Link secrets: one file at the hub, one for each registry, and a key of the hub's own."""

import stat
from pathlib import Path

import pytest

from hub.services.reconciliation.runs.link_secrets import (
    FORMAT,
    LinkSecretError,
    LinkSecrets,
    new_secret,
    read_secret,
    write_secret,
)
from hub.store.database import Database
from keys.errors import KeyFileError
from reconciliation.link_keys import key_of_year
from tests.hub.world import HUB


def test_a_registry_has_the_key_from_its_own_file_alone(sqlite: Database, tmp_path: Path) -> None:
    """The hub derives the link's secret from its master; the registry reads it; keys are equal."""
    master, of_link = tmp_path / "master", tmp_path / "ken"
    write_secret(master, HUB, new_secret())
    secrets = LinkSecrets.open(str(master), HUB, sqlite)
    write_secret(of_link, "KEN01", secrets.secret_of("KEN01"))
    assert of_link.read_text().startswith(f"{FORMAT} KEN01 ")
    theirs = key_of_year(read_secret(of_link, "KEN01"), "KEN01", 2027)
    assert theirs == secrets.key("KEN01", 2027)
    others = {secrets.key("KEN01", 2028).secret, secrets.key("CHE01", 2027).secret}
    assert theirs.secret not in others | {secrets.own_key("KEN01", 2027).secret}
    assert repr(secrets) == "LinkSecrets()"


def test_the_hubs_own_key_needs_no_file_and_is_the_same_in_every_process(
    either: Database, tmp_path: Path
) -> None:
    """It is made of what the database alone has; a master that comes later does not change it."""
    without = LinkSecrets.open(None, HUB, either)
    assert not without.has_master
    write_secret(tmp_path / "master", HUB, new_secret())
    later = LinkSecrets.open(str(tmp_path / "master"), HUB, either)
    assert without.own_key("KEN01", 2026) == later.own_key("KEN01", 2026)
    assert without.key_for("totals", "KEN01", 2026) == without.own_key("KEN01", 2026)
    with pytest.raises(LinkSecretError, match="reconcile secret new --out FILE"):
        without.key_for("digests", "KEN01", 2026)


def test_a_secret_is_written_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask; what is there stays there."""
    path = tmp_path / "master"
    write_secret(path, HUB, new_secret())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_secret(path, HUB, new_secret())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{FORMAT} CHE01 {'0' * 64}\n", "is the link secret of CHE01, not of XHB01"),
        (f"{FORMAT} XHB01 {'0' * 63}\n", "is no link secret"),
        (f"{FORMAT} XHB01 {'0' * 64}\nmore\n", "is no link secret"),
        ("", "is no link secret"),
        ("\xff\x00", "is no link secret"),
    ],
    ids=["of another", "too short", "two lines", "empty", "no text"],
)
def test_another_file_is_refused_without_repeating_it(tmp_path: Path, text: str, said: str) -> None:
    """The message names the file and the form."""
    path = tmp_path / "secret"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(LinkSecretError, match=said) as refused:
        read_secret(path, HUB)
    assert "0000000" not in str(refused.value)


def test_a_secret_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """As with key files: it is no secret any more."""
    path = tmp_path / "secret"
    write_secret(path, HUB, new_secret())
    path.chmod(0o640)
    with pytest.raises(LinkSecretError, match="chmod 600"):
        read_secret(path, HUB)
    with pytest.raises(LinkSecretError, match="No such file"):
        read_secret(tmp_path / "nowhere", HUB)
