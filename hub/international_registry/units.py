"""What a unit is: its series and serial, the attributes fixed for its life, and where it stands.

1. A *series* is the identifier without the serial: cooperative approach, originating registry,
   first transferring Party, vintage (6/CMA.4 annex I para 5). Serials count within a series.
2. *Attributes* are fixed for life: a block whose attributes change would be another block.
3. A *range* is a run of serials of one series; its quantity is last - first + 1 units.
4. A *ledger block* is a range in one state. Blocks are split on demand, and the parts inherit
   everything, the first-transfer flag too: a part that forgot it could be first transferred twice.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SERIAL_MAX: Final = 2**63 - 2  # one below the largest 64-bit integer, so that last + 1 still fits


class BlockStatus(StrEnum):
    """What the units are: authorized outcomes, ITMOs, or finished."""

    AUTHORIZED = "authorized"
    ITMO = "itmo"
    USED = "used"
    CANCELLED = "cancelled"


TERMINAL_STATUSES: Final = frozenset({BlockStatus.USED, BlockStatus.CANCELLED})
"""Nothing leaves these: no transfer, use or cancellation follows (2/CMA.3 a.21(e))."""


class FirstTransferEvent(StrEnum):
    """The event by which a unit became first transferred (2/CMA.3 a.2; 4/CMA.6 paras 16-17)."""

    AUTHORIZATION = "authorization"
    ISSUANCE = "issuance"
    INTERNATIONAL_TRANSFER = "international_transfer"
    USE = "use"
    CANCELLATION = "cancellation"
    OMGE = "omge"
    ADAPTATION_FUND = "adaptation_fund"


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """An identifier without its serial, in the order of 6/CMA.4 annex I para 5.

    ``vintage`` is the calendar year of the mitigation (6/CMA.4 para 5). Whether serials are unique
    in a wider scope is not stated by the rules; we take the full tuple as the scope.
    """

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int

    def identifier(self, serial: int) -> str:
        """Return the unique identifier of one unit, such as ``CA0003-GHA01-GHA-1001-2023``."""
        return (
            f"{self.cooperative_approach}-{self.originating_registry}"
            f"-{self.first_transferring_party}-{serial}-{self.vintage}"
        )


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is fixed for a unit's life, besides its identifier (6/CMA.4 annex I para 33)."""

    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    sector: str
    activity_type: str | None = None
    non_ghg_metric: str | None = None
    gwp_values: str | None = None
    underlying_registry: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Serials ``first`` to ``last``, both included, of one series; ValueError if there are none."""

    series: Series
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= SERIAL_MAX:
            raise ValueError(f"no serials from {self.first} to {self.last}")

    def __str__(self) -> str:
        return f"{self.series.identifier(self.first)}..{self.last}"

    @property
    def quantity(self) -> int:
        """Return the number of units: one unit is one serial (7/CMA.4 annex I para 28)."""
        return self.last - self.first + 1

    @property
    def units(self) -> str:
        """Return the units as commands name them: ``FIRST_ID..LAST_ID``."""
        identifier = self.series.identifier
        return f"{identifier(self.first)}..{identifier(self.last)}"

    def overlaps(self, other: "Range") -> bool:
        """Tell whether any unit is in both."""
        return self.series == other.series and self.first <= other.last and other.first <= self.last

    def intersect(self, other: "Range") -> "Range | None":
        """Return the units that are in both, or None."""
        if not self.overlaps(other):
            return None
        return Range(self.series, max(self.first, other.first), min(self.last, other.last))


@dataclass(frozen=True, slots=True)
class LedgerBlock:
    """A run of units of one series, all in one state.

    ``registry`` (and ``account``, where the ledger tracks accounts) hold the units; the originating
    registry is part of the series and never changes. ``reserved_by`` names the one transfer in
    flight. ``introduced_by`` is set while the units are here only on the word of that reference:
    they vanish again if it comes to nothing. ``hold`` names a freeze or a suspension of the block.
    ``underlying_first`` and ``underlying_last`` bound the underlying units the block was made from;
    the parts of a split block keep both, since such ids cannot be split in general.
    """

    block_id: int
    series: Series
    first: int
    last: int
    attributes: Attributes
    registry: str
    account: str | None
    status: BlockStatus
    first_transfer: FirstTransferEvent | None = None
    reserved_by: str | None = None
    introduced_by: str | None = None
    hold: str | None = None
    underlying_first: str | None = None
    underlying_last: str | None = None

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last - self.first + 1

    @property
    def range(self) -> Range:
        """Return the serials without the state."""
        return Range(self.series, self.first, self.last)

    @property
    def is_terminal(self) -> bool:
        """Tell whether the units are used or cancelled (2/CMA.3 a.21(e))."""
        return self.status in TERMINAL_STATUSES

    def spanning(self, block_id: int, first: int, last: int) -> "LedgerBlock":
        """Return a block with other serials and the same everything else."""
        # Written out, here and below: dataclasses.replace costs three times as much, and this is
        # the hot path.
        return LedgerBlock(
            block_id,
            self.series,
            first,
            last,
            self.attributes,
            self.registry,
            self.account,
            self.status,
            self.first_transfer,
            self.reserved_by,
            self.introduced_by,
            self.hold,
            self.underlying_first,
            self.underlying_last,
        )

    def reserved_for(self, transfer_id: str | None) -> "LedgerBlock":
        """Return the block reserved by a transfer, or by none."""
        return LedgerBlock(
            self.block_id,
            self.series,
            self.first,
            self.last,
            self.attributes,
            self.registry,
            self.account,
            self.status,
            self.first_transfer,
            transfer_id,
            self.introduced_by,
            self.hold,
            self.underlying_first,
            self.underlying_last,
        )

    def split_at(self, serial: int, new_id: int) -> tuple["LedgerBlock", "LedgerBlock"]:
        """Return the units before ``serial`` (same id) and those from it on (``new_id``).

        Raises ValueError unless both parts have units.
        """
        if not self.first < serial <= self.last:
            raise ValueError(f"{self.range} has no two parts at {serial}")
        return (
            self.spanning(self.block_id, self.first, serial - 1),
            self.spanning(new_id, serial, self.last),
        )


def are_one(left: LedgerBlock, right: LedgerBlock) -> bool:
    """Tell whether two blocks touch and are equal in everything but id and serials."""
    return (
        left.last + 1 == right.first
        and left.series == right.series
        and _state_of(left) == _state_of(right)
    )


def _state_of(block: LedgerBlock) -> tuple[object, ...]:
    return (
        block.attributes,
        block.registry,
        block.account,
        block.status,
        block.first_transfer,
        block.reserved_by,
        block.introduced_by,
        block.hold,
        block.underlying_first,
        block.underlying_last,
    )
