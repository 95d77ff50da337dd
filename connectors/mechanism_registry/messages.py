"""From a line of the feed to the message that tells the hub of it. PURE.

An issuance line becomes an ``a64.issuance_notice``, a block line an ``a64.first_transfer`` with
that one block. Natural ids come from the feed, so that the same line always makes the same body.
"""

from typing import Final, Literal, cast

from connectors.mechanism_registry.feed_rows import IssuanceLine, Row, UnitBlockLine
from connectors.mechanism_registry.problems import Problem
from hub.protocol.response_codes import ResponseCode
from message_schemas.blocks import Block, UnderlyingUnit
from message_schemas.json_codec import encode_body
from message_schemas.messages.article64 import A64FirstTransfer, A64IssuanceNotice
from message_schemas.validation import schema_errors

ISSUANCE_NOTICE: Final = "a64.issuance_notice"
FIRST_TRANSFER: Final = "a64.first_transfer"
VERSION: Final = 1

StatusName = Literal["authorized", "contribution"]
ExemptionName = Literal["LDC", "SIDS"]
Body = A64IssuanceNotice | A64FirstTransfer


def message_of(row: Row, registry: str) -> tuple[str, Body]:
    """Return type and body of a line's message; ``registry`` is the originating registry."""
    if isinstance(row, IssuanceLine):
        return ISSUANCE_NOTICE, _notice(row)
    return FIRST_TRANSFER, _first_transfer(row, registry)


def _notice(row: IssuanceLine) -> A64IssuanceNotice:
    return A64IssuanceNotice(
        issuance_id=row.issuance_id,
        activity_id=row.activity_id,
        host_party=row.host_party,
        cooperative_approach=row.cooperative_approach,
        vintage=row.vintage,
        issued_quantity=row.issued_quantity,
        authorized_quantity=row.authorized_quantity,
        sop_quantity=row.sop_quantity,
        sop_exempt=row.sop_exempt,
        sop_exemption=cast("ExemptionName | None", row.sop_exemption),
        omge_quantity=row.omge_quantity,
        issued_at=row.issued_at,
    )


def _first_transfer(row: UnitBlockLine, registry: str) -> A64FirstTransfer:
    return A64FirstTransfer(
        first_transfer_id=row.first_transfer_id,
        kind=row.kind.value,
        issuance_id=row.issuance_id,
        activity_id=row.activity_id,
        cooperative_approach=row.cooperative_approach,
        acquiring_account=row.acquiring_account,
        authorization_status=cast("StatusName", row.authorization_status),
        quantity=row.quantity,
        blocks=(_block(row, registry),),
    )


def _block(row: UnitBlockLine, registry: str) -> Block:
    underlying = None
    if row.underlying_registry and row.underlying_first_unit_id and row.underlying_last_unit_id:
        underlying = UnderlyingUnit(
            registry=row.underlying_registry,
            first_unit_id=row.underlying_first_unit_id,
            last_unit_id=row.underlying_last_unit_id,
        )
    return Block(
        cooperative_approach=row.cooperative_approach,
        originating_registry=registry,
        first_transferring_party=row.host_party,
        vintage=row.vintage,
        first_serial=row.first_serial,
        last_serial=row.last_serial,
        quantity=row.quantity,
        metric=row.metric,
        mitigation_type=row.mitigation_type,
        authorization_id=row.authorization_id,
        authorization_version=row.authorization_version,
        sector=row.sector,
        activity_type=row.activity_type,
        gwp_values=row.gwp_values,
        underlying_unit=underlying,
    )


def body_problems(row: Row, registry: str) -> tuple[Problem, ...]:
    """Return what the message schema refuses in a line's message; empty for a valid one."""
    type_, body = message_of(row, registry)
    return tuple(
        Problem(ResponseCode.SCHEMA_VIOLATED, f"{error.path}: {error.text}")
        for error in schema_errors(type_, VERSION, encode_body(body))
    )
