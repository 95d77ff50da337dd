"""The proof that the ledger is what its journal made it: the core of ``itmo-hub db check``.

1. No unit is in two blocks.
2. The journal, played again from nothing, gives exactly the blocks: holder, status, flags.
3. Units are conserved: introduced less withdrawn is the sum of the blocks.
4. Only transfers in flight reserve units, each as many as it is about.
5. What is first transferred, or about to be, stays within the authorized quantity, and the usage on
   record is what the blocks say.

Blocks and postings come as streams in the order of their series (as ``Series`` compares), blocks
then by first serial, postings then as they were written. One series is in memory at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice, pairwise
from typing import Final, TypeVar

from hub.international_registry.authorizations import AuthorizationUsage
from hub.international_registry.postings import Posting
from hub.international_registry.replay import JournalError, SeriesReplay, Span, Standing, span_of
from hub.international_registry.units import BlockStatus, LedgerBlock, Series

VIOLATION_COUNT_MAX: Final = 1000

AuthorizationKey = tuple[str, str]
"""The authorizing Party and its authorization id."""

_Row = TypeVar("_Row", LedgerBlock, Posting)


class ViolationKind(StrEnum):
    """Which invariant does not hold."""

    OVERLAP = "overlap"
    JOURNAL = "journal"
    DIFFERENCE = "difference"
    CONSERVATION = "conservation"
    RESERVATION = "reservation"
    CAP = "cap"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be; ``subject`` is a range, a transfer or an authorization."""

    kind: ViolationKind
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the other tables say about the ledger.

    ``in_flight``: quantity of each proposed transfer that moves units. ``usage`` and
    ``quantity_max`` by authorization; None leaves the proof of usage out.
    """

    in_flight: Mapping[str, int]
    usage: Mapping[AuthorizationKey, AuthorizationUsage] | None = None
    quantity_max: Mapping[AuthorizationKey, int | None] | None = None


class _Tally:
    """What the proof adds up on its way through the blocks."""

    def __init__(self) -> None:
        self.reserved: Counter[str] = Counter()
        self.first_transferred: Counter[AuthorizationKey] = Counter()
        self.at_stake: Counter[AuthorizationKey] = Counter()

    def count(self, block: LedgerBlock) -> None:
        """Add a block: reserved by whom, and what it means for the cap."""
        if block.reserved_by is not None:
            self.reserved[block.reserved_by] += block.quantity
        key = (block.series.first_transferring_party, block.attributes.authorization_id)
        # Units that are merely authorized count while a transfer is about them, and no longer
        # when only a hold keeps them.
        settled = block.introduced_by is None and block.status is not BlockStatus.AUTHORIZED
        if block.first_transfer is not None and settled:
            self.first_transferred[key] += block.quantity
        elif block.reserved_by is not None:
            self.at_stake[key] += block.quantity


def prove(
    blocks: Iterable[LedgerBlock],
    postings: Iterable[Posting],
    expectations: Expectations,
    *,
    violation_count_max: int = VIOLATION_COUNT_MAX,
) -> list[Violation]:
    """Return the violations, at most so many; an empty list is the proof.

    Raises ValueError if a stream is not in order.
    """
    return list(islice(_violations(blocks, postings, expectations), violation_count_max))


def prove_series(
    series: Series, blocks: Iterable[LedgerBlock], postings: Iterable[Posting]
) -> Iterator[Violation]:
    """Yield what breaks invariants 1 to 3 in one series, whose rows come in order.

    Raises ValueError if the blocks are not in order.
    """
    return _prove_series(series, blocks, postings, _Tally())


def _violations(
    blocks: Iterable[LedgerBlock], postings: Iterable[Posting], expectations: Expectations
) -> Iterator[Violation]:
    tally = _Tally()
    for series, its_blocks, its_postings in _by_series(blocks, postings):
        yield from _prove_series(series, its_blocks, its_postings, tally)
    yield from _prove_reservations(tally, expectations.in_flight)
    if expectations.usage is not None:
        yield from _prove_usage(tally, expectations.usage, expectations.quantity_max or {})


def _by_series(
    blocks: Iterable[LedgerBlock], postings: Iterable[Posting]
) -> Iterator[tuple[Series, Iterable[LedgerBlock], Iterable[Posting]]]:
    """Walk both streams side by side; a series may be in one of them only."""
    left, right = _groups(blocks), _groups(postings)
    block_group, posting_group = next(left, None), next(right, None)
    while block_group is not None or posting_group is not None:
        series = min(group[0] for group in (block_group, posting_group) if group is not None)
        its_blocks: Iterable[LedgerBlock] = ()
        its_postings: Iterable[Posting] = ()
        has_blocks = block_group is not None and block_group[0] == series
        has_postings = posting_group is not None and posting_group[0] == series
        if block_group is not None and has_blocks:
            its_blocks = block_group[1]
        if posting_group is not None and has_postings:
            its_postings = posting_group[1]
        yield series, its_blocks, its_postings
        block_group = next(left, None) if has_blocks else block_group
        posting_group = next(right, None) if has_postings else posting_group


def _groups(rows: Iterable[_Row]) -> Iterator[tuple[Series, Iterator[_Row]]]:
    previous: Series | None = None
    for series, group in groupby(rows, key=lambda row: row.series):
        if previous is not None and series <= previous:
            raise ValueError(f"{series} comes after {previous}: the stream is not in order")
        previous = series
        yield series, group


def _prove_series(
    series: Series, blocks: Iterable[LedgerBlock], postings: Iterable[Posting], tally: _Tally
) -> Iterator[Violation]:
    replay = SeriesReplay()
    for posting in postings:
        try:
            replay.apply(posting)
        except JournalError as error:
            subject = f"{series.identifier(posting.first)}..{posting.last}"
            text = f"{posting.kind} by {posting.reference}: {error}"
            yield Violation(ViolationKind.JOURNAL, subject, text)
    spans: list[Span] = []
    quantity = 0
    for block in blocks:
        tally.count(block)
        quantity += block.quantity
        if spans and block.first < spans[-1].first:
            raise ValueError(f"{block.range} comes late: the stream is not in order")
        if spans and block.first <= spans[-1].last:
            yield Violation(ViolationKind.OVERLAP, str(block.range), "shares units with another")
        spans.append(span_of(block))
    if quantity != replay.balance:
        text = f"{replay.balance} units were introduced and stayed, the blocks have {quantity}"
        yield Violation(ViolationKind.CONSERVATION, series.identifier(1), text)
    yield from _differences(series, spans, list(replay))


def _differences(series: Series, ledger: list[Span], journal: list[Span]) -> Iterator[Violation]:
    """Sweep both over their common cuts; report each run of units on which they differ."""
    cuts = sorted({cut for span in (*ledger, *journal) for cut in (span.first, span.last + 1)})
    ledger_at, journal_at = _Cursor(ledger), _Cursor(journal)
    for first, after in pairwise(cuts):
        in_ledger, in_journal = ledger_at.standing(first), journal_at.standing(first)
        if in_ledger != in_journal:
            yield Violation(
                ViolationKind.DIFFERENCE,
                f"{series.identifier(first)}..{after - 1}",
                f"ledger: {_told(in_ledger)}; journal: {_told(in_journal)}",
            )


class _Cursor:
    """Reads an ordered list of spans from left to right."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._at = 0

    def standing(self, serial: int) -> Standing | None:
        """Return the standing of a serial, None if it is in no span; serials must only grow."""
        while self._at < len(self._spans) and self._spans[self._at].last < serial:
            self._at += 1
        if self._at < len(self._spans) and self._spans[self._at].first <= serial:
            return self._spans[self._at].standing
        return None


def _told(standing: Standing | None) -> str:
    if standing is None:
        return "not there"
    told = [standing.registry, standing.account, standing.status, standing.attributes]
    for label in ("first_transfer", "reserved_by", "introduced_by", "hold"):
        value = getattr(standing, label)
        told.append(f"{label} {value}" if value is not None else None)
    if standing.underlying_first is not None:
        told.append(f"underlying {standing.underlying_first}..{standing.underlying_last}")
    return ", ".join(str(word) for word in told if word is not None)


def _prove_reservations(tally: _Tally, in_flight: Mapping[str, int]) -> Iterator[Violation]:
    for transfer_id in sorted(tally.reserved.keys() | in_flight.keys()):
        reserved, proposed = tally.reserved[transfer_id], in_flight.get(transfer_id)
        if proposed is None:
            text = f"reserves {reserved} units and is not in flight"
        elif proposed != reserved:
            text = f"is about {proposed} units and reserves {reserved}"
        else:
            continue
        yield Violation(ViolationKind.RESERVATION, transfer_id, text)


def _prove_usage(
    tally: _Tally,
    usage: Mapping[AuthorizationKey, AuthorizationUsage],
    quantity_max: Mapping[AuthorizationKey, int | None],
) -> Iterator[Violation]:
    for key in sorted(tally.first_transferred.keys() | usage.keys()):
        recorded, counted = usage.get(key, AuthorizationUsage()), tally.first_transferred[key]
        subject = " ".join(key)
        if recorded.first_transferred != counted:
            text = f"{counted} units are first transferred, {recorded.first_transferred} recorded"
            yield Violation(ViolationKind.USAGE, subject, text)
        if recorded.reserved > tally.at_stake[key]:
            text = f"{tally.at_stake[key]} units are in flight, {recorded.reserved} recorded"
            yield Violation(ViolationKind.USAGE, subject, text)
        cap = quantity_max.get(key)
        if cap is not None and recorded.total > cap:
            text = f"{recorded.total} units count, {cap} are authorized"
            yield Violation(ViolationKind.CAP, subject, text)
