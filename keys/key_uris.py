"""Key URIs: where a private key is, in one line that holds no secret.

    file:/etc/itmo/hub.key?passphrase-env=NAME | passphrase-file=/path | unencrypted=yes
    env:NAME[?passphrase-env=OTHER]
    pkcs11:token=hub;object=signing?module-path=/usr/lib/x.so&pin-source=file:/path | env:NAME

The last is RFC 7512. `pin-value` is refused: a command line and a log are read by many.
A name that is not known is refused too, so that a mistyped option cannot be overlooked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from keys.errors import SignerError

__all__ = ["EnvUri", "FileUri", "KeyUri", "Pkcs11Uri", "counted_from", "file_uri", "parse_key_uri"]

_PKCS11_PATH: Final = frozenset({"token", "serial", "object", "id", "type"})
_PKCS11_QUERY: Final = frozenset({"module-path", "pin-source"})


def counted_from(uri: str, folder: Path) -> str:
    """Return a key URI whose file name, if it is a relative one, counts from the folder."""
    if not uri.startswith("file:") or uri.startswith("file:/"):
        return uri
    path, mark, rest = uri.removeprefix("file:").partition("?")
    return f"file:{folder.resolve() / path}{mark}{rest}"


@dataclass(frozen=True, slots=True)
class FileUri:
    """A key file, and where its passphrase comes from (at most one source)."""

    path: Path
    passphrase_env: str | None = None
    passphrase_file: Path | None = None
    unencrypted: bool = False


@dataclass(frozen=True, slots=True)
class EnvUri:
    """An environment variable with a key, and one with its passphrase if it is encrypted."""

    name: str
    passphrase_env: str | None = None


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """A key in a PKCS#11 token: how to find token and object, the module, and the PIN's source.

    `pin_env` and `pin_file` exclude each other; with neither, the token is used without a login.
    """

    token: str | None
    serial: str | None
    object_label: str | None
    object_id: bytes | None
    module_path: Path
    pin_env: str | None = None
    pin_file: Path | None = None


KeyUri = FileUri | EnvUri | Pkcs11Uri


def parse_key_uri(uri: str) -> KeyUri:
    """Read a key URI.

    Raises:
        SignerError: unknown scheme or option, or a part missing; the URI is not repeated whole.
    """
    scheme, colon, rest = uri.partition(":")
    readers: dict[str, Callable[[str, str], KeyUri]]
    readers = {"file": _file, "env": _env, "pkcs11": _pkcs11}
    if not colon or scheme not in readers:
        raise SignerError("a key URI begins with file:, env: or pkcs11:")
    path, _, query = rest.partition("?")
    return readers[scheme](path, query)


def file_uri(path: Path, passphrase_env: str | None = None) -> str:
    """Return the URI of a key file, with its passphrase's variable if that is known."""
    option = "" if passphrase_env is None else f"?passphrase-env={quote(passphrase_env)}"
    return f"file:{quote(str(path))}{option}"


def _file(path: str, query: str) -> FileUri:
    options = _options(query, "&", {"passphrase-env", "passphrase-file", "unencrypted"})
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host not in {"", "localhost"}:
            raise SignerError(f"file: names a path on this machine, not on {host[:64]!r}")
        path = slash + path
    if not path:
        raise SignerError("file: without a path")
    if len(options) > 1:
        raise SignerError("file: takes one of passphrase-env, passphrase-file and unencrypted")
    if options.get("unencrypted", "yes") != "yes":
        raise SignerError("unencrypted=yes is the only value of unencrypted")
    secret_file = options.get("passphrase-file")
    return FileUri(
        Path(unquote(path)),
        options.get("passphrase-env"),
        None if secret_file is None else Path(secret_file),
        "unencrypted" in options,
    )


def _env(path: str, query: str) -> EnvUri:
    options = _options(query, "&", {"passphrase-env"})
    name = unquote(path)
    if not name or "=" in name or "/" in name:
        raise SignerError("env: names one environment variable, such as env:HUB_KEY")
    return EnvUri(name, options.get("passphrase-env"))


def _pkcs11(path: str, query: str) -> Pkcs11Uri:
    if "pin-value=" in query:
        raise SignerError("pin-value shows the PIN to everyone; use pin-source=file:/path")
    attributes = _options(path, ";", _PKCS11_PATH)
    options = _options(query, "&", _PKCS11_QUERY)
    if "module-path" not in options:
        raise SignerError("pkcs11: needs ?module-path=/path/of/the/module.so")
    if attributes.get("type", "private") != "private":
        raise SignerError("pkcs11: only type=private can sign")
    if not attributes.keys() & {"token", "serial"}:
        raise SignerError("pkcs11: name the token by token= or serial=")
    if not attributes.keys() & {"object", "id"}:
        raise SignerError("pkcs11: name the key by object= or id=")
    pin_env, pin_file = _pin_source(options.get("pin-source"))
    return Pkcs11Uri(
        attributes.get("token"),
        attributes.get("serial"),
        attributes.get("object"),
        _id_bytes(path) if "id" in attributes else None,
        Path(options["module-path"]),
        pin_env,
        pin_file,
    )


def _id_bytes(path: str) -> bytes:
    # An id is bytes, often not UTF-8, so it is taken from the text before it was decoded.
    value = next(part for part in path.split(";") if part.startswith("id="))
    return unquote_to_bytes(value.removeprefix("id="))


def _pin_source(source: str | None) -> tuple[str | None, Path | None]:
    if source is None:
        return None, None
    if source.startswith("env:"):
        return source.removeprefix("env:"), None
    if source.startswith("|"):
        raise SignerError("pin-source does not run commands; use file:/path or env:NAME")
    return None, Path(source.removeprefix("file:"))


def _options(text: str, separator: str, known: set[str] | frozenset[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name not in known:
            raise SignerError(f"{name[:40]!r} is not one of {', '.join(sorted(known))}")
        if not equals or not value or name in options:
            raise SignerError(f"{name} has no value, or occurs twice")
        options[name] = unquote(value)
    return options
