"""Everything a check may see. What is not here cannot influence a decision.

The services load one ``Facts`` for a batch of messages, and keep its transfers, window, usage,
issuances and earlier bodies current while they apply the messages one after the other. A check
reads; it never changes them. Times are aware datetimes in UTC, quantities are whole units.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.checks.frozen import FrozenSerials
from hub.checks.later_authorizations import LaterAuthorizations
from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.accounts import Account
from hub.international_registry.authorizations import (
    Authorization,
    AuthorizationUsage,
    AuthorizedEntity,
    CooperativeApproach,
)
from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.units import Range
from hub.protocol.transfer_states import TransferState


class ParticipantKind(StrEnum):
    """What a participant is; the catalogue of messages says who may send what."""

    PARTY_REGISTRY = "party_registry"
    MECHANISM_REGISTRY = "mechanism_registry"
    INTERNATIONAL_REGISTRY = "international_registry"
    HUB = "hub"


class ParticipantState(StrEnum):
    """Where a participant's connection stands."""

    REGISTERED = "registered"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class SuspensionLevel(StrEnum):
    """How much a suspension stops; a suspended block carries it as its ``hold`` instead."""

    ACCOUNT = "account"
    MESSAGE_TYPE = "message_type"
    PARTICIPANT = "participant"
    PAIR = "pair"
    HUB = "hub"


class TransferMode(StrEnum):
    """Whether a transfer moves units, or is notified and recorded by each Party."""

    MOVE = "move"
    NOTIFY_AND_RECORD = "notify_and_record"


@dataclass(frozen=True, slots=True)
class Participant:
    """A connected system. ``party`` is an alpha-3 code, for the central systems their own."""

    code: str
    party: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """A transfer as the hub recorded it; ``closed_*`` are set in the final states."""

    transfer_id: str
    mode: str
    initiator: str
    acquirer: str
    state: TransferState
    action: str
    cooperative_approach: str
    transferring_account: str
    acquiring_account: str
    acquiring_entity: str | None
    purpose: str
    quantity: int
    respond_by: datetime
    proposal_sha256: str
    proposed_log_index: int
    proposed_at: datetime
    closed_log_index: int | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuanceRecord:
    """An issuance of the mechanism registry: its notice, and what was pushed of it so far.

    ``sop_done``, ``omge_done`` and ``forwarded`` are units that left it: as share of proceeds, for
    OMGE, and otherwise (forwarded, or retired and cancelled in the mechanism registry).
    ``*_contribution`` are contribution units within a share, None where the notice does not say.
    ``authorized_later`` are contribution units authorized afterwards (6/CMA.6 paras 12-14), of them
    ``sop_later`` and ``omge_later`` units of the shares, which ``*_done`` count too.
    """

    issuance_id: str
    activity_id: str
    host_party: str
    cooperative_approach: str
    vintage: int
    issued_quantity: int
    authorized_quantity: int
    sop_quantity: int
    sop_exempt: bool
    omge_quantity: int
    sop_done: int = 0
    omge_done: int = 0
    forwarded: int = 0
    sop_contribution: int | None = None
    omge_contribution: int | None = None
    authorized_later: int = 0
    sop_later: int = 0
    omge_later: int = 0

    @property
    def authorized_now(self) -> int:
        """Return the units authorized at issuance and since."""
        return self.authorized_quantity + self.authorized_later

    @property
    def contribution_left(self) -> int:
        """Return the units that are contribution units today."""
        return self.issued_quantity - self.authorized_now


@dataclass(frozen=True, slots=True)
class Arrival:
    """Units that came to their present holder a short while ago; loaded only for check 8003."""

    range: Range
    registry: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """What the hub's operator sets. ``None`` switches a limit off.

    The shares of an issuance are per mille of the issued quantity (3/CMA.3 annex paras 58-59);
    how they are rounded to whole units no decision says, so it is a setting.
    """

    respond_by_seconds_default: int = 86_400
    respond_by_seconds_max: int = 30 * 86_400
    quantity_per_transfer_max: int | None = None
    quantity_per_day_max: int | None = None
    onward_delay_seconds: int | None = None
    sop_share_per_mille: int = 50
    omge_share_per_mille: int = 20
    share_rounding: str = "up"
    provisional_accounts_may_send: bool = False
    oimp_deadline_years_after_period: int = 1
    oimp_deadline_warning_days: int | None = 90


@dataclass(frozen=True, slots=True)
class ErasedBody:
    """What stands for a body accepted before whose bytes were erased: it equals no other."""

    log_index: int


@dataclass(slots=True)
class Facts:
    """The hub's view of the world for one batch, at one ``now``.

    ``suspensions`` gives the reason by (level, subject). The subject is a participant ("CHE01"), a
    sorted pair ("CHE01/THA01"), a message type, an account ("XIR01/ACC-1"), or "*" for the hub.
    ``authorizations`` holds the latest versions by (authorizing Party, id), and
    ``authorization_versions`` every version by (Party, id, version) that the batch names.
    ``crowded`` are ranges that overlap more ledger blocks than were loaded. ``frozen`` are the
    serials of open reconciliation cases. ``underlying_taken`` gives the ranges that already stand
    for underlying units that the batch names; ``underlying_new`` and ``arrivals_new`` hold what
    earlier messages of the batch brought about;
    ``later_authorized`` holds that too, beside what is on record of the units the batch names.
    ``brought_by`` gives, by block id, the completed transfer that brought a block to its present
    holder, as far as loaded. ``earlier`` holds bodies accepted before (or ErasedBody), by
    ``sequence.natural_id``. ``quantity_today`` is the quantity a registry sent out in the last 24
    hours, loaded only for check 8002.
    """

    now: datetime
    window: LedgerWindow
    hub: str = "XHB01"
    international_registry: str = "XIR01"
    mechanism_registry: str = "XMR01"
    policy: Policy = field(default_factory=Policy)
    participants: Mapping[str, Participant] = field(default_factory=dict)
    suspensions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    approaches: MutableMapping[str, CooperativeApproach] = field(default_factory=dict)
    authorizations: MutableMapping[tuple[str, str], Authorization] = field(default_factory=dict)
    authorization_versions: MutableMapping[tuple[str, str, int], Authorization] = field(
        default_factory=dict
    )
    entities: MutableMapping[tuple[str, str], AuthorizedEntity] = field(default_factory=dict)
    accounts: Mapping[tuple[str, str], Account] = field(default_factory=dict)
    transfers: MutableMapping[str, TransferRecord] = field(default_factory=dict)
    usage: MutableMapping[tuple[str, str], AuthorizationUsage] = field(default_factory=dict)
    issuances: MutableMapping[str, IssuanceRecord] = field(default_factory=dict)
    earlier: MutableMapping[str, object] = field(default_factory=dict)
    crowded: frozenset[Range] = frozenset()
    frozen: FrozenSerials = field(default_factory=FrozenSerials)
    brought_by: MutableMapping[int, TransferRecord] = field(default_factory=dict)
    underlying_taken: UnderlyingUnits = field(default_factory=UnderlyingUnits)
    underlying_new: UnderlyingUnits = field(default_factory=UnderlyingUnits)
    later_authorized: LaterAuthorizations = field(default_factory=LaterAuthorizations)
    arrivals: tuple[Arrival, ...] = ()
    arrivals_new: list[Arrival] = field(default_factory=list)
    quantity_today: MutableMapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageContext:
    """One message on its way through the checks.

    ``body`` is the decoded dataclass of ``type`` and has passed the schema. ``log_index`` is the
    index its envelope gets if recorded, ``position`` its place in the envelope, from 0.
    """

    sender: str
    recipient: str
    message_id: str
    type: str
    version: int
    body: object
    log_index: int
    position: int
    envelope_sha256: str
    received_at: datetime
