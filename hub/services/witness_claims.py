"""What witnesses say against the log, and how many it takes to stop it.

1. A claim is a tree that this log did not publish: larger than ours, or other than its beginning.
2. Enough witnesses that claim so within five minutes halt the log: a lost tail or a fork is seen by
   all who cosigned it, a single false witness stops nobody. Enough is what the operator set, two if
   nothing was; never more than there are to be asked, so an only witness halts alone.
3. A size that no log of ours could have reached since is nonsense: an alert, never a halt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

HALT_COUNT: Final = 2
CLAIM_COUNTS_FOR: Final = timedelta(minutes=5)
AHEAD_MAX: Final = 10**9
"""Entries that a log can have lost; at ten thousand a second they take more than a day."""

REMEDY: Final = "restore the lost tail, or accept the loss"
REMEDY_ALONE: Final = (
    "too few say so to halt the log; ask its operator, look for a lost tail, or take the witness "
    "out of the policy"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a witness said last against the log: the size of its tree, in words, and when."""

    size: int
    detail: str
    at: datetime
    is_plausible: bool

    def repeats(self, before: "Claim | None") -> bool:
        """Tell whether the witness claimed the same before."""
        return before is not None and before.size == self.size


class ClaimError(Exception):
    """A witness contradicts the log with a tree of ``size`` entries."""

    def __init__(self, words: str, size: int, is_plausible: bool) -> None:
        super().__init__(words)
        self.size = size
        self.is_plausible = is_plausible


def of_larger_tree(name: str, said: int, ours: int) -> ClaimError:
    """Return the claim of a tree larger than any that was published."""
    words = f"witness {name} cosigned {said} entries, and the log has {ours}"
    return ClaimError(words, said, said - ours <= AHEAD_MAX)


def of_other_tree(name: str, old: int, size: int) -> ClaimError:
    """Return the claim of a tree of ``old`` entries that ours does not continue."""
    words = f"witness {name} cosigned another tree of {old} entries than the one that begins our"
    return ClaimError(f"{words} {size}", old, is_plausible=True)


def halt_count(wanted: int | None, among: int) -> int:
    """Return how many of ``among`` witnesses it takes to halt the log, 1 at least."""
    return max(1, min(wanted or HALT_COUNT, among))


def halting(claims: Mapping[str, Claim], needed: int, now: datetime) -> dict[str, Claim]:
    """Return the claims that halt the log, by witness: none if they are too few."""
    counted = {
        name: one
        for name, one in claims.items()
        if one.is_plausible and now - one.at <= CLAIM_COUNTS_FOR
    }
    return counted if len(counted) >= needed else {}
