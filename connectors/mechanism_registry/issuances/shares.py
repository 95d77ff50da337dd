"""The two shares taken from every issuance before the rest may leave. PURE.

1. Share of proceeds for adaptation: 5 % of the units issued go to the Adaptation Fund's account
   at once (3/CMA.3 a.58, a.67(a)); activities in least developed countries and small island
   developing States are exempt (6/CMA.6 para 20).
2. Overall mitigation in global emissions: at least 2 % are cancelled at once (3/CMA.3 a.59, a.69;
   7/CMA.4 I.40); the activity's participants may ask for more.
3. Both are first transfers when the units are authorized (7/CMA.4 I.39-40), and come before any
   forwarding of the same issuance (7/CMA.4 I.41).

4. Units that end in the mechanism registry, retired or cancelled, leave like forwarded ones.
5. Contribution units may be authorized later; the shares follow (6/CMA.6 paras 12-14).

How a share that is no whole number is rounded is written nowhere (units are indivisible,
7/CMA.4 I.28), so it is a setting. The shares are of all units issued, authorized and contribution.
How they are spread over the two is exact where the feed shows it: the issuance line may say how
much of a share is contribution units, and lines of contribution units count towards their share.
Where neither is there, what must have come before the rest leaves is what the stated shares claim
of the authorized quantity, in proportion, rounded down; the hub reckons the same way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.feeds.rows import (
    CANCELLATION,
    KEPT_PREFIX,
    RETIREMENT,
    AuthorizationChangeLine,
    BlockKind,
    IssuanceLine,
)
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
class ShareTally:
    """One of the two shares of an issuance, in units.

    ``quantity`` is the share as stated; ``contribution`` its part that was contribution units at
    issuance, as stated or in proportion; ``done`` what authorized lines took, ``shown`` what lines
    of contribution units show, ``later`` what was authorized since (``done`` counts that too).
    """

    name: str
    quantity: int
    contribution: int
    stated: bool
    done: int = 0
    shown: int = 0
    later: int = 0

    @property
    def due(self) -> int:
        """Return the authorized units that must have come before the rest may leave."""
        return self.quantity - self.contribution + self.later

    @property
    def taken(self) -> int:
        """Return the units of the share that lines show, of either status."""
        return self.done + max(0, self.shown - self.later)

    @property
    def left_to_authorize(self) -> int:
        """Return the units of the share that are contribution units today."""
        return min(self.contribution - self.later, self.quantity - self.done)

    def missing(self, *, to_the_unit: bool) -> str | None:
        """Return what is missing in words, or None; ``to_the_unit`` asks for the whole share."""
        if self.done < self.due:
            return f"{self.due - self.done} of {self.due} authorized units {self.name}"
        if to_the_unit and self.taken < self.quantity:
            return f"{self.quantity - self.taken} of {self.quantity} units {self.name}"
        return None


@dataclass(slots=True)
class IssuanceTally:
    """What the feed (and feeds before it) took out of one issuance so far, in units."""

    issuance: IssuanceLine
    sop: ShareTally
    omge: ShareTally
    forwarded: int = 0
    held_shown: int = 0
    authorized_later: int = 0

    @classmethod
    def of(cls, issuance: IssuanceLine) -> "IssuanceTally":
        """Return an empty tally: what of the shares is contribution units, stated or in part."""
        authorized, issued = issuance.authorized_quantity, issuance.issued_quantity

        def share(name: str, quantity: int, stated: int | None) -> ShareTally:
            in_proportion = quantity - quantity * authorized // issued
            contribution = in_proportion if stated is None else stated
            return ShareTally(name, quantity, contribution, stated is not None)

        return cls(
            issuance,
            share("for adaptation", issuance.sop_quantity, issuance.sop_contribution_quantity),
            share("of OMGE", issuance.omge_quantity, issuance.omge_contribution_quantity),
        )

    @property
    def sop_due(self) -> int:
        """Return the authorized units due to the Adaptation Fund before the rest leaves."""
        return self.sop.due

    @property
    def omge_due(self) -> int:
        """Return the authorized units to be cancelled for OMGE before the rest leaves."""
        return self.omge.due

    @property
    def sop_done(self) -> int:
        """Return the authorized units that went to the Adaptation Fund."""
        return self.sop.done

    @property
    def omge_done(self) -> int:
        """Return the authorized units that were cancelled for OMGE."""
        return self.omge.done

    @property
    def authorized_now(self) -> int:
        """Return the units authorized at issuance and since."""
        return self.issuance.authorized_quantity + self.authorized_later

    @property
    def contribution_shown(self) -> int:
        """Return the units that lines of contribution units name."""
        return self.sop.shown + self.omge.shown + self.held_shown

    @property
    def shares_complete(self) -> bool:
        """Tell whether the rest may leave."""
        return not self._missing()

    def _missing(self) -> list[str]:
        to_the_unit = self.contribution_shown > 0
        parts = (share.missing(to_the_unit=to_the_unit) for share in (self.sop, self.omge))
        return [part for part in parts if part is not None]

    def take(self, kind: str, quantity: int) -> Problem | None:
        """Count authorized units that leave, or return why they may not (nothing changes then).

        Every kind but the two shares is the rest: forwarded, retired, cancelled.
        """
        taken = self.sop.done + self.omge.done + self.forwarded + quantity
        if taken > self.authorized_now:
            return self._exceeds("authorized_quantity", self.authorized_now, taken)
        if kind == BlockKind.SOP_ADAPTATION:
            return self._take_share(self.sop, "sop_quantity", quantity)
        if kind == BlockKind.OMGE:
            return self._take_share(self.omge, "omge_quantity", quantity)
        if missing := self._missing():
            text = f"{self.issuance.issuance_id}: the rest leaves before both shares are complete; "
            text += f"missing on the lines so far: {' and '.join(missing)}"
            return Problem(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, text, "kind")
        left = self.authorized_now - max(self.sop.due, self.sop.done)
        left -= max(self.omge.due, self.omge.done)
        if self.forwarded + quantity > left:
            return self._exceeds("authorized_quantity less shares", left, self.forwarded + quantity)
        self.forwarded += quantity
        return None

    def _take_share(self, share: ShareTally, field: str, quantity: int) -> Problem | None:
        limit = share.due if share.stated else share.quantity
        if (done := share.done + quantity) > limit:
            return self._exceeds(field, limit, done)
        share.done = done
        return None

    def take_contribution(self, kind: BlockKind, quantity: int) -> Problem | None:
        """Count contribution units that stay, or return why there cannot be so many."""
        most = self.issuance.issued_quantity - self.issuance.authorized_quantity
        if (shown := self.contribution_shown + quantity) > most:
            return self._exceeds("issued less authorized quantity", most, shown)
        if kind is BlockKind.HELD:
            self.held_shown += quantity
            return None
        share, field = (
            (self.sop, "sop_quantity")
            if kind is BlockKind.SOP_ADAPTATION
            else (self.omge, "omge_quantity")
        )
        limit = share.contribution if share.stated else share.quantity
        if (taken := share.shown + quantity) > limit:
            return self._exceeds(field, limit, taken)
        share.shown = taken
        return None

    def authorize(self, held: int, sop: int, omge: int) -> Problem | None:
        """Count units authorized later with their shares, or return why that cannot be."""
        contribution = self.issuance.issued_quantity - self.authorized_now
        shares = ((self.sop, sop), (self.omge, omge))
        most = contribution - sum(share.left_to_authorize for share, _ in shares)
        if held > most:
            return self._exceeds("contribution units held", most, held)
        for share, quantity in shares:
            if quantity > share.left_to_authorize:
                name = f"contribution units {share.name}"
                return self._exceeds(name, share.left_to_authorize, quantity)
        total = held + sop + omge
        for share, quantity in shares:
            if quantity < (least := self._least_adjusted(share, total)):
                text = (
                    f"{self.issuance.issuance_id}: with {total} units authorized later at least "
                    f"{least} units {share.name} become authorized; the line names {quantity}"
                )
                return Problem(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, text, "quantity")
        for share, quantity in shares:
            share.done += quantity
            share.later += quantity
        self.authorized_later += total
        return None

    def _least_adjusted(self, share: ShareTally, total: int) -> int:
        """Return what of a share follows, in proportion to all that is authorized later."""
        issuance = self.issuance
        contribution = max(1, issuance.issued_quantity - issuance.authorized_quantity)
        part = min(contribution, self.authorized_later + total)
        claimed = share.contribution * part // contribution
        return min(share.left_to_authorize, claimed - share.later)

    def restore(self, sums: Mapping[str, int], changes: Iterable[AuthorizationChangeLine]) -> None:
        """Count what earlier feeds drew, by kind of line, and what they authorized later."""
        shown = {kind: sums.get(f"{KEPT_PREFIX}{kind.value}", 0) for kind in BlockKind}
        self.sop.done += sums.get(BlockKind.SOP_ADAPTATION, 0)
        self.omge.done += sums.get(BlockKind.OMGE, 0)
        self.sop.shown, self.omge.shown = shown[BlockKind.SOP_ADAPTATION], shown[BlockKind.OMGE]
        self.held_shown = shown[BlockKind.HELD]
        for kind in (BlockKind.FORWARDING, RETIREMENT, CANCELLATION):
            self.forwarded += sums.get(kind, 0)
        for change in changes:
            self.authorized_later += change.quantity
            for share, span in ((self.sop, change.sop), (self.omge, change.omge)):
                units = 0 if span is None else span[1] - span[0] + 1
                share.done += units
                share.later += units

    def _exceeds(self, field: str, limit: int, taken: int) -> Problem:
        text = f"{self.issuance.issuance_id}: {taken} units taken where {field} is {limit}"
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
    problems.extend(_judge_contribution_parts(issuance))
    return tuple(problems)


def _judge_contribution_parts(issuance: IssuanceLine) -> Iterator[Problem]:
    """Judge what an issuance line says of the contribution units within its shares."""
    code = ResponseCode.SHARE_EXCEEDS_ISSUANCE
    sop, omge = issuance.sop_contribution_quantity, issuance.omge_contribution_quantity
    for field, stated, most in (
        ("sop_contribution_quantity", sop or 0, issuance.sop_quantity),
        ("omge_contribution_quantity", omge or 0, issuance.omge_quantity),
    ):
        if stated > most:
            yield Problem(code, f"{field} is {stated} in a share of {most}", field, str(stated))
    contribution = issuance.issued_quantity - issuance.authorized_quantity
    together = (sop or 0) + (omge or 0)
    if together > max(0, contribution):
        text = f"{together} contribution units in the shares, {contribution} issued"
        yield Problem(code, text, "sop_contribution_quantity")
    authorized = issuance.sop_quantity + issuance.omge_quantity - together
    if None not in {sop, omge} and authorized > issuance.authorized_quantity:
        text = f"{authorized} authorized units in the shares, fewer authorized in all"
        yield Problem(code, text, "authorized_quantity")
