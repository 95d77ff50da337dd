"""The kinds of line in a feed of A6.4ERs. PURE.

``issuance``              what was issued, and how much of it the two shares took;
``first_transfer``        one block of units. Authorized ones leave as ITMOs: to an account of the
                          international registry (forwarding), to the Adaptation Fund (share of
                          proceeds), or cancelled for overall mitigation (OMGE). Contribution
                          units stay: taken as a share within the mechanism registry, or held;
``authorization_change``  contribution units that their host Party authorized later, with those of
                          the two shares that follow them (6/CMA.6 paras 12-14);
``retirement``            units used in the mechanism registry, for an NDC or for OIMP;
``cancellation``          units cancelled there.

One line, one message with an id of its own; a line of contribution units is no message: it is kept
back, and counts for the completeness of the shares of its issuance.

``feeds.fields`` makes these from the fields of a line; whoever holds one holds valid values.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

Span: TypeAlias = tuple[int, int]
"""A run of serials, both ends included."""


class BlockKind(StrEnum):
    """What happens to a block (7/CMA.4 I.35, I.39-41); only contribution units are HELD."""

    FORWARDING = "forwarding"
    SOP_ADAPTATION = "sop_adaptation"
    OMGE = "omge"
    HELD = "held"


class CancellationKind(StrEnum):
    """Why units were cancelled in the mechanism registry (7/CMA.4 I.32)."""

    VOLUNTARY = "voluntary"
    OMGE = "omge"
    OIMP = "oimp"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class IssuanceLine:
    """One issuance (7/CMA.4 I.37-38); quantities in units of one t CO2 eq, ``issued_at`` UTC."""

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
    issued_at: str
    sop_exemption: str | None = None
    sop_exemption_waived: bool | None = None
    sop_contribution_quantity: int | None = None
    omge_contribution_quantity: int | None = None


@dataclass(frozen=True, slots=True)
class UnitBlockLine:
    """One block of first-transferred units; ``quantity`` in t CO2 eq.

    The identity of a unit (6/CMA.4 I.5) is the cooperative approach, the originating registry
    (the mechanism registry that pushes), the first transferring Party (the host Party), the
    serial number and the vintage.
    """

    first_transfer_id: str
    kind: BlockKind
    issuance_id: str
    activity_id: str
    host_party: str
    cooperative_approach: str
    vintage: int
    first_serial: int
    last_serial: int
    quantity: int
    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    authorization_status: str
    sector: str
    acquiring_account: str
    activity_type: str | None = None
    gwp_values: str | None = None
    underlying_registry: str | None = None
    underlying_first_unit_id: str | None = None
    underlying_last_unit_id: str | None = None

    def identifier(self, registry: str) -> tuple[str, str]:
        """Return the first and the last unit's identifier (6/CMA.4 I.5)."""
        return identifiers_of(self, registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsOfIssuance:
    """What lines of units have in common beside those of ``first_transfer``; a run of serials."""

    issuance_id: str
    activity_id: str
    host_party: str
    cooperative_approach: str
    vintage: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionLine(UnitsOfIssuance):
    """One block of mitigation contribution units (7/CMA.4 I.29): kept back, never an ITMO.

    They have no authorization; fields that only authorized units need may stand or not.
    """

    first_transfer_id: str
    kind: BlockKind
    authorization_status: str
    first_serial: int
    last_serial: int
    metric: str | None = None
    mitigation_type: str | None = None
    sector: str | None = None
    acquiring_account: str | None = None
    authorization_id: str | None = None
    authorization_version: int | None = None
    activity_type: str | None = None
    gwp_values: str | None = None
    underlying_registry: str | None = None
    underlying_first_unit_id: str | None = None
    underlying_last_unit_id: str | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Return the runs of serials."""
        return ((self.first_serial, self.last_serial),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationChangeLine(UnitsOfIssuance):
    """Contribution units that became authorized; ``quantity`` is of all three runs of serials.

    ``first_serial`` to ``last_serial`` are held by the activity's participants. The other two runs
    were taken as shares at issuance, and are credited to the accounts named.
    """

    change_id: str
    changed_at: str
    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    sector: str
    first_serial: int | None = None
    last_serial: int | None = None
    sop_first_serial: int | None = None
    sop_last_serial: int | None = None
    sop_account: str | None = None
    omge_first_serial: int | None = None
    omge_last_serial: int | None = None
    omge_account: str | None = None
    activity_type: str | None = None
    gwp_values: str | None = None

    @property
    def held(self) -> Span | None:
        """Return the serials that participants hold."""
        return _span(self.first_serial, self.last_serial)

    @property
    def sop(self) -> Span | None:
        """Return the serials that were taken for adaptation."""
        return _span(self.sop_first_serial, self.sop_last_serial)

    @property
    def omge(self) -> Span | None:
        """Return the serials that were cancelled for OMGE."""
        return _span(self.omge_first_serial, self.omge_last_serial)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Return the runs of serials."""
        return tuple(span for span in (self.held, self.sop, self.omge) if span is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedUnits(UnitsOfIssuance):
    """Authorized units that end in the mechanism registry, in an account of the Party named."""

    action_id: str
    first_serial: int
    last_serial: int
    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    sector: str
    account: str
    account_party: str
    oimp_purpose: str | None = None
    activity_type: str | None = None
    gwp_values: str | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Return the runs of serials."""
        return ((self.first_serial, self.last_serial),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementLine(EndedUnits):
    """Units retired there: used towards an NDC, or for OIMP (7/CMA.4 I.32, I.44)."""

    using_party: str
    purpose: str
    calendar_year: int | None = None
    using_entity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationLine(EndedUnits):
    """Units cancelled there beyond the share taken at issuance (7/CMA.4 I.32)."""

    cancelling_party: str
    cancellation_kind: CancellationKind
    cancelling_entity: str | None = None


MovedLine: TypeAlias = UnitBlockLine | RetirementLine | CancellationLine
UnitsLine: TypeAlias = MovedLine | ContributionLine | AuthorizationChangeLine
Row: TypeAlias = IssuanceLine | UnitsLine

ISSUANCE: Final = "issuance"
FIRST_TRANSFER: Final = "first_transfer"
CONTRIBUTION: Final = "contribution"
AUTHORIZATION_CHANGE: Final = "authorization_change"
RETIREMENT: Final = "retirement"
CANCELLATION: Final = "cancellation"
RECORDS: Final[Mapping[str, type[Row]]] = MappingProxyType(
    {
        ISSUANCE: IssuanceLine,
        FIRST_TRANSFER: UnitBlockLine,
        AUTHORIZATION_CHANGE: AuthorizationChangeLine,
        RETIREMENT: RetirementLine,
        CANCELLATION: CancellationLine,
    }
)
"""The value of the ``record`` field, and the line it makes."""

NO_MOVEMENT: Final = (ISSUANCE, AUTHORIZATION_CHANGE)
"""Kinds of line whose quantity moves no unit: it is counted again when the units leave."""
KEPT_PREFIX: Final = f"{CONTRIBUTION} "


def record_of(row: Row) -> str:
    """Return the value of a line's ``record`` field."""
    if isinstance(row, ContributionLine):
        return FIRST_TRANSFER
    return next(name for name, kind in RECORDS.items() if type(row) is kind)


def kind_of(row: Row) -> str:
    """Return what a line is for reports and sums, such as ``forwarding`` or ``contribution held``.

    Only lines whose kind begins with ``KEPT_PREFIX`` are no messages.
    """
    if isinstance(row, ContributionLine):
        return f"{KEPT_PREFIX}{row.kind.value}"
    return row.kind.value if isinstance(row, UnitBlockLine) else record_of(row)


def account_of(row: Row) -> str | None:
    """Return the account that a line's units go to or end in; None where there is no one."""
    if isinstance(row, UnitBlockLine | ContributionLine):
        return row.acquiring_account
    return row.account if isinstance(row, EndedUnits) else None


def spans_of(row: UnitsLine) -> tuple[Span, ...]:
    """Return a line's runs of serials, both ends included."""
    return ((row.first_serial, row.last_serial),) if isinstance(row, UnitBlockLine) else row.spans


def identifiers_of(row: UnitsLine, registry: str) -> tuple[str, str]:
    """Return the identifiers of the lowest and the highest unit of a line (6/CMA.4 I.5)."""
    spans = spans_of(row)
    head = f"{row.cooperative_approach}-{registry}-{row.host_party}"
    first, last = min(spans)[0], max(spans)[1]
    return f"{head}-{first}-{row.vintage}", f"{head}-{last}-{row.vintage}"


def reference_of(row: Row) -> str:
    """Return the name of a line's message; the kinds of id may use the same numbers."""
    if isinstance(row, UnitBlockLine | ContributionLine):
        return row.first_transfer_id
    if isinstance(row, IssuanceLine):
        return issuance_reference(row.issuance_id)
    if isinstance(row, AuthorizationChangeLine):
        return f"change {row.change_id}"
    return f"action {row.action_id}"


def issuance_reference(issuance_id: str) -> str:
    """Return the name of an issuance's message."""
    return f"{ISSUANCE} {issuance_id}"


def content_sha256(row: Row) -> str:
    """Return the digest by which the same content is known again."""
    return hashlib.sha256(msgspec.json.encode(row)).hexdigest()


def _span(first: int | None, last: int | None) -> Span | None:
    return None if first is None or last is None else (first, last)
