"""Which public keys of the log are known at the console, which has none of its private ones.

1. Those that the witnesses' policies name, and the hub's own registered Ed25519 keys: the log is
   signed with one of them unless the operator gave it a key of its own.
2. A key of its own (``log_signer``) is registered nowhere: ``console.log_keys`` names its vkey, as
   `itmo-hub log vkey` prints it.
"""

from sqlalchemy import Connection

from hub.services.console.ground import Ground
from hub.services.start_errors import StartError
from hub.store import reference
from hub.transparency_log.checkpoints import LOG_KEY_TYPES
from hub.transparency_log.notes import NoteError, SignatureType, VerifierKey
from keys.algorithms import Algorithm


def known_log_keys(connection: Connection, ground: Ground) -> list[VerifierKey]:
    """Return the public keys that may have signed checkpoints of this log, each once."""
    policies = (ground.policies.prompt, ground.policies.settlement)
    named = [key for policy in policies if policy is not None for key in policy.log_keys]
    found = [key for key in named if key.type in LOG_KEY_TYPES]
    found += named_log_keys(ground.console.log_keys)
    for record in reference.key_records(connection):
        if record.participant == ground.identity.hub and record.algorithm is Algorithm.ED25519:
            try:
                # The last 32 bytes of such a key in DER are the key.
                raw = record.public_key_der[-32:]
                found.append(VerifierKey(ground.origin, SignatureType.ED25519, raw))
            except NoteError:
                continue
    return [key for key in dict.fromkeys(found) if key.name == ground.origin]


def named_log_keys(vkeys: tuple[str, ...]) -> list[VerifierKey]:
    """Return the keys that the settings name. Raises StartError for a text that is no vkey."""
    try:
        return [VerifierKey.parse(one) for one in vkeys]
    except NoteError as error:
        raise StartError(f"console.log_keys: {error}; `itmo-hub log vkey` prints it") from error
