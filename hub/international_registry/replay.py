"""The journal played again from nothing: what units a series has, and in which state.

This is the ledger's second opinion, so it shares no operation with the window: it knows postings
and serials only, and keeps the plainest state that can answer, an ordered list of spans. Each
posting is judged before it is applied; one that breaks a rule is refused with the reason.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from hub.international_registry.postings import EFFECTS, Posting, PostingKind
from hub.international_registry.units import (
    TERMINAL_STATUSES,
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
)


class JournalError(ValueError):
    """A posting that cannot follow what the journal said before."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All there is to know of a unit but its serial and the id of its row."""

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


class Span(NamedTuple):
    """Serials ``first`` to ``last`` of a series, all in one standing."""

    first: int
    last: int
    standing: Standing


def span_of(block: LedgerBlock) -> Span:
    """Return what a row of the ledger says, without its id."""
    return Span(
        block.first,
        block.last,
        Standing(
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
        ),
    )


class SeriesReplay:
    """The units of one series, as its postings make them, in the order they were written."""

    __slots__ = ("_firsts", "_spans", "balance")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._spans: list[Span] = []
        self.balance = 0
        """Units introduced less units withdrawn, so far."""

    def __iter__(self) -> Iterator[Span]:
        """Iterate over the spans in order; touching ones may be in the same standing."""
        return iter(self._spans)

    def apply(self, posting: Posting) -> None:
        """Play one posting; JournalError, and nothing changed, if it cannot follow."""
        start, end = self._between(posting.first, posting.last)
        if posting.kind is PostingKind.INTRODUCED:
            if start < end:
                raise JournalError("introduces units that are in the ledger")
            new = [Span(posting.first, posting.last, _introduced(posting))]
        else:
            new = self._altered(posting, self._spans[start:end])
        self._spans[start:end] = new
        self._firsts[start:end] = [span.first for span in new]
        self.balance += posting.balance

    def _between(self, first: int, last: int) -> tuple[int, int]:
        """Return the slice of the spans that have any serial of ``first`` to ``last``."""
        start = max(0, bisect_right(self._firsts, first) - 1)
        if start < len(self._spans) and self._spans[start].last < first:
            start += 1
        return start, max(start, bisect_left(self._firsts, last + 1))

    @staticmethod
    def _altered(posting: Posting, spans: list[Span]) -> list[Span]:
        """Return the spans with the posting's serials in their new standing, the rest as it was."""
        expected = posting.first
        new: list[Span] = []
        for first, last, standing in spans:
            start, end = max(first, posting.first), min(last, posting.last)
            if start != expected:
                break
            after = _after(posting, standing)
            if first < start:
                new.append(Span(first, start - 1, standing))
            if after is not None:
                new.append(Span(start, end, after))
            if end < last:
                new.append(Span(end + 1, last, standing))
            expected = end + 1
        if expected <= posting.last:
            raise JournalError(f"serial {expected} is not in the ledger")
        return new


def _introduced(posting: Posting) -> Standing:
    if posting.to_registry is None or posting.status is None:
        raise JournalError("introduces units without a holder or a status")
    provisional = posting.status is BlockStatus.AUTHORIZED
    return Standing(
        posting.attributes,
        posting.to_registry,
        posting.to_account,
        posting.status,
        posting.first_transfer,
        introduced_by=posting.reference if provisional else None,
        underlying_first=posting.underlying_first,
        underlying_last=posting.underlying_last,
    )


def _after(posting: Posting, before: Standing) -> Standing | None:
    """Return the standing after the posting, None if the units left; JournalError if it may not."""
    if (before.registry, before.account) != (posting.from_registry, posting.from_account):
        raise JournalError(f"units are held by {before.registry} {before.account or ''}".rstrip())
    if before.attributes != posting.attributes:
        raise JournalError("names other attributes than the units have")
    if posting.kind in EFFECTS:
        _require_told(posting, before)
    rule = RULES[posting.kind]
    if not rule.allows(before, posting.reference):
        raise JournalError(f"may not follow: {rule.requirement}")
    if rule.changes is None:
        return None
    if posting.to_registry is None:
        raise JournalError("leaves the units without a holder")
    after = replace(
        rule.changes(before, posting.reference),
        registry=posting.to_registry,
        account=posting.to_account,
    )
    if posting.first_transfer is None:
        return after
    if before.first_transfer is not None:
        raise JournalError(f"units were first transferred before, by {before.first_transfer}")
    return replace(after, first_transfer=posting.first_transfer)


def _require_told(posting: Posting, before: Standing) -> None:
    """JournalError unless an effect tells how its units stood; the oldest ones tell nothing."""
    if posting.was_status is None and posting.was_first_transferred is None:
        return
    told = (
        posting.was_status,
        posting.was_first_transferred,
        posting.underlying_first,
        posting.underlying_last,
    )
    flagged = before.first_transfer is not None
    known = (before.status, flagged, before.underlying_first, before.underlying_last)
    if told != known:
        raise JournalError(f"says that units were {_worded(told)}; they were {_worded(known)}")


def _worded(told: tuple[BlockStatus | None, bool | None, str | None, str | None]) -> str:
    status, flagged, first, last = told
    words = f"{status}, {'' if flagged else 'not '}first transferred"
    return words if first is None else f"{words}, made from {first} to {last}"


class Rule(NamedTuple):
    """What a kind of posting requires, and what it makes of a standing (None: units leave)."""

    requirement: str
    allows: Callable[[Standing, str], bool]
    changes: Callable[[Standing, str], Standing] | None


def _is_free(standing: Standing, _: str) -> bool:
    return (
        standing.reserved_by is None
        and standing.hold is None
        and standing.status not in TERMINAL_STATUSES
    )


def _is_reserved(standing: Standing, reference: str) -> bool:
    return standing.reserved_by == reference


def _may_be_released(standing: Standing, reference: str) -> bool:
    """What the reference brought in must leave with it, unless a hold keeps it here."""
    introduced = standing.introduced_by == reference
    return standing.reserved_by == reference and (not introduced or standing.hold is not None)


def _may_be_withdrawn(standing: Standing, reference: str) -> bool:
    if standing.introduced_by is not None:
        return standing.reserved_by == standing.introduced_by == reference
    # Provisional units whose transfer failed while they were held: no other units are merely
    # authorized without being on somebody's word.
    return standing.status is BlockStatus.AUTHORIZED and _is_free(standing, reference)


def _may_be_corrected(standing: Standing, reference: str) -> bool:
    """Whose units may change hands without a transfer: no cap is touched, nobody waits for them."""
    return (
        standing.status is BlockStatus.ITMO
        and standing.first_transfer is not None
        and _is_free(standing, reference)
    )


RULES: Final[Mapping[PostingKind, Rule]] = MappingProxyType(
    {
        PostingKind.WITHDRAWN: Rule(
            "units introduced and reserved by the reference, or kept for a hold now lifted",
            _may_be_withdrawn,
            None,
        ),
        PostingKind.RESERVED: Rule(
            "units free", _is_free, lambda standing, ref: replace(standing, reserved_by=ref)
        ),
        PostingKind.RELEASED: Rule(
            "units reserved, not introduced, by the reference, unless they are held",
            _may_be_released,
            lambda standing, ref: replace(
                standing,
                reserved_by=None,
                introduced_by=None if standing.introduced_by == ref else standing.introduced_by,
            ),
        ),
        PostingKind.MOVED: Rule(
            "units reserved by the reference",
            _is_reserved,
            lambda standing, _: replace(
                standing, reserved_by=None, introduced_by=None, status=BlockStatus.ITMO
            ),
        ),
        PostingKind.USED: Rule(
            "units free",
            _is_free,
            lambda standing, _: replace(standing, introduced_by=None, status=BlockStatus.USED),
        ),
        PostingKind.CANCELLED: Rule(
            "units free",
            _is_free,
            lambda standing, _: replace(standing, introduced_by=None, status=BlockStatus.CANCELLED),
        ),
        PostingKind.FIRST_TRANSFERRED: Rule(
            "units free and not first transferred",
            lambda standing, ref: _is_free(standing, ref) and standing.first_transfer is None,
            lambda standing, _: replace(standing, introduced_by=None, status=BlockStatus.ITMO),
        ),
        PostingKind.CORRECTED: Rule(
            "units free and first transferred",
            _may_be_corrected,
            lambda standing, _: standing,
        ),
        PostingKind.HELD: Rule(
            "units not held",
            lambda standing, _: standing.hold is None,
            lambda standing, ref: replace(standing, hold=ref),
        ),
        PostingKind.UNHELD: Rule(
            "units held by the reference",
            lambda standing, ref: standing.hold == ref,
            lambda standing, _: replace(standing, hold=None),
        ),
    }
)
"""Every kind but INTRODUCED, which has no standing to start from."""
