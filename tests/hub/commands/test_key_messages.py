"""``itmo-hub keys rotate|revoke``: signed messages to a live hub, from a participant's side."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.hub.commands.runner import done, refused, run
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import seeded_signer


def pem_of(code: str, salt: str = "") -> str:
    """Return a seeded test key as PEM, for an environment variable."""
    key = seeded_signer(code, salt)._key
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


KEYS = {"OLD_KEY": pem_of("THA01"), "NEW_KEY": pem_of("THA01", "new")}


@pytest.fixture(scope="module")
def key_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubUnderTest]:
    """Run a hub whose keys may change."""
    folder: Path = tmp_path_factory.mktemp("keys")
    url = f"sqlite:///{folder}/hub.db"
    register(url)
    hub = HubUnderTest(url, folder).start_now()
    yield hub
    hub.kill_now()


def test_a_key_is_rotated_and_the_old_one_revoked(key_hub: HubUnderTest) -> None:
    """The new key starts when said; the old one revokes itself and then speaks no more."""
    common = ("--hub", key_hub.address, "--participant", "THA01", "--signer", "env:OLD_KEY")
    rotate = ("keys", "rotate", *common, "--new", "env:NEW_KEY")
    outcome = done(*rotate, **KEYS).document
    assert outcome["outcome"] == "accepted"
    assert outcome["result"]["key_id"] == seeded_signer("THA01", "new").key_id
    again = run(*rotate, **KEYS)
    assert (again.status, again.document["name"]) == (1, "KEY_CHANGE_REFUSED")
    old = seeded_signer("THA01").key_id
    revoke = ("keys", "revoke", old, *common, "--reason", "a drill")
    assert done(*revoke, **KEYS).document["result"]["key_id"] == old
    assert "KEY_REVOKED" in refused(*revoke, **KEYS)


def test_what_keeps_a_message_from_the_hub_is_one_line(key_hub: HubUnderTest) -> None:
    """No hub there, a key of nobody, a variable that is not set."""
    old = seeded_signer("CHE01").key_id
    words = ("keys", "revoke", old, "--participant", "CHE01", "--reason", "x", "--hub")
    nobody = ("http://127.0.0.1:1", "--signer", "env:SWISS_KEY")
    assert "cannot be reached" in refused(*words, *nobody, SWISS_KEY=pem_of("CHE01"))
    there = (key_hub.address, "--signer", "env:SWISS_KEY")
    assert "KEY_UNKNOWN" in refused(*words, *there, SWISS_KEY=pem_of("CHE01", "other"))
    assert "UNSET_KEY" in refused(*words, key_hub.address, "--signer", "env:UNSET_KEY")
