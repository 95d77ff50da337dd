"""Judge every line of a feed before anything is sent. PURE.

1. A line is read, its fields are judged (``feed_fields``).
2. Lines are judged together: an id stands on one line, a unit on one line, a block agrees with
   its issuance, the shares of an issuance come before its forwarding (``shares``).
3. What is good is counted; what is not is answered with all its problems, and the rest goes on.

Memory grows with the number of issuances and of gaps in the serials, not with the lines.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.mechanism_registry.feed_fields import FeedRules, read_row
from connectors.mechanism_registry.feed_lines import FeedLine
from connectors.mechanism_registry.feed_rows import (
    IssuanceLine,
    Row,
    UnitBlockLine,
    content_sha256,
    reference_of,
)
from connectors.mechanism_registry.intervals import IntervalSet
from connectors.mechanism_registry.messages import body_problems
from connectors.mechanism_registry.problems import Problem
from connectors.mechanism_registry.shares import IssuanceTally, ShareRules, judge_issuance
from hub.protocol.response_codes import ResponseCode as Code

SAME_AS_ISSUANCE: Final = ("activity_id", "host_party", "cooperative_approach", "vintage")
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
    refused_count: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_account: Counter[str] = field(default_factory=Counter)
    by_vintage: Counter[int] = field(default_factory=Counter)
    refused_by_rule: Counter[Code] = field(default_factory=Counter)

    @property
    def line_count(self) -> int:
        """Return how many lines were judged."""
        return self.issuance_count + self.block_count + self.refused_count

    def count(self, judged: Judged) -> None:
        """Add one line."""
        if judged.problems:
            self.refused_count += 1
            self.refused_by_rule.update({problem.code for problem in judged.problems})
        elif isinstance(judged.row, UnitBlockLine):
            self.block_count += 1
            self.by_kind[judged.row.kind.value] += judged.row.quantity
            self.by_account[judged.row.acquiring_account] += judged.row.quantity
            self.by_vintage[judged.row.vintage] += judged.row.quantity
        else:
            self.issuance_count += 1


class Survey:
    """The judgement of one feed, line after line, in order.

    ``known`` returns the tally of an issuance that other feeds drew on, or None. ``pushed`` returns
    the content digests of those messages, by reference, that other feeds pushed.
    """

    def __init__(
        self,
        rules: FeedRules,
        share_rules: ShareRules,
        known: Callable[[str], IssuanceTally | None],
        pushed: Callable[[Sequence[str]], Mapping[str, str]],
    ) -> None:
        self._rules = rules
        self._share_rules = share_rules
        self._known = known
        self._pushed = pushed
        self._tallies: dict[str, IssuanceTally] = {}
        self._serials: dict[SeriesKey, IntervalSet] = {}
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
        return self._judge_block(row, pushed.get(reference_of(row)))

    def tallies(self) -> Iterator[IssuanceTally]:
        """Return the issuances that the feed names, in the order of their first line."""
        return iter(self._tallies.values())

    def _tally(self, issuance_id: str) -> IssuanceTally | None:
        """Return the tally of an issuance of this feed, or of a feed before it."""
        tally = self._tallies.get(issuance_id)
        if tally is None and (tally := self._known(issuance_id)) is not None:
            self._tallies[issuance_id] = tally
        return tally

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

    def _judge_block(self, row: UnitBlockLine, pushed_sha256: str | None) -> tuple[Problem, ...]:
        """Judge a block against the lines before it, and count it if nothing is wrong."""
        ids, number = self._id_set(row.first_transfer_id)
        if ids.overlap(number, number):
            text = f"{row.first_transfer_id} stands on an earlier line of this feed"
            field_name, code = "first_transfer_id", Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
            return (Problem(code, text, field_name, row.first_transfer_id),)
        ids.add(number, number)
        if pushed_sha256 is not None and pushed_sha256 == content_sha256(row):
            return ()  # its tally holds the block already
        if pushed_sha256 is not None:
            text = f"{row.first_transfer_id} was pushed before with another content"
            code = Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
            return (Problem(code, text, "first_transfer_id", row.first_transfer_id),)
        tally = self._tally(row.issuance_id)
        if tally is None:
            text = f"no good line gives the issuance {row.issuance_id}"
            return (Problem(Code.ISSUANCE_UNKNOWN, text, "issuance_id", row.issuance_id),)
        key = (row.cooperative_approach, row.host_party, row.vintage)
        serials = self._serials.setdefault(key, IntervalSet())
        problems = [*_differences(row, tally.issuance), *_overlap(row, serials)]
        if not problems and (problem := tally.take(row.kind, row.quantity)):
            problems.append(problem)
        if not problems:
            serials.add(row.first_serial, row.last_serial)
        return tuple(problems)

    def _id_set(self, first_transfer_id: str) -> tuple[IntervalSet, int]:
        """Return the set an id belongs to, and its number there (leading zeros make another)."""
        digits = first_transfer_id[6:]
        stem = digits[: len(digits) - len(digits.lstrip("0"))]
        return self._ids.setdefault(stem, IntervalSet()), int(digits)


def _differences(row: UnitBlockLine, issuance: IssuanceLine) -> Iterator[Problem]:
    """Report each field in which a block differs from its issuance."""
    for name in SAME_AS_ISSUANCE:
        here, there = getattr(row, name), getattr(issuance, name)
        if here != there:
            text = f"{name} is {there} in the issuance {issuance.issuance_id}"
            yield Problem(Code.IDENTIFIER_INCONSISTENT, text, name, str(here))


def _overlap(row: UnitBlockLine, serials: IntervalSet) -> Iterator[Problem]:
    """Report the units of a block that an earlier line named."""
    if (overlap := serials.overlap(row.first_serial, row.last_serial)) is not None:
        text = f"serials {overlap[0]} to {overlap[1]} stand on an earlier line of this feed"
        yield Problem(Code.BLOCKS_OVERLAP_IN_MESSAGE, text, "first_serial", str(row.first_serial))
