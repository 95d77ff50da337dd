"""How things stand with the hub's log, for operators and metrics: one read of everything."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from connectors.session.log import claims, own_entries
from connectors.session.log.findings import Pause, load_pause
from connectors.session.log.heads import load_head
from connectors.session.log.pins import LogPin, load_pin
from connectors.session.log.places import load_place
from connectors.session.log.tables import log_evidence, log_proof

__all__ = ["LogStanding", "list_evidence", "read_standing"]


@dataclass(frozen=True, slots=True)
class LogStanding:
    """What is pinned, believed, proven and audited; sizes are numbers of entries."""

    origin: str | None
    vkeys: tuple[str, ...]
    size: int
    root: str | None  # lower hex
    verified_at: str | None
    cosigned_at: str | None
    claims: dict[str, int]
    proof_count: int
    own_entries: dict[str, int]
    audited_size: int
    audited_at: str | None
    evidence_count: int
    pause: Pause | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def read_standing(connection: Connection) -> LogStanding:
    """Return how things stand."""
    pin = load_pin(connection) or LogPin("", ())
    head = load_head(connection, pin.origin)
    audited, audited_at = load_place(connection, "confirmed")
    proofs = select(func.count()).select_from(log_proof)
    evidence = select(func.count()).select_from(log_evidence)
    return LogStanding(
        origin=pin.origin or None,
        vkeys=pin.vkeys,
        size=0 if head is None else head.size,
        root=None if head is None else head.root.hex(),
        verified_at=None if head is None else head.verified_at,
        cosigned_at=None if head is None else head.cosigned_at,
        claims=claims.count_by_state(connection),
        proof_count=int(connection.execute(proofs).scalar_one()),
        own_entries=own_entries.count_own(connection),
        audited_size=audited.size,
        audited_at=audited_at,
        evidence_count=int(connection.execute(evidence).scalar_one()),
        pause=load_pause(connection),
    )


def list_evidence(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the evidence kept, the newest first; notes and proofs as texts."""
    query = select(log_evidence).order_by(log_evidence.c.evidence_id.desc()).limit(limit)
    return [
        {
            name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            for name, value in row.items()
        }
        for row in connection.execute(query).mappings()
    ]
