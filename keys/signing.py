"""Opens a signer by URI: the one door through which a private key enters a process.

1. Read the URI; it says where the key is and where its passphrase or PIN comes from.
2. Fetch the secret from there and nowhere else; ask the caller's `passphrase` if the URI names
   no source.
3. Hand back a signer for the participant (or the key id) that the caller expects: a key that is
   another's is refused here, before it signs anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial

from keys.errors import SignerError
from keys.key_files import is_encrypted, parse_private_key, read_secret_file
from keys.key_ids import is_key_id, participant_of
from keys.key_uris import EnvUri, FileUri, Pkcs11Uri, parse_key_uri
from keys.local_signer import LocalSigner
from keys.signer import Signer

__all__ = ["open_signer"]


def open_signer(
    uri: str,
    *,
    participant: str | None = None,
    key_id: str | None = None,
    passphrase: Callable[[], str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Signer:
    """Open the signer of a key URI (`keys.key_uris` has the forms) for a participant.

    Give `participant`, `key_id`, or both. `passphrase` is asked once, only for an encrypted key
    whose URI names no source; `environment` stands for the process's own.

    Raises:
        SignerError: the URI, the secret, the file or the token cannot be used; or the key is not
            the one of `key_id`.
        MalformedKeyError: the participant code is malformed, or the key a weak one.
    """
    owner = _owner(participant, key_id)
    variables = os.environ if environment is None else environment
    parsed = parse_key_uri(uri)
    signer: Signer
    if isinstance(parsed, FileUri):
        signer = _open_file(parsed, owner, passphrase, variables)
    elif isinstance(parsed, EnvUri):
        signer = _open_variable(parsed, owner, passphrase, variables)
    else:
        signer = _open_token(parsed, owner, variables)
    if key_id is not None and signer.key_id != key_id:
        raise SignerError(f"the URI leads to the key {signer.key_id}, not to {key_id}")
    return signer


def _owner(participant: str | None, key_id: str | None) -> str:
    if key_id is None:
        if participant is None:
            raise SignerError("say whose key it is: a participant or a key id")
        return participant
    if not is_key_id(key_id):
        raise SignerError(f"{key_id[:64]!r} is not a key id")
    if participant not in {None, participant_of(key_id)}:
        raise SignerError(f"the key {key_id} is not of {participant}")
    return participant_of(key_id)


def _open_file(
    uri: FileUri,
    participant: str,
    passphrase: Callable[[], str] | None,
    variables: Mapping[str, str],
) -> Signer:
    text = read_secret_file(uri.path)
    if not is_encrypted(text):
        if not uri.unencrypted:
            detail = f"{uri.path} is not an encrypted PKCS#8 key; encrypt it, or accept the risk"
            raise SignerError(f"{detail} with ?unencrypted=yes")
        return LocalSigner(parse_private_key(text, None, str(uri.path)), participant)
    if uri.passphrase_file is not None:
        secret = _first_line(read_secret_file(uri.passphrase_file))
    else:
        secret = _secret(uri.passphrase_env, passphrase, variables)
    return LocalSigner(parse_private_key(text, secret, str(uri.path)), participant)


def _open_variable(
    uri: EnvUri,
    participant: str,
    passphrase: Callable[[], str] | None,
    variables: Mapping[str, str],
) -> Signer:
    text = _variable(uri.name, variables).encode("utf-8")
    needs_secret = is_encrypted(text) or uri.passphrase_env is not None
    secret = _secret(uri.passphrase_env, passphrase, variables) if needs_secret else None
    return LocalSigner(parse_private_key(text, secret, f"env:{uri.name}"), participant)


def _open_token(uri: Pkcs11Uri, participant: str, variables: Mapping[str, str]) -> Signer:
    # Loaded here: a process that keeps its keys in files needs no PKCS#11 at all.
    from keys.hsm import HsmSigner

    if not uri.module_path.is_absolute() or not uri.module_path.is_file():
        raise SignerError(f"module-path {uri.module_path} is not the absolute path of a file")
    return HsmSigner(uri, participant, _pin_source(uri, variables))


def _pin_source(uri: Pkcs11Uri, variables: Mapping[str, str]) -> Callable[[], str] | None:
    """Return what fetches the PIN anew at each login, so that no signer has to keep it."""
    pin_file = uri.pin_file
    if uri.pin_env is not None:
        return partial(_variable, uri.pin_env, variables)
    if pin_file is not None:
        return lambda: _first_line(read_secret_file(pin_file))
    return None


def _secret(
    variable: str | None, passphrase: Callable[[], str] | None, variables: Mapping[str, str]
) -> str:
    if variable is not None:
        return _variable(variable, variables)
    if passphrase is None:
        raise SignerError("the key is encrypted; name its passphrase with ?passphrase-env=NAME")
    return passphrase()


def _variable(name: str, variables: Mapping[str, str]) -> str:
    value = variables.get(name, "")
    if not value:
        raise SignerError(f"the environment variable {name} is empty or not set")
    return value


def _first_line(content: bytes) -> str:
    try:
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SignerError("the passphrase or PIN file is not UTF-8") from None
