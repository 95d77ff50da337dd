"""The shares that leave an issuance of A6.4ERs before the rest is forwarded.

5 % of what is issued goes to the Adaptation Fund (3/CMA.3 a.58, 67(a)), unless the activity is in
a least developed country or small island developing State and the host did not waive the exemption
(6/CMA.6 para 20). At least 2 % is cancelled for overall mitigation in global emissions, OMGE
(3/CMA.3 a.59, 69). How a share is rounded to whole units was not found, so it is a setting; ours
rounds up, which never takes less than the rule asks.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

SOP_SHARE: Final = Fraction(5, 100)
OMGE_SHARE: Final = Fraction(2, 100)


class Rounding(StrEnum):
    """How a share of whole units becomes whole units."""

    UP = "up"
    DOWN = "down"
    HALF_EVEN = "half_even"


@dataclass(frozen=True, slots=True)
class Shares:
    """Whole units due to the Adaptation Fund and to OMGE; the second is a minimum."""

    sop: int
    omge: int


def share_of(quantity: int, share: Fraction | Decimal, rounding: Rounding = Rounding.UP) -> int:
    """Return the share of a quantity in whole units, computed without floating point.

    Raises ValueError for a quantity below zero or a share outside 0 to 1.
    """
    numerator, denominator = share.as_integer_ratio()
    if quantity < 0 or not 0 <= numerator <= denominator:
        raise ValueError(f"no share {share} of {quantity}")
    whole, rest = divmod(quantity * numerator, denominator)
    match rounding:
        case Rounding.UP:
            return whole + (rest > 0)
        case Rounding.DOWN:
            return whole
        case Rounding.HALF_EVEN:
            half = 2 * rest - denominator
            return whole + (half > 0 or (half == 0 and whole % 2 == 1))


def shares_due(
    issued: int,
    *,
    sop_exempt: bool,
    sop_share: Fraction | Decimal = SOP_SHARE,
    omge_share: Fraction | Decimal = OMGE_SHARE,
    rounding: Rounding = Rounding.UP,
) -> Shares:
    """Return the whole units due of ``issued`` units, authorized and contribution alike."""
    return Shares(
        sop=0 if sop_exempt else share_of(issued, sop_share, rounding),
        omge=share_of(issued, omge_share, rounding),
    )


def shares_are_done(due: Shares, *, sop_done: int, omge_done: int) -> bool:
    """Tell whether both shares have left, so that the rest may be forwarded (7/CMA.4 I.39-41)."""
    return sop_done >= due.sop and omge_done >= due.omge


def quantity_forwardable(issued: int, due: Shares, *, omge_done: int, forwarded: int) -> int:
    """Return how many units may still be forwarded: what is issued less shares and forwardings.

    Participants may have asked for more OMGE than is due; what was cancelled counts. Never below 0.
    """
    return max(0, issued - due.sop - max(due.omge, omge_done) - forwarded)
