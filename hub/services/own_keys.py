"""Which of its own keys the hub signs with: never one that speaks no more.

1. A key speaks no more once it is registered as revoked (whatever this process's clock says), once
   its window has ended, or if the hub's own trust data does not know it as the hub's.
2. A binding is closed while any key that signs it speaks no more: a hybrid's half alone would be a
   weaker signature than the one participants were promised.
3. Whoever would sign in a closed binding gets ``UnavailableError`` before anything is recorded. The
   operator's log says which key it is and what to do, once a minute while somebody asks.

Keys are opened at the start alone, so the remedy ends with a new start (docs/operating.md).
"""

import threading
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from hub.protocol.errors import UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, SigningKeys
from hub.store import reference
from hub.store.head import Head
from keys.public_keys import KeyRecord
from keys.trust import TrustStore

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS: Final = 60
_TOLD_AGAIN_AFTER: Final = timedelta(minutes=1)


def fault_of_key(record: KeyRecord | None, hub: str, at: datetime) -> str | None:
    """Return why a key of the hub's speaks no more at a time, or None if it does.

    ``record`` is what the trust data says of the key, if anything.
    """
    if record is None or record.participant != hub:
        return f"is not registered for {hub}"
    if record.revoked_at is not None:
        return f"was revoked at {record.revoked_at.isoformat()}"
    if record.valid_until is not None and record.valid_until <= at:
        return f"was valid until {record.valid_until.isoformat()}"
    return None


def setting_of(keys: SigningKeys, key_id: str) -> str:
    """Return the setting that names one of the keys; a lone one for both bindings is a signer."""
    return "signers" if key_id in keys.key_ids_of(Binding.JSON) else "xml_signer"


def remedy_for(hub: str, setting: str) -> str:
    """Return how a key that speaks no more is replaced."""
    algorithm = "ES256" if setting == "xml_signer" else "ALGORITHM"
    generate = f"itmo-hub keys generate --participant {hub} --algorithm {algorithm} --out DIR"
    return (
        f"Make another with `{generate}`, register it with "
        f"`itmo-hub participant key-add NAME.proof.jws --reason ...`, name its URI in `{setting}` "
        "in place of this one, and start the hub again"
    )


class OwnKeys:
    """The hub's private keys, and how they stand. Several threads ask."""

    def __init__(self, hub: str, keys: SigningKeys) -> None:
        self.hub = hub
        self.keys = keys
        self._seen: tuple[int, TrustStore] | None = None
        self._told: dict[Binding, datetime] = {}
        self._telling = threading.Lock()

    def trust_as_of(self, connection: Connection, head: Head) -> TrustStore:
        """Return the records of the hub's own keys as of ``head``: read once for each version."""
        seen = self._seen
        if seen is None or seen[0] != head.trust_version:
            records = reference.key_records(connection)
            own = [record for record in records if record.participant == self.hub]
            self._seen = seen = (head.trust_version, TrustStore(own))
        return seen[1]

    def fault(self, trust: TrustStore, binding: Binding, at: datetime) -> tuple[str, str] | None:
        """Return which key closes a binding, and why, or None: a look-up or two and the clock."""
        signers = self.keys.json
        if binding is Binding.XML:
            signers = () if self.keys.xml is None else (self.keys.xml,)
        for signer in signers:
            if (fault := fault_of_key(trust.get(signer.key_id), self.hub, at)) is not None:
                return signer.key_id, fault
        return None

    def is_open(self, trust: TrustStore, binding: Binding, at: datetime) -> bool:
        """Tell whether the hub signs in a binding now; if not, so is the operator told."""
        if (fault := self.fault(trust, binding, at)) is None:
            return True
        with self._telling:
            told = self._told.get(binding)
            if told is not None and told <= at < told + _TOLD_AGAIN_AFTER:
                return False
            self._told[binding] = at
        key_id, why = fault
        setting = setting_of(self.keys, key_id)
        log.error(
            "nothing is signed in this binding: a key of the hub speaks no more",
            binding=str(binding),
            setting=setting,
            detail=f"the key {key_id} {why}",
            remedy=remedy_for(self.hub, setting),
        )
        return False

    def require_open(self, trust: TrustStore, binding: Binding, at: datetime) -> None:
        """Raise UnavailableError while the binding is closed."""
        if not self.is_open(trust, binding, at):
            raise UnavailableError(
                ResponseCode.HUB_UNAVAILABLE,
                f"the hub has no key now that signs {binding.upper()}; its operator was told. "
                "Nothing was recorded",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )

    def usable(self, trust: TrustStore, at: datetime) -> SigningKeys:
        """Return the keys without those of closed bindings."""
        json, xml = (self.fault(trust, one, at) is None for one in (Binding.JSON, Binding.XML))
        if json and xml:
            return self.keys
        return SigningKeys(self.keys.json if json else (), self.keys.xml if xml else None)
