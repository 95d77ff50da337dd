"""`registry init`: a folder with settings, a token and a place for the database.

The key is one that was made before, or a new one in the same folder: ES256 for XML, which nothing
else signs, Ed25519 for JSON.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connectors.party_registry.link_secret import read_link_secret
from hub.protocol.signed_objects import Binding
from keys.algorithms import Algorithm
from keys.errors import KeyFileError
from keys.key_files import write_new_file
from keys.key_uris import FileUri, counted_from, parse_key_uri
from keys.new_keys import NewKey, make_key
from keys.signing import open_signer

__all__ = ["check_keys", "new_key", "write_settings"]

_TEMPLATE: Final = """\
# Settings of the Party registry connector of {participant}. No secret stands here.
participant = "{participant}"
database = "registry.sqlite"
book = {book}
{link_secret}

[hub]
url = "{hub_url}"
key_documents = [{documents}]
binding = "{binding}"

[keys]
uris = [{uris}]

[delivery]
mode = "{mode}"
listen = "{push_listen}"

[api]
listen = "{api_listen}"
token_file = "api-token"

[acceptance]
mode = "{acceptance}"
trusted = []
"""


def write_settings(  # noqa: PLR0913 - each setting is named at the call
    folder: Path,
    *,
    participant: str,
    hub_url: str,
    hub_keys: list[Path],
    key_uris: list[str],
    api_listen: str,
    push_listen: str | None,
    book: bool,
    auto_accept: bool,
    binding: Binding = Binding.JSON,
    link_secret: Path | None = None,
) -> Path:
    """Write settings and a new token into a folder; return the path of the settings.

    Raises:
        KeyFileError: one of the files is there already.
        KeysError: the link's secret cannot be read, or is another link's.
        ValueError: a value would need escaping in TOML.
    """
    quoted = [participant, hub_url, api_listen, *key_uris, *(str(path) for path in hub_keys)]
    quoted += [] if link_secret is None else [str(link_secret)]
    if any(character in text for text in quoted for character in '"\\\n'):
        raise ValueError("a quotation mark, backslash or line feed cannot stand in the settings")
    _refuse_old_settings(folder)
    if not hub_url.startswith(("http://", "https://")):
        raise ValueError(f"--hub-url {hub_url!r} lacks http:// or https://")
    for path in hub_keys:
        if not path.is_file():
            raise ValueError(f"--hub-key {path}: there is no such file")
    if link_secret is not None:
        read_link_secret(link_secret, participant)
    folder.mkdir(parents=True, exist_ok=True)
    text = _TEMPLATE.format(
        participant=participant,
        book="true" if book else "false",
        link_secret='# reconciliation_secret = "link-secret"  # of our link, for comparing books'
        if link_secret is None
        else f'reconciliation_secret = "{link_secret.resolve()}"',
        hub_url=hub_url,
        binding=binding,
        documents=", ".join(f'"{path.resolve()}"' for path in hub_keys),
        uris=", ".join(f'"{counted_from(uri, Path.cwd())}"' for uri in key_uris),
        mode="pull" if push_listen is None else "push",
        push_listen=push_listen or "127.0.0.1:8611",
        api_listen=api_listen,
        acceptance="auto" if auto_accept else "ask",
    )
    path = folder / "registry.toml"
    write_new_file(path, text.encode(), 0o644)
    write_new_file(folder / "api-token", secrets.token_urlsafe(32).encode() + b"\n", 0o600)
    return path


def _refuse_old_settings(folder: Path) -> None:
    settings = folder / "registry.toml"
    if settings.exists():
        raise ValueError(f"{settings} exists: edit it, or remove it to start again")


def check_keys(participant: str, key_uris: list[str], binding: Binding) -> None:
    """See that these keys can sign in the binding; for XML they are opened for it.

    Raises:
        KeysError: a key cannot be opened.
        ValueError: a key file does not exist; or XML, and not one ES256 key.
    """
    if not key_uris:
        raise ValueError("--key names our key, or --new-key-passphrase-env lets one be made")
    for uri in key_uris:
        place = parse_key_uri(uri)
        if isinstance(place, FileUri) and not place.path.is_file():
            raise ValueError(f"--key {uri}: there is no file {place.path.resolve()}")
    if binding is not Binding.XML:
        return
    found = [open_signer(uri, participant=participant).algorithm for uri in key_uris]
    if found != [Algorithm.ES256]:
        raise ValueError(
            f"--binding xml is signed with one ES256 key, not with {', '.join(found)}: give "
            "--new-key-passphrase-env to have one made, or make one with `itmo-hub keys generate "
            "--algorithm ES256`"
        )


def new_key(folder: Path, participant: str, binding: Binding, passphrase_env: str) -> NewKey:
    """Make the key for a binding in the folder of the settings.

    Raises:
        KeysError: the variable holds no passphrase that is long enough, or a file cannot be made.
        ValueError: there are settings already, so the key would not be theirs.
    """
    _refuse_old_settings(folder)
    passphrase = os.environ.get(passphrase_env, "")
    if not passphrase:
        raise KeyFileError(f"the environment variable {passphrase_env} is empty or not set")
    algorithm = Algorithm.ES256 if binding is Binding.XML else Algorithm.ED25519
    return make_key(folder, participant, algorithm, passphrase, datetime.now(UTC))
