"""From a line of the feed to the message that tells the hub of it. PURE.

An issuance line becomes an ``a64.issuance_notice``, an authorized block an ``a64.first_transfer``
with that one block, a later authorization an ``a64.authorization_change``, and what ends in the
mechanism registry an ``action.use`` or ``action.cancellation``. Contribution units become nothing.
Natural ids come from the feed, so that the same line always makes the same body.
"""

from typing import Final, Literal, cast

from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.feeds.rows import (
    AuthorizationChangeLine,
    CancellationLine,
    ContributionLine,
    EndedUnits,
    IssuanceLine,
    RetirementLine,
    Row,
    Span,
    UnitBlockLine,
)
from hub.protocol.response_codes import ResponseCode
from message_schemas.blocks import Block, UnderlyingUnit
from message_schemas.json_codec import encode_body
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.article64 import (
    A64AuthorizationChange,
    A64FirstTransfer,
    A64IssuanceNotice,
    AdjustedShare,
)
from message_schemas.validation import schema_errors

ISSUANCE_NOTICE: Final = "a64.issuance_notice"
FIRST_TRANSFER: Final = "a64.first_transfer"
AUTHORIZATION_CHANGE: Final = "a64.authorization_change"
USE: Final = "action.use"
CANCELLATION: Final = "action.cancellation"
VERSION: Final = 1

KindName = Literal["forwarding", "sop_adaptation", "omge"]
ShareName = Literal["sop_adaptation", "omge"]
StatusName = Literal["authorized", "contribution"]
ExemptionName = Literal["LDC", "SIDS"]
Body = (
    A64IssuanceNotice | A64FirstTransfer | A64AuthorizationChange | ActionUse | ActionCancellation
)


def message_of(row: Row, registry: str) -> tuple[str, Body] | None:
    """Return type and body of a line's message; ``registry`` is the originating registry.

    None for contribution units: they are kept back.
    """
    if isinstance(row, UnitBlockLine):
        return FIRST_TRANSFER, _first_transfer(row, registry)
    if isinstance(row, IssuanceLine):
        return ISSUANCE_NOTICE, _notice(row)
    if isinstance(row, ContributionLine):
        return None
    if isinstance(row, AuthorizationChangeLine):
        return AUTHORIZATION_CHANGE, _change(row, registry)
    if isinstance(row, RetirementLine):
        return USE, _use(row, registry)
    return CANCELLATION, _cancellation(row, registry)


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
        sop_exemption_waived=row.sop_exemption_waived,
        sop_contribution_quantity=row.sop_contribution_quantity,
        omge_contribution_quantity=row.omge_contribution_quantity,
    )


def _first_transfer(row: UnitBlockLine, registry: str) -> A64FirstTransfer:
    return A64FirstTransfer(
        first_transfer_id=row.first_transfer_id,
        kind=cast("KindName", row.kind.value),
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
    return _units(row, (row.first_serial, row.last_serial), registry, underlying)


def _units(
    row: UnitBlockLine | AuthorizationChangeLine | EndedUnits,
    span: Span,
    registry: str,
    underlying: UnderlyingUnit | None = None,
) -> Block:
    first, last = span
    return Block(
        cooperative_approach=row.cooperative_approach,
        originating_registry=registry,
        first_transferring_party=row.host_party,
        vintage=row.vintage,
        first_serial=first,
        last_serial=last,
        quantity=last - first + 1,
        metric=row.metric,
        mitigation_type=row.mitigation_type,
        authorization_id=row.authorization_id,
        authorization_version=row.authorization_version,
        sector=row.sector,
        activity_type=row.activity_type,
        gwp_values=row.gwp_values,
        underlying_unit=underlying,
    )


def _change(row: AuthorizationChangeLine, registry: str) -> A64AuthorizationChange:
    shares = tuple(
        AdjustedShare(
            kind=cast("ShareName", kind),
            account=account,
            ranges=(_units(row, span, registry).range,),
        )
        for kind, account, span in (
            ("sop_adaptation", row.sop_account, row.sop),
            ("omge", row.omge_account, row.omge),
        )
        if account is not None and span is not None
    )
    return A64AuthorizationChange(
        change_id=row.change_id,
        issuance_id=row.issuance_id,
        activity_id=row.activity_id,
        cooperative_approach=row.cooperative_approach,
        changed_at=row.changed_at,
        quantity=row.quantity,
        blocks=tuple(_units(row, span, registry) for span in row.spans),
        shares=shares,
    )


def _use(row: RetirementLine, registry: str) -> ActionUse:
    return ActionUse(
        action_id=row.action_id,
        cooperative_approach=row.cooperative_approach,
        purpose=row.purpose,
        using_party=row.using_party,
        quantity=row.quantity,
        blocks=(_units(row, (row.first_serial, row.last_serial), registry),),
        account=row.account,
        using_entity=row.using_entity,
        calendar_year=row.calendar_year,
        oimp_purpose=row.oimp_purpose,
        issuance_id=row.issuance_id,
        account_party=row.account_party,
    )


def _cancellation(row: CancellationLine, registry: str) -> ActionCancellation:
    return ActionCancellation(
        action_id=row.action_id,
        cooperative_approach=row.cooperative_approach,
        kind=row.cancellation_kind.value,
        cancelling_party=row.cancelling_party,
        quantity=row.quantity,
        blocks=(_units(row, (row.first_serial, row.last_serial), registry),),
        account=row.account,
        cancelling_entity=row.cancelling_entity,
        oimp_purpose=row.oimp_purpose,
        issuance_id=row.issuance_id,
        account_party=row.account_party,
    )


def body_problems(row: Row, registry: str) -> tuple[Problem, ...]:
    """Return what the message schema refuses in a line's message; empty for a valid one."""
    message = message_of(row, registry)
    if message is None:
        return ()
    type_, body = message
    return tuple(
        Problem(ResponseCode.SCHEMA_VIOLATED, f"{error.path}: {error.text}")
        for error in schema_errors(type_, VERSION, encode_body(body))
    )
