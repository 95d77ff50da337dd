"""Judge every line of a feed before anything is sent. PURE.

1. A line is read, its fields are judged (``feeds.fields``).
2. Lines are judged together: an id stands on one line, a unit on one line, a block agrees with
   its issuance, the shares of an issuance come before its forwarding (``shares``).
3. What is good is counted; what is not is answered with all its problems, and the rest goes on.

Lines of contribution units are good lines that stay here. Their serials are remembered, also from
feeds before this one, so that only their later authorization lets them leave, and once.

Memory grows with the number of issuances and of gaps in the serials, not with the lines.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.mechanism_registry.feeds.fields import FeedRules, read_row
from connectors.mechanism_registry.feeds.intervals import IntervalSet
from connectors.mechanism_registry.feeds.lines import FeedLine
from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.feeds.rows import (
    AUTHORIZATION_CHANGE,
    KEPT_PREFIX,
    AuthorizationChangeLine,
    ContributionLine,
    IssuanceLine,
    MovedLine,
    Row,
    Span,
    UnitsLine,
    account_of,
    content_sha256,
    kind_of,
    reference_of,
    spans_of,
)
from connectors.mechanism_registry.issuances.messages import body_problems
from connectors.mechanism_registry.issuances.shares import IssuanceTally, ShareRules, judge_issuance
from connectors.mechanism_registry.issuances.tally_shelf import TallyShelf
from hub.protocol.response_codes import ResponseCode as Code

SAME_AS_ISSUANCE: Final = ("activity_id", "host_party", "cooperative_approach", "vintage")
ID_FIELDS: Final = {"change": "change_id", "action": "action_id"}
SeriesKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """A line's number, and either its row or (row or not) the problems that hold it back."""

    number: int
    row: Row | None
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Totals:
    """What the good lines add up to, in t CO2 eq, and how many lines there were of each sort."""

    issuance_count: int = 0
    block_count: int = 0
    change_count: int = 0
    kept_count: int = 0
    refused_count: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_account: Counter[str] = field(default_factory=Counter)
    by_vintage: Counter[int] = field(default_factory=Counter)
    kept_by_kind: Counter[str] = field(default_factory=Counter)
    authorized_later: int = 0
    refused_by_rule: Counter[Code] = field(default_factory=Counter)

    @property
    def sent_count(self) -> int:
        """Return how many lines are messages to the hub."""
        return self.issuance_count + self.block_count + self.change_count

    @property
    def line_count(self) -> int:
        """Return how many lines were judged."""
        return self.sent_count + self.kept_count + self.refused_count

    def count(self, judged: Judged) -> None:
        """Add one line."""
        row = judged.row
        if judged.problems or row is None:
            self.refused_count += 1
            self.refused_by_rule.update({problem.code for problem in judged.problems})
        elif isinstance(row, IssuanceLine):
            self.issuance_count += 1
        elif isinstance(row, AuthorizationChangeLine):
            self.change_count += 1
            self.authorized_later += row.quantity
        elif isinstance(row, ContributionLine):
            self.kept_count += 1
            self.kept_by_kind[row.kind.value] += row.quantity
        else:
            self.block_count += 1
            self.by_kind[kind_of(row)] += row.quantity
            self.by_account[account_of(row) or ""] += row.quantity
            self.by_vintage[row.vintage] += row.quantity

    def apart(self) -> dict[str, int]:
        """Return the t CO2 eq that leave nothing, by kind: kept back, or authorized later."""
        kept = {
            f"{KEPT_PREFIX}{kind}": self.kept_by_kind[kind] for kind in sorted(self.kept_by_kind)
        }
        later = {AUTHORIZATION_CHANGE: self.authorized_later} if self.authorized_later else {}
        return later | kept


@dataclass(slots=True)
class SeriesSerials:
    """The serials of one series that lines named: as gone, or as staying.

    ``moved`` is of this feed alone: the hub knows the units that left. What stays, only feeds tell.
    """

    moved: IntervalSet = field(default_factory=IntervalSet)
    contribution: IntervalSet = field(default_factory=IntervalSet)
    authorized_later: IntervalSet = field(default_factory=IntervalSet)


class Survey:
    """The judgement of one feed, line after line, in order.

    ``known`` returns the tally of an issuance that other feeds drew on, or None. ``pushed`` returns
    the content digests of those messages, by reference, that other feeds pushed. ``contribution``
    returns the serials of an issuance that other feeds showed as contribution units, and those
    they authorized later.
    """

    def __init__(
        self,
        rules: FeedRules,
        share_rules: ShareRules,
        known: Callable[[str], IssuanceTally | None],
        pushed: Callable[[Sequence[str]], Mapping[str, str]],
        contribution: Callable[[str], tuple[IntervalSet, IntervalSet]],
    ) -> None:
        self._rules = rules
        self._share_rules = share_rules
        self._known = known
        self._pushed = pushed
        self._contribution = contribution
        self._tallies = TallyShelf()
        self._begun_elsewhere: set[str] = set()
        self._serials: dict[SeriesKey, SeriesSerials] = {}
        self._ids: dict[str, IntervalSet] = {}
        self.totals = Totals()

    def judge(self, lines: Sequence[FeedLine]) -> list[Judged]:
        """Judge the next lines, a few hundred at a time."""
        read = [self._read(line) for line in lines]
        references = [reference_of(row) for row in read if not isinstance(row, tuple)]
        pushed = self._pushed(references)
        answers = []
        for line, row in zip(lines, read, strict=True):
            if isinstance(row, tuple):
                judged = Judged(line.number, None, row)
            else:
                judged = Judged(line.number, row, self._judge(row, pushed))
            self.totals.count(judged)
            answers.append(judged)
        return answers

    def _read(self, line: FeedLine) -> Row | tuple[Problem, ...]:
        if line.problems:
            return line.problems
        if line.fields is None:
            return (Problem(Code.SCHEMA_VIOLATED, line.problem or "unreadable", "line"),)
        return read_row(line.fields, self._rules)

    def _judge(self, row: Row, pushed: Mapping[str, str]) -> tuple[Problem, ...]:
        if problems := body_problems(row, self._rules.mechanism_registry):
            return problems
        if isinstance(row, IssuanceLine):
            return self._judge_issuance(row)
        return self._judge_units(row, pushed.get(reference_of(row)))

    def tallies(self) -> Iterator[IssuanceTally]:
        """Return the issuances that the feed names, in the order of their first line."""
        return self._tallies.each()

    def _tally(self, issuance_id: str) -> IssuanceTally | None:
        """Return the tally of an issuance of this feed, or of a feed before it."""
        tally = self._tallies.get(issuance_id)
        if tally is None and (tally := self._known(issuance_id)) is not None:
            self._tallies[issuance_id] = tally
            self._begun_elsewhere.add(issuance_id)
            self._recall_contribution(tally.issuance)
        return tally

    def _recall_contribution(self, issuance: IssuanceLine) -> None:
        """Take over what other feeds showed as staying, and as authorized later."""
        serials = self._serials.setdefault(_series_of(issuance), SeriesSerials())
        shown, later = self._contribution(issuance.issuance_id)
        for span in shown:
            serials.contribution.add(*span)
        for span in later:
            serials.authorized_later.add(*span)

    def _judge_issuance(self, row: IssuanceLine) -> tuple[Problem, ...]:
        """Open the tally of a new issuance; a repeated line must repeat it unchanged."""
        if (tally := self._tally(row.issuance_id)) is not None:
            if tally.issuance == row:
                return ()
            names = [
                name
                for name in IssuanceLine.__slots__
                if getattr(row, name) != getattr(tally.issuance, name)
            ]
            text = f"{row.issuance_id} was given before with another {', '.join(names)}"
            return (Problem(Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD, text, names[0]),)
        if problems := judge_issuance(row, self._share_rules):
            return problems
        self._tallies[row.issuance_id] = IssuanceTally.of(row)
        return ()

    def _judge_units(self, row: UnitsLine, pushed_sha256: str | None) -> tuple[Problem, ...]:
        """Judge a line of units against the lines before it, and count it if nothing is wrong."""
        reference = reference_of(row)
        ids, number = self._id_set(reference)
        name = ID_FIELDS.get(reference.partition(" ")[0], "first_transfer_id")
        identifier = getattr(row, name)
        code = Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
        if ids.overlap(number, number):
            text = f"{identifier} stands on an earlier line of this feed"
            return (Problem(code, text, name, identifier),)
        ids.add(number, number)
        if pushed_sha256 is not None and pushed_sha256 == content_sha256(row):
            return ()  # its tally holds the units already
        if pushed_sha256 is not None:
            text = f"{identifier} was pushed before with another content"
            return (Problem(code, text, name, identifier),)
        tally = self._tally(row.issuance_id)
        if tally is None:
            text = f"no good line gives the issuance {row.issuance_id}"
            return (Problem(Code.ISSUANCE_UNKNOWN, text, "issuance_id", row.issuance_id),)
        serials = self._serials.setdefault(_series_of(row), SeriesSerials())
        problems = [*_differences(row, tally.issuance), *_overlap(spans_of(row), serials.moved)]
        if isinstance(row, ContributionLine):
            problems.extend(_overlap(spans_of(row), serials.contribution))
            if not problems:
                problems.extend(_taken(tally.take_contribution(row.kind, row.quantity)))
            if not problems:
                serials.contribution.add(row.first_serial, row.last_serial)
        elif isinstance(row, AuthorizationChangeLine):
            whole = row.issuance_id not in self._begun_elsewhere
            if not problems:
                problems.extend(_judge_change(row, tally, serials, whole_here=whole))
        else:
            problems.extend(_judge_moved(row, tally, serials) if not problems else ())
        return tuple(problems)

    def _id_set(self, reference: str) -> tuple[IntervalSet, int]:
        """Return the set an id belongs to, and its number there (leading zeros make another)."""
        head, _, digits = reference.rpartition("-")
        stem = head + digits[: len(digits) - len(digits.lstrip("0"))]
        return self._ids.setdefault(stem, IntervalSet()), int(digits)


def _series_of(row: IssuanceLine | UnitsLine) -> SeriesKey:
    return row.cooperative_approach, row.host_party, row.vintage


def _judge_moved(row: MovedLine, tally: IssuanceTally, serials: SeriesSerials) -> list[Problem]:
    """Take units that leave; contribution units do not, until they are authorized."""
    for first, last in spans_of(row):
        if (staying := serials.contribution.overlap(first, last)) is not None:
            text = f"serials {staying[0]} to {staying[1]} are contribution units by an earlier line"
            code = Code.A64_UNIT_NOT_AUTHORIZED
            return [Problem(code, text, "first_serial", str(first))]
    kind = kind_of(row)
    if problem := tally.take(kind, row.quantity):
        return [problem]
    for first, last in spans_of(row):
        serials.moved.add(first, last)
    return []


def _judge_change(
    row: AuthorizationChangeLine,
    tally: IssuanceTally,
    serials: SeriesSerials,
    *,
    whole_here: bool,
) -> list[Problem]:
    """Take a later authorization: of contribution units, once, and of those shown if any are.

    ``whole_here`` says that no other feed showed lines of the issuance.
    """
    problems = list(_overlap(row.spans, serials.authorized_later))
    for span, shown in (
        (row.held, tally.held_shown),
        (row.sop, tally.sop.shown),
        (row.omge, tally.omge.shown),
    ):
        if whole_here and shown and span is not None and not serials.contribution.holds(*span):
            text = f"serials {span[0]} to {span[1]} are not all on earlier lines as contribution"
            code = Code.SHARE_EXCEEDS_ISSUANCE
            problems.append(Problem(code, text, "first_serial", str(span[0])))
    if not problems:
        held, sop, omge = (_length(span) for span in (row.held, row.sop, row.omge))
        problems.extend(_taken(tally.authorize(held, sop, omge)))
    if not problems:
        for first, last in row.spans:
            serials.contribution.remove(first, last)
            serials.authorized_later.add(first, last)
        for span in (row.sop, row.omge):
            if span is not None:
                serials.moved.add(*span)
    return problems


def _length(span: Span | None) -> int:
    return 0 if span is None else span[1] - span[0] + 1


def _taken(problem: Problem | None) -> tuple[Problem, ...]:
    return () if problem is None else (problem,)


def _differences(row: UnitsLine, issuance: IssuanceLine) -> Iterator[Problem]:
    """Report each field in which a block differs from its issuance."""
    for name in SAME_AS_ISSUANCE:
        here, there = getattr(row, name), getattr(issuance, name)
        if here != there:
            text = f"{name} is {there} in the issuance {issuance.issuance_id}"
            yield Problem(Code.IDENTIFIER_INCONSISTENT, text, name, str(here))


def _overlap(spans: Sequence[Span], serials: IntervalSet) -> Iterator[Problem]:
    """Report the units of a line that an earlier line named, or that it names twice itself."""
    seen = IntervalSet()
    for first, last in spans:
        for earlier in (serials, seen):
            if (overlap := earlier.overlap(first, last)) is not None:
                where = "an earlier line" if earlier is serials else "this line twice"
                text = f"serials {overlap[0]} to {overlap[1]} stand on {where}"
                code = Code.BLOCKS_OVERLAP_IN_MESSAGE
                yield Problem(code, text, "first_serial", str(first))
        if len(spans) > 1:
            seen.add(first, last)
