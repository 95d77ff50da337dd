"""What the hub tells everybody, without a name or a password; nothing of it is confidential.

Decision 6/CMA.4 (annex I, paragraph 22) asks the international registry for public information that
is not confidential. Each figure here is public already, or says nothing of one registry:

- *participants* (code, Party, kind, name, state): as the hub serves them to anybody at
  ``/v1/participants``, who must know whose keys to believe. Not when one was last seen, nor how
  its books compare: that is between it and the secretariat.
- *entries of the log* and *transfers completed*: the log is public, and its entries name kind,
  time, sender and recipient; a count tells less. Transfers that failed are nobody's business.
- *units by status*: sums over all registries. A status in which fewer than ``HOLDERS_MIN``
  registries have units is left out, and the sum of all with it: two of three holders could else
  compute what the third has.
- *checkpoints, witnesses, keys, rulebook*: made to be seen and kept by everybody; a log that shows
  itself to some only could show each of them something else.

Holdings, accounts, cases, findings, frozen units, queues and people are not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, Final

from hub.services.console.ground import Ground
from hub.services.console.ledger.ledger_desk import BlockFilter, LedgerDesk
from hub.services.console.log.log_desk import CheckpointLine, LogDesk
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.services.publications import rulebook_document
from hub.store import reference
from keys import base64url
from keys.key_ids import fingerprint
from message_schemas import timestamps

FORMAT: Final = "itmo-hub-public/1"
KEPT_FOR: Final = timedelta(seconds=30)
"""However many ask, the database is asked so often."""
CHECKPOINTS_SHOWN: Final = 10
HOLDERS_MIN: Final = 3
COMPLETED: Final = "completed"


@dataclass(frozen=True, slots=True)
class PublicParticipant:
    """A participant as everybody may know it."""

    code: str
    party: str
    kind: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of the hub's own; ``public_key`` is DER in base64url."""

    key_id: str
    algorithm: str
    fingerprint: str
    public_key: str
    valid_from: datetime
    valid_until: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnitSum:
    """Units of a status over all registries; None where too few registries have any."""

    status: str
    units: int | None


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """All that is told, as of ``at``. ``units`` is None while they are counted."""

    at: datetime
    hub: str
    origin: str
    participants: tuple[PublicParticipant, ...]
    entries: int
    transfers_completed: int
    units: tuple[UnitSum, ...] | None
    checkpoints: tuple[CheckpointLine, ...]
    checkpoint: str | None
    log_keys: tuple[str, ...]
    witness_keys: tuple[str, ...]
    hub_keys: tuple[PublicKey, ...]
    rulebook: dict[str, Any]


class PublicDesk:
    """Tells what is public. Asked by anybody, it looks at the database now and then only."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._lock = Lock()
        self._kept: PublicFacts | None = None
        self._units: tuple[date, tuple[UnitSum, ...]] | None = None

    def facts(self, tonight: TonightDesk, ledger: LedgerDesk, log: LogDesk) -> PublicFacts:
        """Return what is public, some seconds old at most; the other desks count it."""
        now = self._ground.clock()
        with self._lock:
            if self._kept is None or not timedelta() <= now - self._kept.at < KEPT_FOR:
                self._kept = self._made(tonight, ledger, log, now)
            return self._kept

    def _units_of_day(self, ledger: LedgerDesk, now: datetime) -> tuple[UnitSum, ...] | None:
        """Return units by status as they were counted first today (UTC).

        The log tells the world when who sent what sort of message to whom: two totals, one before a
        message and one after it, would tell how many units it was about.
        """
        if self._units is None or self._units[0] != now.date():
            made = _units(ledger)
            if made is None:
                return None
            self._units = now.date(), made
        return self._units[1]

    def _made(
        self, tonight: TonightDesk, ledger: LedgerDesk, log: LogDesk, now: datetime
    ) -> PublicFacts:
        hub = self._ground.identity.hub
        page = log.page()
        with self._ground.database.reading() as connection:
            rows = reference.participants(connection)
            records = reference.key_records(connection)
        return PublicFacts(
            at=now,
            hub=hub,
            origin=page.origin,
            participants=tuple(
                PublicParticipant(row.code, row.party, row.kind, row.name, row.state)
                for row in rows
            ),
            entries=page.size,
            transfers_completed=tonight.states().get(COMPLETED, 0),
            units=self._units_of_day(ledger, now),
            checkpoints=page.checkpoints[:CHECKPOINTS_SHOWN],
            checkpoint=None if page.newest is None else log.checkpoint(),
            log_keys=page.vkeys,
            witness_keys=tuple(log.witness_vkeys()),
            hub_keys=tuple(
                PublicKey(
                    one.key_id,
                    str(one.algorithm.value),
                    fingerprint(one.public_key_der),
                    base64url.encode(one.public_key_der),
                    one.valid_from,
                    one.valid_until,
                    one.revoked_at,
                )
                for one in records
                if one.participant == hub
            ),
            rulebook=rulebook_document(),
        )


def _units(ledger: LedgerDesk) -> tuple[UnitSum, ...] | None:
    """Return units by status, without those of few holders; None while they are counted."""
    view = ledger.sums(("registry", "status"), BlockFilter())
    if view is None:
        return None
    columns = view.pivot.columns
    holders = [
        sum(row.cells[place] > 0 for row in view.pivot.rows) for place in range(len(columns))
    ]
    return tuple(
        UnitSum(status, total if count >= HOLDERS_MIN else None)
        for status, total, count in zip(columns, view.pivot.totals, holders, strict=True)
    )


def document(facts: PublicFacts) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "format": FORMAT,
        "at": timestamps.render(facts.at),
        "hub": facts.hub,
        "participants": [
            {
                "code": one.code,
                "party": one.party,
                "kind": one.kind,
                "name": one.name,
                "state": one.state,
            }
            for one in facts.participants
        ],
        "counts": {
            "log_entries": facts.entries,
            "transfers_completed": facts.transfers_completed,
            "units_by_status": None
            if facts.units is None
            else {one.status: one.units for one in facts.units},
            "units_left_out_below_holders": HOLDERS_MIN,
        },
        "log": {
            "origin": facts.origin,
            "keys": list(facts.log_keys),
            "witness_keys": list(facts.witness_keys),
            "checkpoint": facts.checkpoint,
            "checkpoints": [_checkpoint(one) for one in facts.checkpoints],
        },
        "hub_keys": [
            {
                "key_id": one.key_id,
                "algorithm": one.algorithm,
                "public_key": one.public_key,
                "valid_from": timestamps.render(one.valid_from),
                "valid_until": _rendered(one.valid_until),
                "revoked_at": _rendered(one.revoked_at),
            }
            for one in facts.hub_keys
        ],
        "rulebook": facts.rulebook,
    }


def _checkpoint(one: CheckpointLine) -> dict[str, Any]:
    return {
        "size": one.size,
        "root": one.root,
        "at": timestamps.render(one.at),
        "settlement": one.settlement,
        "witnesses": _names(one),
    }


def _names(one: CheckpointLine) -> Sequence[str]:
    return list(dict.fromkeys(said.witness for said in one.said))


def _rendered(at: datetime | None) -> str | None:
    return None if at is None else timestamps.render(at)
