"""A small world for the checks: Thailand gives, Switzerland acquires, all of it made up.

``world`` makes the facts, ``held`` a ledger block, ``block`` a block of a message, and one function
a message type makes a body that passes every check in the plain world. Tests change one thing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from hub.checks.decision import examine
from hub.checks.facts import (
    Facts,
    IssuanceRecord,
    MessageContext,
    Participant,
    TransferRecord,
)
from hub.checks.findings import FindingDraft
from hub.checks.rulebook import STOPS
from hub.international_registry.accounts import Account, AccountStatus
from hub.international_registry.authorizations import (
    ApproachStatus,
    Authorization,
    AuthorizationStatus,
    AuthorizedEntity,
    CooperativeApproach,
    FirstTransferDefinition,
    NdcPeriod,
)
from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Series,
)
from hub.protocol.response_codes import ResponseCode
from hub.protocol.transfer_states import TransferState
from message_schemas.blocks import Block
from message_schemas.catalogue import MESSAGE_TYPES
from message_schemas.messages import actions, article64, records, transfers

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIGEST = "ab" * 32
SERIES = Series("CA0001", "THA01", "THA", 2022)
A64_SERIES = Series("CA0001", "XMR01", "THA", 2022)
ATTRIBUTES = Attributes(
    "GHG", "Emission reductions", "TH-2022-001", 1, "Transportation", activity_type="Transport"
)
APPROACH = CooperativeApproach(
    cooperative_approach="CA0001",
    version=1,
    title="Bangkok E-Bus",
    participating_parties=("CHE", "THA"),
    oimp_first_transfer_definition=FirstTransferDefinition.USE_OR_CANCELLATION,
    ndc_periods=(NdcPeriod("CHE", 2021, 2030), NdcPeriod("THA", 2021, 2030)),
    status=ApproachStatus.ACTIVE,
)
AUTHORIZATION = Authorization(
    authorization_id="TH-2022-001",
    version=1,
    cooperative_approach="CA0001",
    authorizing_party="THA",
    authorized_on=date(2022, 6, 1),
    purposes="NDC",
    oimp_authorized=None,
    authorized_parties=(),
    authorized_entities=(),
    quantity_max=1000,
    metric="GHG",
    non_ghg_metric=None,
    gwp_values=None,
    sectors=("Transportation",),
    activity_types=("Transport",),
    vintage_first=2021,
    vintage_last=2030,
    valid_from=date(2022, 6, 1),
    valid_until=date(2030, 12, 31),
    first_transfer_definition=None,
    changes_apply_to_first_transferred=False,
    terms=None,
    status=AuthorizationStatus.IN_FORCE,
)
ENTITY = AuthorizedEntity(
    "CHE-123", 1, "CHE", "CA0001", "Example Foundation", "CHE", date(2022, 1, 1), None,
    AuthorizationStatus.IN_FORCE,
)  # fmt: skip  # one line a field would hide that it is one value
ACCOUNT = Account("ACC-1", "XIR01", 100, "CHE", None, "CA0001", "GHG", AccountStatus.OPEN)
FUND = replace(ACCOUNT, account_id="FUND", party="XAF", cooperative_approach=None)
OMGE = replace(ACCOUNT, account_id="OMGE", type=300, cooperative_approach=None)
ISSUANCE = IssuanceRecord(
    issuance_id="XMR01-7",
    activity_id="A64-1",
    host_party="THA",
    cooperative_approach="CA0001",
    vintage=2022,
    issued_quantity=1000,
    authorized_quantity=1000,
    sop_quantity=50,
    sop_exempt=False,
    omge_quantity=20,
)
TRANSFER = TransferRecord(
    transfer_id="THA01-1",
    mode="move",
    initiator="THA01",
    acquirer="CHE01",
    state=TransferState.PROPOSED,
    action="first_transfer",
    cooperative_approach="CA0001",
    transferring_account="T-1",
    acquiring_account="C-1",
    acquiring_entity=None,
    purpose="NDC",
    quantity=100,
    respond_by=NOW + timedelta(hours=24),
    proposal_sha256=DIGEST,
    proposed_log_index=40,
    proposed_at=NOW - timedelta(hours=1),
)

_ids = count(1)


def held(first: int, last: int, **changes: Any) -> LedgerBlock:
    """Return a ledger block: an ITMO that Switzerland acquired from Thailand, unless changed."""
    fields: dict[str, Any] = {
        "block_id": next(_ids),
        "series": SERIES,
        "first": first,
        "last": last,
        "attributes": ATTRIBUTES,
        "registry": "CHE01",
        "account": None,
        "status": BlockStatus.ITMO,
        "first_transfer": FirstTransferEvent.INTERNATIONAL_TRANSFER,
    }
    return LedgerBlock(**(fields | changes))


def participants(**states: str) -> dict[str, Participant]:
    """Return the participants by code, all active unless a state is given."""
    kinds = {
        "CHE01": "party_registry",
        "GHA01": "party_registry",
        "THA01": "party_registry",
        "XHB01": "hub",
        "XIR01": "international_registry",
        "XMR01": "mechanism_registry",
    }
    return {
        code: Participant(code, code[:3], kind, states.get(code, "active"))
        for code, kind in kinds.items()
    }


def world(*blocks: LedgerBlock, **changes: Any) -> Facts:
    """Return the plain world with these blocks in the ledger, and what else is changed."""
    authorizations = changes.pop("authorization", (AUTHORIZATION,))
    fields: dict[str, Any] = {
        "now": NOW,
        "window": LedgerWindow(blocks, 1_000_000),
        "participants": participants(),
        "approaches": {"CA0001": APPROACH},
        "authorizations": {(a.authorizing_party, a.authorization_id): a for a in authorizations},
        "authorization_versions": {
            (a.authorizing_party, a.authorization_id, a.version): a for a in authorizations
        },
        "entities": {("CA0001", "CHE-123"): ENTITY},
        "accounts": {("XIR01", a.account_id): a for a in (ACCOUNT, FUND, OMGE)},
        "transfers": {},
        "issuances": {"XMR01-7": replace(ISSUANCE, sop_done=50, omge_done=20)},
    }
    return Facts(**(fields | changes))


def block(first: int = 1, last: int = 100, **changes: Any) -> Block:
    """Return a block of a message; its quantity is that of its serials."""
    fields: dict[str, Any] = {
        "cooperative_approach": "CA0001",
        "originating_registry": "THA01",
        "first_transferring_party": "THA",
        "vintage": 2022,
        "first_serial": first,
        "last_serial": last,
        "quantity": last - first + 1,
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "sector": "Transportation",
        "activity_type": "Transport",
    }
    return Block(**(fields | changes))


def a64_block(first: int = 1, last: int = 100, **changes: Any) -> Block:
    """Return a block of A6.4ERs."""
    return block(first, last, **({"originating_registry": "XMR01"} | changes))


def with_blocks(blocks: tuple[Block, ...], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a body's fields with its blocks, one usual block if none, and their sum."""
    blocks = blocks or (block(),)
    return {"blocks": blocks, "quantity": sum(b.quantity for b in blocks)} | fields


def proposal(*blocks: Block, **changes: Any) -> transfers.TransferProposal:
    """Return a first transfer of new units to Switzerland."""
    fields: dict[str, Any] = {
        "transfer_id": "THA01-1",
        "action": "first_transfer",
        "cooperative_approach": "CA0001",
        "transferring_account": "T-1",
        "acquiring_account": "C-1",
        "purpose": "NDC",
    }
    return transfers.TransferProposal(**with_blocks(blocks, fields | changes))


def onward(*blocks: Block, **changes: Any) -> transfers.TransferProposal:
    """Return a transfer of acquired units from Switzerland back to Thailand."""
    return proposal(*blocks, **({"transfer_id": "CHE01-1", "action": "transfer"} | changes))


def notification(**changes: Any) -> transfers.TransferNotification:
    """Return a first transfer that is only notified."""
    fields = {name: getattr(proposal(), name) for name in proposal().__slots__}
    method = {"adjustment_method": "annual averaging"}
    return transfers.TransferNotification(**(fields | method | changes))


def acknowledgement(**changes: Any) -> transfers.TransferAcknowledgement:
    """Return Switzerland's acceptance."""
    fields: dict[str, Any] = {
        "transfer_id": "THA01-1",
        "decision": "accept",
        "previous_sha256": DIGEST,
        "reasons": (),
    }
    return transfers.TransferAcknowledgement(**(fields | changes))


def rejection(**changes: Any) -> transfers.TransferAcknowledgement:
    """Return Switzerland's rejection, with a reason."""
    reasons = (transfers.Reason(text="no such contract"),)
    return acknowledgement(**({"decision": "reject", "reasons": reasons} | changes))


def recognition(**changes: Any) -> transfers.TransferRecognition:
    """Return Switzerland's recognition of a notified transfer."""
    fields: dict[str, Any] = {
        "transfer_id": "THA01-1",
        "decision": "recognize",
        "previous_sha256": DIGEST,
        "reasons": (),
    }
    return transfers.TransferRecognition(**(fields | changes))


def cancellation(**changes: Any) -> transfers.TransferCancellation:
    """Return Thailand's withdrawal."""
    fields = {"transfer_id": "THA01-1", "previous_sha256": DIGEST}
    return transfers.TransferCancellation(**(fields | changes))


def use(*blocks: Block, **changes: Any) -> actions.ActionUse:
    """Return Switzerland's use of acquired units towards its NDC."""
    fields: dict[str, Any] = {
        "action_id": "CHE01-9",
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "CHE",
        "calendar_year": 2025,
    }
    return actions.ActionUse(**with_blocks(blocks, fields | changes))


def cancel(*blocks: Block, **changes: Any) -> actions.ActionCancellation:
    """Return Switzerland's voluntary cancellation of acquired units."""
    fields: dict[str, Any] = {
        "action_id": "CHE01-9",
        "cooperative_approach": "CA0001",
        "kind": "voluntary",
        "cancelling_party": "CHE",
    }
    return actions.ActionCancellation(**with_blocks(blocks, fields | changes))


def first_transfer(*blocks: Block, **changes: Any) -> article64.A64FirstTransfer:
    """Return the forwarding of A6.4ERs to a Swiss account at the international registry."""
    fields: dict[str, Any] = {
        "first_transfer_id": "XMR01-1",
        "kind": "forwarding",
        "issuance_id": "XMR01-7",
        "activity_id": "A64-1",
        "cooperative_approach": "CA0001",
        "acquiring_account": "ACC-1",
        "authorization_status": "authorized",
    }
    return article64.A64FirstTransfer(**with_blocks(blocks or (a64_block(),), fields | changes))


def issuance_notice(**changes: Any) -> article64.A64IssuanceNotice:
    """Return the notice of an issuance of 1,000 A6.4ERs, all authorized."""
    fields: dict[str, Any] = {
        "issuance_id": "XMR01-7",
        "activity_id": "A64-1",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "issued_quantity": 1000,
        "authorized_quantity": 1000,
        "sop_quantity": 50,
        "sop_exempt": False,
        "omge_quantity": 20,
        "issued_at": "2026-11-20T00:00:00.000Z",
    }
    return article64.A64IssuanceNotice(**(fields | changes))


def authorization_record(**changes: Any) -> records.AuthorizationRecord:
    """Return the first version of another authorization."""
    fields: dict[str, Any] = {
        "authorization_id": "TH-2026-002",
        "version": 1,
        "cooperative_approach": "CA0001",
        "authorizing_party": "THA",
        "authorized_on": "2026-11-01",
        "purposes": "NDC",
        "authorized_parties": (),
        "authorized_entities": (),
        "metric": "GHG",
        "gwp_values": "AR5 GWP100",
        "sectors": ("Transportation",),
        "activity_types": ("Transport",),
        "vintage_first": 2021,
        "vintage_last": 2030,
        "valid_from": "2026-11-01",
        "changes_apply_to_first_transferred": False,
        "status": "in_force",
    }
    return records.AuthorizationRecord(**(fields | changes))


def approach_record(**changes: Any) -> records.CooperativeApproachRecord:
    """Return the first version of another cooperative approach."""
    fields: dict[str, Any] = {
        "cooperative_approach": "CA0002",
        "version": 1,
        "title": "Solar roofs",
        "participating_parties": ("CHE", "THA"),
        "ndc_periods": (records.NdcPeriod("CHE", 2021, 2030),),
        "status": "active",
    }
    return records.CooperativeApproachRecord(**(fields | changes))


def entity_record(**changes: Any) -> records.EntityAuthorizationRecord:
    """Return the first version of an entity's authorization, by Thailand."""
    fields: dict[str, Any] = {
        "entity_id": "THA-1",
        "version": 1,
        "authorizing_party": "THA",
        "cooperative_approach": "CA0001",
        "name": "Example Bus Company",
        "country_of_incorporation": "THA",
        "authorized_on": "2026-11-01",
        "status": "in_force",
    }
    return records.EntityAuthorizationRecord(**(fields | changes))


TYPE_OF = {type_.body_class: type_ for type_ in MESSAGE_TYPES.values()}


def context(body: object, sender: str, recipient: str, **changes: Any) -> MessageContext:
    """Return the context of a message with this body."""
    fields: dict[str, Any] = {
        "sender": sender,
        "recipient": recipient,
        "message_id": "019aa0a0-0000-7000-8000-000000000001",
        "type": TYPE_OF[type(body)].name,
        "version": 1,
        "body": body,
        "log_index": 50,
        "position": 0,
        "envelope_sha256": "cd" * 32,
        "received_at": NOW,
    }
    return MessageContext(**(fields | changes))


@dataclass(frozen=True)
class Sent:
    """A message and the facts it meets."""

    body: object
    facts: Facts
    sender: str
    recipient: str

    def findings(self) -> tuple[FindingDraft, ...]:
        """Examine the message."""
        return examine(context(self.body, self.sender, self.recipient), self.facts)

    def codes(self) -> list[ResponseCode]:
        """Examine the message and return the codes found."""
        return [finding.code for finding in self.findings()]


def sent(body: object, facts: Facts | None = None, sender: str = "", recipient: str = "") -> Sent:
    """Return a message on its usual way: from the Party acting to the other one, or to the hub."""
    identifier = next(
        (getattr(body, n) for n in ("transfer_id", "action_id") if getattr(body, n, None)), ""
    )
    answers = isinstance(body, transfers.TransferAcknowledgement | transfers.TransferRecognition)
    if type(body).__name__.startswith("A64") or identifier.startswith("XMR01"):
        usual = "XMR01"
    else:
        usual = "CHE01" if identifier.startswith("CHE01") or answers else "THA01"
    sender = sender or usual
    if not recipient:
        other = "THA01" if sender == "CHE01" else "CHE01"
        recipient = other if TYPE_OF[type(body)].recipient == "participant" else "XHB01"
    return Sent(body, facts or world(), sender, recipient)


@dataclass(frozen=True)
class Row:
    """One case of a table: whether a code is found, and the message that shows it."""

    code: ResponseCode
    name: str
    found: bool
    make: Callable[[], Sent]

    def __str__(self) -> str:
        return f"{self.code.name}-{'found' if self.found else 'passes'}-{self.name}"


def found(code: ResponseCode, name: str, make: Callable[[], Sent]) -> Row:
    """Return a case in which the code is found."""
    return Row(code, name.replace(" ", "_"), True, make)


def passes(code: ResponseCode, name: str, make: Callable[[], Sent]) -> Row:
    """Return a case, close to the others, in which nothing stops the message."""
    return Row(code, name.replace(" ", "_"), False, make)


def hold_true(row: Row) -> None:
    """Assert what the row says; a row that passes lets the whole message pass."""
    codes = row.make().codes()
    if row.found:
        assert row.code in codes
    else:
        assert not set(codes) & STOPS
        assert row.code not in codes
