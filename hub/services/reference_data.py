"""Participants, keys, records, suspensions and frozen serials in memory; when to load them again.

A snapshot is immutable and carries the two versions of the head it was read at. A service that
finds another version in the head it has just locked loads a new snapshot in its own transaction;
so a revocation or suspension takes effect with the next commit, in every hub process.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from hub.checks.facts import Participant
from hub.checks.frozen import FrozenSerials
from hub.international_registry.accounts import Account
from hub.international_registry.authorizations import (
    Authorization,
    AuthorizedEntity,
    CooperativeApproach,
)
from hub.services import record_bodies
from hub.store import administrators, reference
from hub.store.head import Head
from hub.store.reconciliation import cases
from hub.store.reference import ParticipantRow, RecordRow
from keys.public_keys import KeyRecord
from keys.trust import TrustStore


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """All cached reference data as of one pair of versions.

    ``administrators_keys`` sign acts and no message: they are not in ``trust``. ``frozen`` are the
    serials of open reconciliation cases.
    """

    trust_version: int
    reference_version: int
    trust: TrustStore
    rows: Mapping[str, ParticipantRow]
    participants: Mapping[str, Participant]
    suspensions: Mapping[tuple[str, str], str]
    approaches: Mapping[str, CooperativeApproach]
    authorizations: Mapping[tuple[str, str], Authorization]
    authorization_versions: Mapping[tuple[str, str, int], Authorization]
    entities: Mapping[tuple[str, str], AuthorizedEntity]
    accounts: Mapping[tuple[str, str], Account]
    records: Mapping[tuple[str, str, str, int], RecordRow]
    administrators_keys: tuple[KeyRecord, ...]
    frozen: FrozenSerials

    def is_current(self, head: Head) -> bool:
        """Tell whether nothing changed since the snapshot."""
        return (self.trust_version, self.reference_version) == (
            head.trust_version,
            head.reference_version,
        )

    def is_newer_than(self, other: "ReferenceData") -> bool:
        """Tell whether this snapshot was read after ``other``; versions only ever rise."""
        return (self.trust_version + self.reference_version) > (
            other.trust_version + other.reference_version
        )

    def active_participants(self) -> list[str]:
        """Return the codes of the registries that are active."""
        return [
            code
            for code, known in self.participants.items()
            if known.state == "active" and known.kind in ("party_registry", "mechanism_registry")
        ]

    def registries_of(self, party: str) -> list[str]:
        """Return the codes of a Party's own registries."""
        return [
            code
            for code, known in self.participants.items()
            if known.party == party and known.kind == "party_registry"
        ]


def load(connection: Connection, head: Head) -> ReferenceData:
    """Read everything, as of ``head``."""
    rows = {row.code: row for row in reference.participants(connection)}
    records = reference.records(connection)
    approaches, authorizations, versions, entities = _typed_records(records)
    return ReferenceData(
        trust_version=head.trust_version,
        reference_version=head.reference_version,
        trust=TrustStore(
            reference.key_records(connection),
            {row.code: frozenset(row.suites) for row in rows.values() if row.suites},
        ),
        rows=rows,
        participants={
            row.code: Participant(code=row.code, party=row.party, kind=row.kind, state=row.state)
            for row in rows.values()
        },
        suspensions={
            (row.level, row.subject): row.reason for row in reference.suspensions(connection)
        },
        approaches=approaches,
        authorizations=authorizations,
        authorization_versions=versions,
        entities=entities,
        accounts={(row.registry, row.account_id): row for row in reference.accounts(connection)},
        records={(row.kind, row.owner, row.record_id, row.version): row for row in records},
        administrators_keys=tuple(
            KeyRecord.of(row.key, row.added_at) for row in administrators.every(connection)
        ),
        frozen=cases.frozen(connection),
    )


def _typed_records(
    records: list[RecordRow],
) -> tuple[
    dict[str, CooperativeApproach],
    dict[tuple[str, str], Authorization],
    dict[tuple[str, str, int], Authorization],
    dict[tuple[str, str], AuthorizedEntity],
]:
    """Return the domain's view of all record versions; the latest of each wins."""
    approaches: dict[str, CooperativeApproach] = {}
    authorizations: dict[tuple[str, str], Authorization] = {}
    versions: dict[tuple[str, str, int], Authorization] = {}
    entities: dict[tuple[str, str], AuthorizedEntity] = {}
    for row in records:  # oldest version first
        body = record_bodies.decode(row.kind, msgspec.json.decode(row.body))
        if isinstance(body, CooperativeApproach):
            approaches[body.cooperative_approach] = body
        elif isinstance(body, Authorization):
            key = (body.authorizing_party, body.authorization_id)
            authorizations[key] = versions[(*key, body.version)] = body
        else:
            entities[body.cooperative_approach, body.entity_id] = body
    return approaches, authorizations, versions, entities
