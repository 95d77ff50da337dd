"""Which event is the first transfer of units of this registry (2/CMA.3 annex para 2).

Authorized for an NDC, it is the first international transfer. Authorized for other international
mitigation purposes alone it is what the Party specified: authorization or issuance, and then the
units are first transferred before they move; or use or cancellation, and then they move without.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, select

from connectors.party_registry.book_tables import authorization_record
from connectors.party_registry.units import HeldBlock
from message_schemas.json_codec import decode_body
from message_schemas.messages.records import AuthorizationRecord

__all__ = ["action_of", "early_event"]

# Authorized for one of these, a mitigation outcome may be first transferred before it moves
# (2/CMA.3 annex para 2(b)); for an NDC alone it is not.
_OTHER_PURPOSES: Final = ("OIMP", "IMP", "OP")
_EARLY_DEFINITIONS: Final = frozenset({"authorization", "issuance"})


def early_event(record: AuthorizationRecord) -> str | None:
    """Return the event by which units are first transferred before they move, if there is one."""
    definition = record.first_transfer_definition
    if definition in _EARLY_DEFINITIONS and _includes_other(record):
        return definition
    return None


def _includes_other(record: AuthorizationRecord) -> bool:
    return any(word in _OTHER_PURPOSES for word in record.purposes.split())


def action_of(
    connection: Connection, block: HeldBlock, sender: str, recipient: str
) -> Literal["first_transfer", "transfer"]:
    """Return how a transfer of these units is to be called (a unit is first transferred once)."""
    party = block.series.first_transferring_party
    if block.first_transfer is not None or party == recipient[:3]:
        return "transfer"
    record = _latest(connection, block)
    if record is not None:
        moves_freely = "NDC" not in record.purposes.split() and record.first_transfer_definition
        return "transfer" if moves_freely else "first_transfer"
    # What left its Party and is not first transferred yet will be by its use or cancellation.
    return "first_transfer" if party == sender[:3] else "transfer"


def _latest(connection: Connection, block: HeldBlock) -> AuthorizationRecord | None:
    attributes = msgspec.json.decode(block.attributes)
    row = connection.execute(
        select(authorization_record.c.body)
        .where(
            authorization_record.c.authorization_id == attributes.get("authorization_id"),
            authorization_record.c.state != "refused",
        )
        .order_by(authorization_record.c.version.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    record: AuthorizationRecord = decode_body(
        "authorization.record", 1, msgspec.json.decode(row[0])
    )
    return record
