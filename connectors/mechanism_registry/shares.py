"""The two shares taken from every issuance before the rest may leave. PURE.

1. Share of proceeds for adaptation: 5 % of the units issued go to the Adaptation Fund's account
   at once (3/CMA.3 a.58, a.67(a)); activities in least developed countries and small island
   developing States are exempt (6/CMA.6 para 20).
2. Overall mitigation in global emissions: at least 2 % are cancelled at once (3/CMA.3 a.59, a.69;
   7/CMA.4 I.40); the activity's participants may ask for more.
3. Both are first transfers when the units are authorized (7/CMA.4 I.39-40), and come before any
   forwarding of the same issuance (7/CMA.4 I.41).

How a share that is no whole number is rounded is written nowhere (units are indivisible,
7/CMA.4 I.28), so it is a setting. The issuance line states what was taken of all units issued,
while the feed holds authorized units only. How the shares are spread over authorized and other
units is not written either: what must have come before forwarding is what the stated shares claim
of the authorized quantity, in proportion, rounded down.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from connectors.mechanism_registry.feed_rows import BlockKind, IssuanceLine
from connectors.mechanism_registry.problems import Problem
from hub.protocol.response_codes import ResponseCode


class ShareRounding(StrEnum):
    """What happens to a share that is no whole number of units."""

    UP = "up"
    DOWN = "down"
    HALF_EVEN = "half-even"


ROUNDINGS: Final = {
    ShareRounding.UP: ROUND_CEILING,
    ShareRounding.DOWN: ROUND_FLOOR,
    ShareRounding.HALF_EVEN: ROUND_HALF_EVEN,
}


@dataclass(frozen=True, slots=True)
class ShareRules:
    """The shares as fractions of one, and the rounding; all three are settings."""

    sop_share: Decimal = Decimal("0.05")
    omge_share: Decimal = Decimal("0.02")
    rounding: ShareRounding = ShareRounding.UP

    def sop_due(self, quantity: int, *, exempt: bool) -> int:
        """Return the units due to the Adaptation Fund out of ``quantity`` (t CO2 eq)."""
        return 0 if exempt else self._part(quantity, self.sop_share)

    def omge_due(self, quantity: int) -> int:
        """Return the units to be cancelled for OMGE out of ``quantity``, at the least."""
        return self._part(quantity, self.omge_share)

    def _part(self, quantity: int, share: Decimal) -> int:
        return int((quantity * share).to_integral_value(ROUNDINGS[self.rounding]))


@dataclass(slots=True)
class IssuanceTally:
    """What the feed (and feeds before it) took out of one issuance so far, in units."""

    issuance: IssuanceLine
    sop_due: int
    omge_due: int
    sop_done: int = 0
    omge_done: int = 0
    forwarded: int = 0

    @classmethod
    def of(cls, issuance: IssuanceLine) -> "IssuanceTally":
        """Return an empty tally with what the stated shares claim of the authorized units."""
        authorized, issued = issuance.authorized_quantity, issuance.issued_quantity
        return cls(
            issuance,
            sop_due=issuance.sop_quantity * authorized // issued,
            omge_due=issuance.omge_quantity * authorized // issued,
        )

    @property
    def shares_complete(self) -> bool:
        """Tell whether the rest may be forwarded."""
        return self.sop_done >= self.sop_due and self.omge_done >= self.omge_due

    def take(self, kind: BlockKind, quantity: int) -> Problem | None:
        """Count one block, or return why it may not be taken (nothing is counted then)."""
        issuance = self.issuance
        taken = self.sop_done + self.omge_done + self.forwarded + quantity
        if taken > issuance.authorized_quantity:
            return _exceeds(issuance, "authorized_quantity", issuance.authorized_quantity, taken)
        if kind is BlockKind.SOP_ADAPTATION:
            return self._take_sop(quantity)
        if kind is BlockKind.OMGE:
            return self._take_omge(quantity)
        if not self.shares_complete:
            return Problem(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, self._incomplete(), "kind")
        self.forwarded += quantity
        return None

    def _take_sop(self, quantity: int) -> Problem | None:
        if (done := self.sop_done + quantity) > self.issuance.sop_quantity:
            return _exceeds(self.issuance, "sop_quantity", self.issuance.sop_quantity, done)
        self.sop_done = done
        return None

    def _take_omge(self, quantity: int) -> Problem | None:
        if (done := self.omge_done + quantity) > self.issuance.omge_quantity:
            return _exceeds(self.issuance, "omge_quantity", self.issuance.omge_quantity, done)
        self.omge_done = done
        return None

    def _incomplete(self) -> str:
        return (
            f"{self.issuance.issuance_id}: forwarding before both shares are complete; lines so "
            f"far hold {self.sop_done} of {self.sop_due} units for adaptation and "
            f"{self.omge_done} of {self.omge_due} units of OMGE cancellation"
        )


def _exceeds(issuance: IssuanceLine, field: str, limit: int, taken: int) -> Problem:
    text = f"{issuance.issuance_id}: {taken} units taken where {field} is {limit}"
    return Problem(ResponseCode.SHARE_EXCEEDS_ISSUANCE, text, "quantity")


def judge_issuance(issuance: IssuanceLine, rules: ShareRules) -> tuple[Problem, ...]:
    """Return what is wrong with an issuance's own figures; empty when nothing is.

    Shares below the minimum are ISSUANCE_SHARES_INCOMPLETE, parts larger than the whole
    SHARE_EXCEEDS_ISSUANCE.
    """
    problems = []
    issued = issuance.issued_quantity
    minimum = {
        "sop_quantity": rules.sop_due(issued, exempt=issuance.sop_exempt),
        "omge_quantity": rules.omge_due(issued),
    }
    for field, due in minimum.items():
        stated: int = getattr(issuance, field)
        if stated < due:
            text = f"{field} is {stated}; of {issued} units issued at least {due} are due"
            problems.append(Problem(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, text, field))
    parts = {
        "authorized_quantity": issuance.authorized_quantity,
        "sop_quantity": issuance.sop_quantity + issuance.omge_quantity,
    }
    for field, part in parts.items():
        if part > issued:
            text = f"{part} units ({field}) out of {issued} units issued"
            problems.append(Problem(ResponseCode.SHARE_EXCEEDS_ISSUANCE, text, field))
    return tuple(problems)
