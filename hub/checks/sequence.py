"""4xxx: whether the message follows from what came before it.

1. An identifier is given out once: the same id with other content is refused, naming the field.
2. A proposal leaves its acquirer a time to answer that the hub allows.
3. An answer is for a transfer that exists, that is of the right kind and still open, comes from the
   end that may give it, and quotes the exact bytes it answers.
4. Records are numbered 1, 2, 3 without gaps.

An exact repeat is not a finding but a duplicate: the services recognise it with ``natural_id`` and
``differing_field`` and answer as before, without asking the checks.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, Final

from hub.checks.case import Answer, Case, Proposal
from hub.checks.facts import ErasedBody, TransferMode, TransferRecord
from hub.checks.findings import FindingDraft
from hub.protocol.response_codes import ResponseCode
from hub.protocol.transfer_states import TRANSITIONS, TransferInput, TransferState
from message_schemas import timestamps
from message_schemas.messages.queries import HistoryQuery
from message_schemas.messages.records import (
    AuthorizationRecord,
    CooperativeApproachRecord,
    EntityAuthorizationRecord,
)
from message_schemas.messages.transfers import TransferCancellation, TransferStatus

NATURAL_IDS: Final = {
    "a64.authorization_change": ("authorization_change", ("change_id",)),
    "a64.first_transfer": ("first_transfer", ("first_transfer_id",)),
    "a64.issuance_notice": ("issuance", ("issuance_id",)),
    "action.cancellation": ("action", ("action_id",)),
    "action.use": ("action", ("action_id",)),
    "authorization.record": (
        "authorization",
        ("authorizing_party", "authorization_id", "version"),
    ),
    "cooperative_approach.record": ("cooperative_approach", ("cooperative_approach", "version")),
    "entity_authorization.record": ("entity", ("cooperative_approach", "entity_id", "version")),
    "transfer.acknowledgement": ("answer", ("transfer_id",)),
    "transfer.cancellation": ("cancellation", ("transfer_id",)),
    "transfer.notification": ("transfer", ("transfer_id",)),
    "transfer.proposal": ("transfer", ("transfer_id",)),
    "transfer.recognition": ("answer", ("transfer_id",)),
}
"""By message type: the kind of thing its body creates, and the fields that identify it."""


def natural_id(type_: str, body: object) -> str | None:
    """Return what the body is known by for ever, such as ``transfer:THA01-123``.

    None for types that create nothing (sessions, queries, notes).
    """
    if type_ not in NATURAL_IDS:
        return None
    kind, names = NATURAL_IDS[type_]
    return kind + ":" + "/".join(str(getattr(body, name)) for name in names)


def differing_field(old: object, new: object) -> str | None:
    """Return the name of the first field in which two bodies differ, or None if they are the same.

    Bodies of two types (a proposal and a notification under one transfer id) differ in "type".
    """
    if type(old) is not type(new) or not is_dataclass(new):
        return None if old == new else "type"
    names = (field.name for field in fields(new))
    return next((name for name in names if getattr(old, name) != getattr(new, name)), None)


def _exists_differently(case: Case[Any], code: ResponseCode) -> Iterator[FindingDraft]:
    identifier = natural_id(case.context.type, case.body)
    earlier = case.facts.earlier.get(identifier) if identifier else None
    if earlier is None:
        return
    if isinstance(earlier, ErasedBody):
        detail = (
            f"{identifier} was taken at log index {earlier.log_index}; what it said was erased "
            "after the time of retention, so that nothing can be compared with it."
        )
        yield FindingDraft(code, detail)
        return
    field = differing_field(earlier, case.body)
    if field is not None:
        detail = f"{identifier} is known with another {field}."
        yield FindingDraft(code, detail, path=f"/{field}")


def check_transfer_new(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 4002: the transfer id was not given out before, for other content (DES 3001)."""
    facts = case.facts
    code = ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
    known = list(_exists_differently(case, code))
    yield from known
    record = facts.transfers.get(case.body.transfer_id)
    if record is None or known:
        return
    body = case.body
    field = next(
        (name for name in _KEPT_FIELDS if getattr(record, name) != getattr(body, name)), None
    )
    if field is None and record.acquirer != case.context.recipient:
        field = "recipient"
    named = f"It differs in {field}." if field else "It differs in a field the hub compares whole."
    detail = f"{body.transfer_id} was proposed at log index {record.proposed_log_index}. {named}"
    yield FindingDraft(code, detail, path=f"/{field}" if field in _KEPT_FIELDS else None)


_KEPT_FIELDS: Final = (
    "action",
    "cooperative_approach",
    "transferring_account",
    "acquiring_account",
    "acquiring_entity",
    "purpose",
    "quantity",
)


def check_record_new(case: Case[Any]) -> Iterator[FindingDraft]:
    """Check 4011: nothing else is recorded under this identifier."""
    yield from _exists_differently(case, ResponseCode.RECORD_EXISTS_WITH_DIFFERENT_FIELD)


def check_respond_by(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 4007: the acquirer gets a time to answer, and not more than the hub allows."""
    facts = case.facts
    if case.body.respond_by is None:
        return
    respond_by = timestamps.parse(case.body.respond_by)
    latest = facts.now + timedelta(seconds=facts.policy.respond_by_seconds_max)
    if not facts.now < respond_by <= latest:
        detail = (
            f"respond_by is {case.body.respond_by}; it must be after"
            f" {timestamps.render(facts.now)} and not after {timestamps.render(latest)}."
        )
        yield FindingDraft(ResponseCode.RESPOND_BY_OUT_OF_RANGE, detail, path="/respond_by")


def check_transfer_known(case: Case[Any]) -> Iterator[FindingDraft]:
    """Check 4001: the transfer was proposed and taken (DES 3002)."""
    facts = case.facts
    transfer_id = case.body.transfer_id
    if _is_asked_of_mechanism(case):
        return
    if transfer_id is not None and transfer_id not in facts.transfers:
        detail = f"There is no transfer {transfer_id}."
        yield FindingDraft(ResponseCode.TRANSFER_UNKNOWN, detail, path="/transfer_id")


def _is_asked_of_mechanism(case: Case[Any]) -> bool:
    """Tell whether the mechanism registry is asked: what it did, the hub need not know."""
    context = case.context
    return context.type == "history.query" and context.recipient == case.facts.mechanism_registry


def check_answer_role(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 4004: the acquirer answers, to the initiator (DES 3010, 3012)."""
    record = case.facts.transfers.get(case.body.transfer_id)
    if record is not None:
        yield from _role(case, record, sender=record.acquirer, recipient=record.initiator)


def check_cancellation_role(case: Case[TransferCancellation]) -> Iterator[FindingDraft]:
    """Check 4004: the initiator withdraws, towards the acquirer."""
    record = case.facts.transfers.get(case.body.transfer_id)
    if record is not None:
        yield from _role(case, record, sender=record.initiator, recipient=record.acquirer)


def _role(
    case: Case[Any], record: TransferRecord, *, sender: str, recipient: str
) -> Iterator[FindingDraft]:
    context = case.context
    if (context.sender, context.recipient) != (sender, recipient):
        detail = f"{context.sender} may not send {context.type} to {context.recipient} here."
        if context.sender in {record.initiator, record.acquirer}:
            detail += f" For {record.transfer_id} it goes from {sender} to {recipient}."
        yield FindingDraft(ResponseCode.NOT_PARTY_TO_TRANSFER, detail, path="/transfer_id")


def check_asker_role(case: Case[TransferStatus] | Case[HistoryQuery]) -> Iterator[FindingDraft]:
    """Check 4004: only the ends of a transfer may ask for it, and the Party of either account.

    An account of the international registry is that of a Party, whose own registry may look.
    """
    facts = case.facts
    transfer_id = case.body.transfer_id
    record = facts.transfers.get(transfer_id) if transfer_id else None
    if record is None or _is_asked_of_mechanism(case):
        return
    if case.context.sender not in {record.initiator, record.acquirer} and not _has_account(
        case, record
    ):
        detail = f"{case.context.sender} is neither initiator nor acquirer of {transfer_id}."
        yield FindingDraft(ResponseCode.NOT_PARTY_TO_TRANSFER, detail, path="/transfer_id")


def _has_account(case: Case[Any], record: TransferRecord) -> bool:
    """Tell whether an account in the international registry is that of the sender's Party."""
    facts = case.facts
    ends = (
        (record.initiator, record.transferring_account),
        (record.acquirer, record.acquiring_account),
    )
    accounts = [facts.accounts.get(end) for end in ends if end[0] == facts.international_registry]
    return case.sender is not None and any(
        account is not None and account.party == case.sender.party for account in accounts
    )


def _own_transfer(case: Case[Any]) -> TransferRecord | None:
    """Return the transfer if the sender is one of its ends; a stranger learns nothing more."""
    record = case.facts.transfers.get(case.body.transfer_id)
    if record is not None and case.context.sender in {record.initiator, record.acquirer}:
        return record
    return None


def check_answer_mode(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 4014: a proposal is acknowledged, a notification is recognized."""
    record = _own_transfer(case)
    acknowledges = case.context.type == "transfer.acknowledgement"
    wanted = TransferMode.MOVE if acknowledges else TransferMode.NOTIFY_AND_RECORD
    if record is not None and record.mode != wanted:
        detail = f"{record.transfer_id} is of the mode {record.mode}."
        yield FindingDraft(ResponseCode.TRANSFER_MODE_DIFFERS, detail, path="/transfer_id")


def check_answer_state(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 4003, 4006: the transfer still waits for its answer (DES 3003, 3007, 3008)."""
    record = _own_transfer(case)
    if record is None:
        return
    input_ = TransferInput.DECLINED if case.releases_units else TransferInput.ACCEPTED
    late = record.state is TransferState.PROPOSED and case.facts.now >= record.respond_by
    yield from _state(record, input_, late=late)


def check_cancellation_state(case: Case[TransferCancellation]) -> Iterator[FindingDraft]:
    """Check 4003, 4006: the transfer is still open, so that it can be withdrawn.

    Withdrawing after the deadline, before the hub noted the expiry, is harmless: both release.
    """
    record = _own_transfer(case)
    if record is not None:
        yield from _state(record, TransferInput.WITHDRAWN, late=False)


def _state(record: TransferRecord, input_: TransferInput, *, late: bool) -> Iterator[FindingDraft]:
    if late or record.state is TransferState.EXPIRED:
        detail = (
            f"{record.transfer_id} was to be answered by {timestamps.render(record.respond_by)}."
        )
        yield FindingDraft(ResponseCode.TRANSFER_EXPIRED, detail, path="/transfer_id")
    elif (record.state, input_) not in TRANSITIONS:
        detail = (
            f"{record.transfer_id} is {record.state} since log index {record.closed_log_index}."
        )
        yield FindingDraft(ResponseCode.INPUT_NOT_ALLOWED_IN_STATE, detail, path="/transfer_id")


def check_previous_digest(case: Case[Any]) -> Iterator[FindingDraft]:
    """Check 4005: the answer is to exactly the bytes that were proposed (6/CMA.4 I.10)."""
    record = _own_transfer(case)
    if record is not None and record.proposal_sha256 != case.body.previous_sha256:
        detail = f"The envelope with {record.transfer_id} has another digest."
        view = f"SHA-256 of the proposal's envelope: {record.proposal_sha256}"
        path = "/previous_sha256"
        yield FindingDraft(ResponseCode.PREVIOUS_DIGEST_DIFFERS, detail, path, hub_view=view)


def check_approach_version(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 4010: the cooperative approach's version follows the latest one."""
    facts = case.facts
    latest = facts.approaches.get(case.body.cooperative_approach)
    yield from _version(case, latest.version if latest else 0)


def check_authorization_version(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 4010: the authorization's version follows the latest one (4/CMA.6 paras 7-10)."""
    facts = case.facts
    key = (case.body.authorizing_party, case.body.authorization_id)
    latest = facts.authorizations.get(key)
    yield from _version(case, latest.version if latest else 0)


def check_entity_version(case: Case[EntityAuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 4010: the entity authorization's version follows the latest one."""
    facts = case.facts
    latest = facts.entities.get((case.body.cooperative_approach, case.body.entity_id))
    yield from _version(case, latest.version if latest else 0)


def _version(case: Case[Any], latest: int) -> Iterator[FindingDraft]:
    version = case.body.version
    repeated = natural_id(case.context.type, case.body) in case.facts.earlier
    if version != latest + 1 and not repeated:  # what is repeated is check 4011's
        detail = f"The next version is {latest + 1}, not {version}."
        yield FindingDraft(ResponseCode.RECORD_VERSION_NOT_NEXT, detail, path="/version")
