"""3xxx beyond the schema: the message agrees with itself and with the code lists.

1. Identifiers begin with the sender's code; blocks name the approach of the message.
2. Serials are in order, no serial stands twice, quantities are those of the serials and add up.
3. Values are in the code lists in force (dated data, so not in the schema).
4. Fields that only some messages of a type need are there exactly then.

What the schema itself says is checked before a body is decoded; ``schema_findings`` words it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hub.checks.case import Action, Answer, Case, Proposal, UnitMessage, series_of
from hub.checks.findings import FindingDraft, show
from hub.international_registry.purposes import includes_ndc, includes_other
from hub.international_registry.units import SERIAL_MAX, Range, Series
from hub.protocol.response_codes import ResponseCode
from message_schemas import code_lists
from message_schemas.blocks import Block
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.article64 import (
    A64AuthorizationChange,
    A64FirstTransfer,
    A64IssuanceNotice,
)
from message_schemas.messages.queries import HistoryQuery
from message_schemas.messages.records import (
    AuthorizationRecord,
    CooperativeApproachRecord,
    EntityAuthorizationRecord,
)
from message_schemas.validation import SchemaError

POINTER_OF: Final = {"underlying_registry": "underlying_unit/registry"}
OWN_IDENTIFIERS: Final = (
    "transfer_id",
    "action_id",
    "first_transfer_id",
    "issuance_id",
    "change_id",
)


def schema_findings(errors: Iterable[SchemaError]) -> tuple[FindingDraft, ...]:
    """Word what the schema validator said (3003), for the caller that decodes bodies."""
    code = ResponseCode.SCHEMA_VIOLATED
    return tuple(FindingDraft(code, f"{error.text}.", error.path) for error in errors)


def check_identifier_prefix(case: Case[Any]) -> Iterator[FindingDraft]:
    """Check 3009: the sender's own identifiers begin with its code (DES 2001)."""
    for name in OWN_IDENTIFIERS:
        identifier = getattr(case.body, name, None)
        if identifier is not None and identifier.partition("-")[0] != case.context.sender:
            detail = f"{identifier} does not begin with {case.context.sender}-."
            yield FindingDraft(ResponseCode.ID_PREFIX_NOT_SENDER, detail, f"/{name}")


def check_serial_order(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 3008: every block has serials, from the first up to the last (DES 2014)."""
    for index, block in enumerate(case.blocks):
        yield from _serials(block.first_serial, block.last_serial, f"/blocks/{index}")


def _serials(first: int, last: int, path: str) -> Iterator[FindingDraft]:
    if not 1 <= first <= last <= SERIAL_MAX:
        detail = f"The serials go from {first} to {last}."
        yield FindingDraft(ResponseCode.SERIAL_RANGE_REVERSED, detail, path)


def check_quantities(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 3006, 3010: quantities are those of the serials, and add up (DES 2013, 4012)."""
    total = 0
    for index, block in enumerate(case.blocks):
        total += block.quantity
        serials = block.last_serial - block.first_serial + 1
        if block.quantity != serials and serials > 0:
            detail = f"The quantity is {block.quantity}, the serials are {serials}."
            path = f"/blocks/{index}/quantity"
            yield FindingDraft(ResponseCode.QUANTITY_NOT_RANGE, detail, path)
    if total != case.body.quantity:
        detail = f"The quantity is {case.body.quantity}, the blocks have {total}."
        yield FindingDraft(ResponseCode.QUANTITY_NOT_SUM, detail, "/quantity")


def check_no_overlap(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 3005: no serial number stands twice in the message (DES 2014)."""
    if len(case.blocks) < 2:
        return
    spans: dict[Series, list[tuple[int, int, int]]] = defaultdict(list)
    for index, block in enumerate(case.blocks):
        if 1 <= block.first_serial <= block.last_serial <= SERIAL_MAX:
            spans[series_of(block)].append((block.first_serial, block.last_serial, index))
    for series, found in spans.items():
        reached, reached_by = 0, 0
        for first, last, index in sorted(found):
            if first <= reached:
                part = Range(series, first, min(last, reached))
                detail = f"Block {reached_by} has {show(part)} too."
                path = f"/blocks/{index}"
                code = ResponseCode.BLOCKS_OVERLAP_IN_MESSAGE
                yield FindingDraft(code, detail, path, (part,))
            if last > reached:
                reached, reached_by = last, index


def check_block_approach(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 3007: the blocks are of the cooperative approach that the message names."""
    named = case.body.cooperative_approach
    for index, block in enumerate(case.blocks):
        if block.cooperative_approach != named:
            detail = f"The block is of {block.cooperative_approach}, the message of {named}."
            path = f"/blocks/{index}"
            yield FindingDraft(ResponseCode.IDENTIFIER_INCONSISTENT, detail, path)


def check_accounts_differ(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 3012: within one registry, two accounts take part (DES 4006)."""
    context, body = case.context, case.body
    if context.sender == context.recipient and body.transferring_account == body.acquiring_account:
        detail = f"Both are {body.acquiring_account}."
        yield FindingDraft(ResponseCode.ACCOUNTS_EQUAL, detail, "/acquiring_account")


def check_block_codes(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 3004: the blocks' values are in the code lists (6/CMA.4 I.28-31; DES 2011-2022)."""
    for index, block in enumerate(case.blocks):
        for name, value in _block_codes(block):
            if value is not None and not code_lists.contains(name, value):
                yield _not_listed(value, name, f"/blocks/{index}/{POINTER_OF.get(name, name)}")


def _block_codes(block: Block) -> tuple[tuple[str, str | None], ...]:
    underlying = block.underlying_unit
    return (
        ("metric", block.metric),
        ("mitigation_type", block.mitigation_type),
        ("sector", block.sector),
        ("activity_type", block.activity_type),
        ("underlying_registry", underlying.registry if underlying else None),
    )


def check_message_codes(case: Case[Any]) -> Iterator[FindingDraft]:
    """Check 3004 for the message's own fields: purpose and action subtype."""
    for name in ("purpose", "action_subtype"):
        value = getattr(case.body, name, None)
        if value is not None and not code_lists.contains(name, value):
            yield _not_listed(value, name, f"/{name}")


def check_authorization_codes(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 3004 for an authorization: purposes, metric, Parties, sectors and activity types."""
    body = case.body
    yield from _all_listed("purpose", (body.purposes,), "/purposes")
    yield from _all_listed("metric", (body.metric,), "/metric")
    yield from _all_listed("sector", body.sectors, "/sectors")
    yield from _all_listed("activity_type", body.activity_types, "/activity_types")
    yield from _all_listed("party", body.authorized_parties, "/authorized_parties")


def check_approach_codes(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 3004 for a cooperative approach: its Parties are Parties."""
    parties = case.body.participating_parties
    yield from _all_listed("party", parties, "/participating_parties")


def check_entity_codes(case: Case[EntityAuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 3004 for an entity: its country is in the list."""
    country = case.body.country_of_incorporation
    yield from _all_listed("party", (country,), "/country_of_incorporation")


def _all_listed(list_name: str, values: Iterable[str], path: str) -> Iterator[FindingDraft]:
    for value in values:
        if not code_lists.contains(list_name, value):
            yield _not_listed(value, list_name, path)


def _not_listed(value: str, list_name: str, path: str) -> FindingDraft:
    detail = f"{value!r} is not in the list {list_name} of {code_lists.CURRENT}."
    return FindingDraft(ResponseCode.CODE_NOT_IN_LIST, detail, path)


def check_reasons(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 3011: whoever declines says why; whoever accepts gives no reasons against it."""
    if bool(case.body.reasons) != case.releases_units:
        need = "needs reasons" if case.releases_units else "takes no reasons"
        detail = f"The decision {case.body.decision} {need}."
        yield FindingDraft(ResponseCode.CONDITIONAL_FIELD_MISSING, detail, "/reasons")


def check_use_fields(case: Case[ActionUse]) -> Iterator[FindingDraft]:
    """Check 3003, 3011: a use is for one purpose; the year stands with NDC, the other with OIMP."""
    body = case.body
    ndc, other = includes_ndc(body.purpose), includes_other(body.purpose)
    if ndc and other:
        detail = f"Units are used once, for an NDC or otherwise, not for {body.purpose!r}."
        yield FindingDraft(ResponseCode.SCHEMA_VIOLATED, detail, "/purpose")
    elif ndc != (body.calendar_year is not None):
        yield _conditional("/calendar_year", "use towards an NDC", needed=ndc)
    if body.oimp_purpose is not None and not other:
        yield _conditional("/oimp_purpose", "use for OIMP", needed=False)


def check_cancellation_fields(case: Case[ActionCancellation]) -> Iterator[FindingDraft]:
    """Check 3011: the OIMP purpose stands with a cancellation for OIMP, and only there."""
    oimp = case.body.kind == "oimp"
    if oimp != (case.body.oimp_purpose is not None):
        yield _conditional("/oimp_purpose", "cancellation for OIMP", needed=oimp)


def check_share_fields(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 3011: A6.4ERs are of an issuance, which is named: its shares come first."""
    if case.body.issuance_id is None:
        yield _conditional("/issuance_id", "units of the mechanism registry", needed=True)


def check_notice_fields(case: Case[A64IssuanceNotice]) -> Iterator[FindingDraft]:
    """Check 3011: an exemption says which one, and is waived or made use of (6/CMA.6 para 20)."""
    if case.body.sop_exempt != (case.body.sop_exemption is not None):
        yield _conditional("/sop_exemption", "exemption", needed=case.body.sop_exempt)
    if case.body.sop_exempt and case.body.sop_exemption_waived:
        yield _conditional("/sop_exemption_waived", "units not exempt", needed=False)


def check_mechanism_fields(case: Case[Action]) -> Iterator[FindingDraft]:
    """Check 3011: the mechanism registry names issuance, account and the account's Party."""
    needed = case.comes_from_mechanism
    for name in ("issuance_id", "account_party"):
        if needed != (getattr(case.body, name) is not None):
            yield _conditional(f"/{name}", "units ended in the mechanism registry", needed=needed)
    if needed and case.body.account is None:
        yield _conditional("/account", "units ended in the mechanism registry", needed=True)


def check_adjusted_shares(case: Case[A64AuthorizationChange]) -> Iterator[FindingDraft]:
    """Check 3003, 3007: a share stands once, and what it names are whole blocks, each once."""
    left = {block.range for block in case.blocks}
    kinds = [share.kind for share in case.body.shares]
    for index, share in enumerate(case.body.shares):
        if share.kind in kinds[:index]:
            detail = f"The share {share.kind} stands twice."
            yield FindingDraft(ResponseCode.SCHEMA_VIOLATED, detail, f"/shares/{index}/kind")
        for position, range_ in enumerate(share.ranges):
            if range_ not in left:
                detail = f"{range_.first_id} to {range_.last_id} is no block left of the message."
                path = f"/shares/{index}/ranges/{position}"
                yield FindingDraft(ResponseCode.IDENTIFIER_INCONSISTENT, detail, path)
            left.discard(range_)


def check_authorization_fields(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 3003, 3011: periods are in order, and OIMP comes with its two fields (para 5(d), (e)).

    The first transfer definition may be that of the cooperative approach.
    """
    facts = case.facts
    body = case.body
    yield from _in_order(body.vintage_first, body.vintage_last, "/vintage_last")
    if body.valid_until is not None:
        yield from _in_order(body.valid_from, body.valid_until, "/valid_until")
    other = includes_other(body.purposes)
    if other != (body.oimp_authorized is not None):
        yield _conditional("/oimp_authorized", "authorization for OIMP", needed=other)
    approach = facts.approaches.get(body.cooperative_approach)
    agreed = approach.oimp_first_transfer_definition if approach else None
    if other and body.first_transfer_definition is None and agreed is None:
        yield _conditional("/first_transfer_definition", "authorization for OIMP", needed=True)


def check_approach_fields(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 3003: NDC periods are in order, of participating Parties, and do not overlap."""
    body, ends = case.body, dict[str, int]()
    periods = sorted(
        enumerate(body.ndc_periods), key=lambda item: (item[1].party, item[1].first_year)
    )
    for index, period in periods:
        path = f"/ndc_periods/{index}"
        yield from _in_order(period.first_year, period.last_year, path)
        if period.party not in body.participating_parties:
            detail = f"{period.party} is not among the participating Parties."
            yield FindingDraft(ResponseCode.SCHEMA_VIOLATED, detail, path)
        if period.first_year <= ends.get(period.party, 0):
            detail = f"Two periods of {period.party} overlap."
            yield FindingDraft(ResponseCode.SCHEMA_VIOLATED, detail, path)
        ends[period.party] = max(period.last_year, ends.get(period.party, 0))


def _in_order(first: Any, last: Any, path: str) -> Iterator[FindingDraft]:
    if first > last:
        detail = f"The end {last} comes before the beginning {first}."
        yield FindingDraft(ResponseCode.SCHEMA_VIOLATED, detail, path)


def _conditional(path: str, what: str, *, needed: bool) -> FindingDraft:
    detail = f"{path[1:]} is needed for: {what}." if needed else f"{path[1:]} is only for: {what}."
    return FindingDraft(ResponseCode.CONDITIONAL_FIELD_MISSING, detail, path)


def check_history_subject(case: Case[HistoryQuery]) -> Iterator[FindingDraft]:
    """Check 3008, 3011: a history is asked for one transfer or one range."""
    body = case.body
    if (body.transfer_id is None) == (body.range is None):
        detail = "Give either transfer_id or range."
        yield FindingDraft(ResponseCode.CONDITIONAL_FIELD_MISSING, detail, "/range")
    if body.range is not None:
        yield from _serials(body.range.first_serial, body.range.last_serial, "/range")


BLOCK_CHECKS: Final = (
    check_identifier_prefix,
    check_serial_order,
    check_quantities,
    check_no_overlap,
    check_block_approach,
    check_block_codes,
    check_message_codes,
)
