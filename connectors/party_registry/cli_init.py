"""`registry init`: a folder with settings, a token and a place for the database."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from keys.key_files import write_new_file
from keys.key_uris import counted_from

__all__ = ["write_settings"]

_TEMPLATE: Final = """\
# Settings of the Party registry connector of {participant}. No secret stands here.
participant = "{participant}"
database = "registry.sqlite"
book = {book}

[hub]
url = "{hub_url}"
key_documents = [{documents}]

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
) -> Path:
    """Write settings and a new token into a folder; return the path of the settings.

    Raises:
        KeyFileError: one of the files is there already.
        ValueError: a value would need escaping in TOML.
    """
    quoted = [participant, hub_url, api_listen, *key_uris, *(str(path) for path in hub_keys)]
    if any(character in text for text in quoted for character in '"\\\n'):
        raise ValueError("a quotation mark, backslash or line feed cannot stand in the settings")
    settings = folder / "registry.toml"
    if settings.exists():
        raise ValueError(f"{settings} exists: edit it, or remove it to start again")
    if not hub_url.startswith(("http://", "https://")):
        raise ValueError(f"--hub-url {hub_url!r} lacks http:// or https://")
    for path in hub_keys:
        if not path.is_file():
            raise ValueError(f"--hub-key {path}: there is no such file")
    folder.mkdir(parents=True, exist_ok=True)
    text = _TEMPLATE.format(
        participant=participant,
        book="true" if book else "false",
        hub_url=hub_url,
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
