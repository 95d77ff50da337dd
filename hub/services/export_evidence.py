"""Gather the evidence of one transfer: everything the log holds of it, and one tree over all.

1. The proposal and what ended it; the deliveries that told both parties of either; the envelopes
   that acknowledged those deliveries.
2. For every key that signed any of it, the entries that registered or revoked the key, and so on
   for the keys that signed those.
3. One checkpoint that covers all of them, the best there is: of a settlement's quorum, else of the
   prompt quorum, else signed by the log alone where no policy asks for witnesses. A proof each.

What was erased is left out and shown as erased; entries, times and parties stay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from hub.checks.facts import TransferRecord
from hub.evidence import bundles, stories
from hub.evidence.bundles import BundleItem, BundleKey, Evidence
from hub.services.collect_cosignatures import Policies
from hub.services.serve_log import keys_of, with_cosignatures
from hub.store import evidence as stored
from hub.store import log as log_store
from hub.store import log_checkpoints, reference, transfers
from hub.store.database import Database
from hub.store.evidence import LoggedContent
from hub.store.log_checkpoints import StoredCheckpoint
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import inclusion_proof
from keys.public_keys import KeyRecord
from message_schemas import timestamps

_CLOSING_ROLES: Final = {
    "completed": "acceptance",
    "rejected": "rejection",
    "cancelled": "withdrawal",
    "expired": "expiry",
}
_COSIGNED_LOOKED_AT_MAX: Final = 64


class EvidenceError(Exception):
    """There is no such evidence; the message says why and what to do."""


class NotCoveredYetError(EvidenceError):
    """The newest entries of the transfer are in no published tree of the quorum yet."""


class EvidenceDamagedError(EvidenceError):
    """The database lacks what the evidence is made of, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class EvidenceExporter:
    """Gathers evidence from one database's log. ``origin`` is the log's name."""

    database: Database
    hub: str
    origin: str
    policies: Policies

    def export(self, transfer_id: str, now: datetime, *, deliveries: bool = True) -> bytes:
        """Return the bundle of a transfer. Raises EvidenceError, NotCoveredYetError.

        ``deliveries`` False leaves out the deliveries' bytes, which may carry other messages to
        the same registry; their entries and proofs stay.
        """
        with self.database.reading() as connection:
            found = transfers.load(connection, [transfer_id])
            if transfer_id not in found:
                raise EvidenceError(
                    f"there is no transfer {transfer_id}; `itmo-hub transfer list` shows them"
                )
            roles = _roles_of(connection, found[transfer_id])
            contents = {index: _content(connection, index) for index in roles}
            named = _add_keys(connection, self.hub, roles, contents)
            checkpoint, note = self._checkpoint(connection, max(roles))
            evidence = Evidence(
                transfer_id=transfer_id,
                made_at=timestamps.render(now),
                made_by=self.hub,
                log_origin=self.origin,
                checkpoint=note.encode(),
                items=_items(connection, roles, contents, checkpoint, note, deliveries=deliveries),
                keys=_keys(connection, named),
            )
        return bundles.write(evidence, stories.render(evidence))

    def covering(self, connection: Connection, index: int) -> StoredCheckpoint | None:
        """Return the checkpoint by which evidence of an entry would be proved; None: not yet."""
        try:
            return self._checkpoint(connection, index)[0]
        except NotCoveredYetError:
            return None

    def _checkpoint(self, connection: Connection, index: int) -> tuple[StoredCheckpoint, str]:
        """Return the best checkpoint that covers an entry, and its note with all cosignatures."""
        wanted = [one for one in (self.policies.settlement, self.policies.prompt) if one]
        for policy in wanted:
            for one in log_checkpoints.newest_cosigned(connection, index, _COSIGNED_LOOKED_AT_MAX):
                known = log_checkpoints.cosignatures(connection, one.size)
                if policy.is_met_by(keys_of(policy, known)):
                    return one, with_cosignatures(one, known)
        newest = log_checkpoints.newest(connection)
        if newest is None or newest.size <= index or any(map(_asks_for_witnesses, wanted)):
            raise NotCoveredYetError(
                f"no published tree {'of the quorum ' if wanted else ''}covers entry {index} yet: "
                "let the hub run until its witnesses answered, then export again"
            )
        return newest, with_cosignatures(
            newest, log_checkpoints.cosignatures(connection, newest.size)
        )


def _asks_for_witnesses(policy: Policy) -> bool:
    return not policy.is_met_by([])


def _roles_of(connection: Connection, transfer: TransferRecord) -> dict[int, str]:
    """Return what the log holds of a transfer, by index, and why each entry belongs to it."""
    proposed, closed = transfer.proposed_log_index, transfer.closed_log_index
    roles = {proposed: "proposal"}
    if closed is not None and closed != proposed:
        roles[closed] = _CLOSING_ROLES[str(transfer.state)]
    for index, role in list(roles.items()):
        for code in (transfer.initiator, transfer.acquirer):
            made = stored.delivery_of(connection, code, index)
            if made is None:
                continue
            roles.setdefault(made.log_index, f"delivery to {code}: {role}")
            if made.acknowledged_log_index is not None:
                roles.setdefault(made.acknowledged_log_index, f"acknowledgement by {code}")
    return roles


def _content(connection: Connection, index: int) -> LoggedContent:
    found = stored.content_at(connection, index)
    if found is None:
        raise EvidenceDamagedError(f"entry {index} is not in the log: run `itmo-hub log check`")
    return found


def _add_keys(
    connection: Connection, hub: str, roles: dict[int, str], contents: dict[int, LoggedContent]
) -> dict[str, int | None]:
    """Add the entries about every key that signed; return which entry named each key first."""
    hub_keys = [one.key_id for one in reference.key_records(connection) if one.participant == hub]
    waiting = [*hub_keys, *(key for one in contents.values() for key in one.key_ids)]
    named: dict[str, int | None] = {}
    while waiting:
        key_id = waiting.pop()
        if key_id in named:
            continue
        about = sorted(stored.key_entries(connection, key_id))
        named[key_id] = about[0] if about else None
        for index in about:
            if index not in roles:
                roles[index] = f"key of {key_id[:5]}"
                contents[index] = _content(connection, index)
                waiting += contents[index].key_ids
    return named


def _items(
    connection: Connection,
    roles: dict[int, str],
    contents: dict[int, LoggedContent],
    checkpoint: StoredCheckpoint,
    note: str,
    *,
    deliveries: bool,
) -> list[BundleItem]:
    def read(level: int, index: int, width: int) -> bytes:
        return log_store.read_tile(connection, level, index, width)

    items: list[BundleItem] = []
    for index in sorted(roles):
        one = contents[index]
        path = inclusion_proof(index, checkpoint.size, read)
        item = BundleItem(
            index=index,
            kind=one.kind,
            role=roles[index],
            entry=one.entry,
            proof=ProofFile(index, tuple(path), note, one.entry).render().encode(),
            salt=one.salt,
            contents=one.contents,
        )
        left_out = one.kind == "delivery" and not deliveries
        items.append(bundles.erased(item) if left_out else item)
    return items


def _keys(connection: Connection, named: Mapping[str, int | None]) -> list[BundleKey]:
    """Return the keys with their windows as the hub has them now."""
    records = {one.key_id: one for one in reference.key_records(connection)}
    return [_key(records[key_id], named[key_id]) for key_id in sorted(named) if key_id in records]


def _key(record: KeyRecord, registered_at: int | None) -> BundleKey:
    return BundleKey.of(
        record.key_id,
        record.algorithm.value,
        record.public_key_der,
        registered_at=registered_at,
        **_window(record),
    )


def _window(record: KeyRecord) -> dict[str, str | None]:
    times: Iterable[tuple[str, datetime | None]] = (
        ("valid_from", record.valid_from),
        ("valid_until", record.valid_until),
        ("revoked_at", record.revoked_at),
    )
    return {name: None if at is None else timestamps.render(at) for name, at in times}
