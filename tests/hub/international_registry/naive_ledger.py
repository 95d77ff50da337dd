"""The plainest ledger there is: one entry a serial. Slow, and hard to get wrong.

The window is tested against it. Each operation is all or nothing: ``RefusedError`` means that a
precondition does not hold and that nothing changed. It has serials, no blocks and no postings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from hub.international_registry.replay import Standing, span_of
from hub.international_registry.units import (
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)

Unit = tuple[Series, int]
ENDED = (BlockStatus.USED, BlockStatus.CANCELLED)


class RefusedError(Exception):
    """The operation's precondition does not hold."""


def units_of(blocks: Iterable[LedgerBlock]) -> dict[Unit, Standing]:
    """Return what blocks say, unit by unit; fails if a unit is in two blocks."""
    units: dict[Unit, Standing] = {}
    for block in blocks:
        for serial in range(block.first, block.last + 1):
            assert (block.series, serial) not in units, f"unit {serial} is in two blocks"
            units[block.series, serial] = span_of(block).standing
    return units


@dataclass
class NaiveLedger:
    """Units by series and serial."""

    units: dict[Unit, Standing]

    def introduce(self, range_: Range, standing: Standing) -> None:
        """Bring units in that are not there."""
        serials = list(_serials([range_]))
        if any(unit in self.units for unit in serials):
            raise RefusedError
        self.units.update(dict.fromkeys(serials, standing))

    def reserve(self, ranges: list[Range], transfer_id: str) -> None:
        """Reserve free units."""
        self._change(ranges, _is_free, lambda unit: replace(unit, reserved_by=transfer_id))

    def withdraw(self, reference: str) -> None:
        """Remove what the reference introduced and reserves; what is frozen stays, free."""
        for unit, standing in list(self.units.items()):
            if not standing.introduced_by == standing.reserved_by == reference:
                continue
            if standing.hold is None:
                del self.units[unit]
            else:
                self.units[unit] = replace(standing, reserved_by=None, introduced_by=None)

    def release(self, transfer_id: str) -> None:
        """Free what the transfer reserves, unless it introduced some of it."""
        mine = self._reserved(transfer_id)
        if any(self.units[unit].introduced_by == transfer_id for unit in mine):
            raise RefusedError
        for unit in mine:
            self.units[unit] = replace(self.units[unit], reserved_by=None)

    def move(self, transfer_id: str, registry: str, event: FirstTransferEvent | None) -> None:
        """Give what the transfer reserves to a registry."""
        mine = self._reserved(transfer_id)
        if not mine:
            raise RefusedError
        for unit in mine:
            before = self.units[unit]
            self.units[unit] = replace(
                before,
                registry=registry,
                account=None,
                status=BlockStatus.ITMO,
                first_transfer=before.first_transfer or event,
                reserved_by=None,
                introduced_by=None,
            )

    def end(
        self, ranges: list[Range], status: BlockStatus, event: FirstTransferEvent | None
    ) -> None:
        """Use or cancel free units."""
        self._change(
            ranges,
            _is_free,
            lambda unit: replace(
                unit,
                status=status,
                first_transfer=unit.first_transfer or event,
                introduced_by=None,
            ),
        )

    def settle(self, ranges: list[Range], event: FirstTransferEvent) -> None:
        """Record the first transfer of free units where they lie."""
        self._change(
            ranges,
            lambda unit: _is_free(unit) and unit.first_transfer is None,
            lambda unit: replace(
                unit, status=BlockStatus.ITMO, first_transfer=event, introduced_by=None
            ),
        )

    def correct(self, range_: Range, holder: str, registry: str) -> None:
        """Give free ITMOs of a holder, first transferred, to another registry."""
        self._change(
            [range_],
            lambda unit: (
                _is_free(unit)
                and unit.first_transfer is not None
                and unit.status is BlockStatus.ITMO
                and unit.registry == holder
            ),
            lambda unit: replace(unit, registry=registry, account=None),
        )

    def hold(self, ranges: list[Range], reference: str) -> None:
        """Freeze units that are not frozen."""
        self._change(
            ranges, lambda unit: unit.hold is None, lambda unit: replace(unit, hold=reference)
        )

    def unhold(self, range_: Range) -> None:
        """Lift freezes; what only a freeze kept here leaves."""
        for unit in _serials([range_]):
            standing = self.units.get(unit)
            if standing is None or standing.hold is None:
                continue
            provisional = standing.introduced_by or standing.reserved_by
            if standing.status is BlockStatus.AUTHORIZED and provisional is None:
                del self.units[unit]
            else:
                self.units[unit] = replace(standing, hold=None)

    def _reserved(self, transfer_id: str) -> list[Unit]:
        return [
            unit for unit, standing in self.units.items() if standing.reserved_by == transfer_id
        ]

    def _change(
        self,
        ranges: list[Range],
        allows: Callable[[Standing], bool],
        change: Callable[[Standing], Standing],
    ) -> None:
        serials = list(_serials(ranges))
        if len(set(serials)) < len(serials):
            raise RefusedError
        if not all(unit in self.units and allows(self.units[unit]) for unit in serials):
            raise RefusedError
        for unit in serials:
            self.units[unit] = change(self.units[unit])


def _serials(ranges: Iterable[Range]) -> Iterable[Unit]:
    for range_ in ranges:
        for serial in range(range_.first, range_.last + 1):
            yield range_.series, serial


def _is_free(unit: Standing) -> bool:
    return unit.reserved_by is None and unit.hold is None and unit.status not in ENDED
