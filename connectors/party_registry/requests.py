"""What the local API and the commands may ask for, each request a strict structure.

Unknown members are refused, so a misspelt option is never silently ignored. The OpenAPI document
is made from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

__all__ = [
    "REQUESTS",
    "AnswerRequest",
    "CancelTransferRequest",
    "CancellationRequest",
    "ConfirmRequest",
    "CorrectionRequest",
    "ExplanationRequest",
    "IssueRequest",
    "LogPinRequest",
    "LogResumeRequest",
    "MessageRequest",
    "NoteRequest",
    "OpenAccountRequest",
    "QueryRequest",
    "RangeRequest",
    "ReportRequest",
    "TransferRequest",
    "UseRequest",
]

AccountId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,49}$")]
Approach = Annotated[str, Meta(pattern=r"^CA\d{4}$")]
Participant = Annotated[str, Meta(pattern=r"^[A-Z]{3}\d{2}$")]
Quantity = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1, max_length=2000)]


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request body."""


class OpenAccountRequest(_Request, frozen=True):
    """Open an account: `holding` (100) for units, or a terminal one for what was used up."""

    account: AccountId
    kind: Literal["holding"] = "holding"
    party: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    entity: str | None = None
    cooperative_approach: Approach | None = None


class RangeRequest(_Request, frozen=True):
    """A run of serials, by full identifiers such as CA0001-THA01-THA-1-2022."""

    first_id: str
    last_id: str


class IssueRequest(_Request, frozen=True):
    """Issue mitigation outcomes under an authorization of this registry into an account."""

    account: AccountId
    authorization: str
    vintage: int
    quantity: Quantity
    mitigation_type: str = "Emission reductions"
    sector: str | None = None
    activity_type: str | None = None
    first_serial: Quantity | None = None
    underlying_unit: dict[str, str] | None = None
    reference: str | None = None


class TransferRequest(_Request, frozen=True):
    """Propose a transfer; say either the `quantity` to pick from the account, or the `ranges`.

    With `adjustment_method` it is a notification: recorded at both ends, no unit moves.
    """

    recipient: Participant
    cooperative_approach: Approach
    from_account: AccountId
    to_account: AccountId
    purpose: str = "NDC"
    quantity: Quantity | None = None
    ranges: list[RangeRequest] | None = None
    acquiring_entity: str | None = None
    action_subtype: str | None = None
    respond_by: str | None = None
    reference: Text | None = None
    adjustment_method: str | None = None


class AnswerRequest(_Request, frozen=True):
    """Answer an incoming transfer; reasons are for a rejection, and needed for it."""

    reasons: list[Text] = []
    recorded_reference: Text | None = None


class CancelTransferRequest(_Request, frozen=True):
    """Withdraw a proposal that is not answered yet."""

    reason: Text | None = None


class UseRequest(_Request, frozen=True):
    """Use ITMOs, towards an NDC (with the calendar year) or for another purpose, for ever."""

    account: AccountId
    cooperative_approach: Approach
    purpose: str = "NDC"
    calendar_year: int | None = None
    quantity: Quantity | None = None
    ranges: list[RangeRequest] | None = None
    using_party: str | None = None
    using_entity: str | None = None
    oimp_purpose: str | None = None


class CancellationRequest(_Request, frozen=True):
    """Cancel units for ever."""

    account: AccountId
    cooperative_approach: Approach
    kind: Literal["voluntary", "omge", "oimp", "other"] = "voluntary"
    quantity: Quantity | None = None
    ranges: list[RangeRequest] | None = None
    cancelling_party: str | None = None
    cancelling_entity: str | None = None
    oimp_purpose: str | None = None


class CorrectionRequest(_Request, frozen=True):
    """Put the own book right, with a reason; `connectors.party_registry.corrections` tells how.

    `completion` and `action` name a `reference`, the others `ranges`. `value` sets the value of
    `name` (none: takes it away); `vintage` names the right one; `put_in` says `account` and
    `attributes`, and `value` no if the units are not first transferred.
    """

    kind: Literal[
        "completion", "action", "doubled", "value", "vintage", "restore", "take_out", "put_in"
    ]
    reason: Annotated[str, Meta(min_length=3, max_length=1000)]
    case_id: Annotated[str, Meta(max_length=32)] | None = None
    reference: str | None = None
    ranges: list[RangeRequest] | None = None
    name: str | None = None
    value: str | None = None
    vintage: int | None = None
    account: AccountId | None = None
    attributes: dict[str, Any] | None = None


class ReportRequest(_Request, frozen=True):
    """Tell the hub of a use or cancellation that is in the book and never reached it."""

    act: Literal["use", "cancellation"]
    ranges: list[RangeRequest]
    reason: Annotated[str, Meta(min_length=3, max_length=1000)]
    case_id: Annotated[str, Meta(max_length=32)] | None = None
    purpose: str = "NDC"
    calendar_year: int | None = None
    oimp_purpose: str | None = None
    kind: Literal["voluntary", "omge", "oimp", "other"] = "voluntary"


class ExplanationRequest(_Request, frozen=True):
    """Say to the hub what was found about a case; `corrected` asks for a new comparison."""

    case_id: Annotated[str, Meta(min_length=1, max_length=32)]
    text: Text
    corrected: bool = False


class NoteRequest(_Request, frozen=True):
    """Write to the administrators of another registry."""

    recipient: Participant
    subject: Text
    text: Text
    refers_to: str | None = None


class MessageRequest(_Request, frozen=True):
    """Submit any recorded message, its body as the JSON Schema of its type says.

    For registries that keep their own book: `transfer.proposal` and the rest are tracked here
    all the same. A missing `transfer_id` or `action_id` is given out.
    """

    recipient: Participant
    type: str
    body: dict[str, Any]
    reference: str | None = None


class QueryRequest(_Request, frozen=True):
    """Ask something read-only: transfer.status, holdings.query, history.query.

    `of` is whom to ask: the hub, or, for holdings and history, the mechanism registry, whose
    answer is waited for.
    """

    type: Literal["transfer.status", "holdings.query", "history.query"]
    body: dict[str, Any]
    of: Participant | None = None
    wait_seconds: Annotated[float, Meta(ge=0, le=50)] = 25.0


class ConfirmRequest(_Request, frozen=True):
    """Say that every inbox item up to this one was taken."""

    through: Annotated[int, Meta(ge=0)]


class LogResumeRequest(_Request, frozen=True):
    """End the pause that a finding about the hub's log began; the reason stays on record."""

    reason: Annotated[str, Meta(min_length=3, max_length=1000)]
    follow_hub: bool = False


class LogPinRequest(_Request, frozen=True):
    """Pin the origin and keys of the log that the hub's list names now."""

    reason: Annotated[str, Meta(min_length=3, max_length=1000)]


REQUESTS = (
    OpenAccountRequest,
    IssueRequest,
    TransferRequest,
    AnswerRequest,
    CancelTransferRequest,
    UseRequest,
    CancellationRequest,
    CorrectionRequest,
    ReportRequest,
    ExplanationRequest,
    NoteRequest,
    MessageRequest,
    QueryRequest,
    ConfirmRequest,
    LogResumeRequest,
    LogPinRequest,
)
"""Every request class, for the OpenAPI document."""
