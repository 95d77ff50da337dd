"""From the names and forms of a source to ours: one rule for each of our fields. PURE.

A rule takes its text from one field of the source (or is a constant) and turns it, in this order:
translated by a table of values, read as a date or a number, put behind a prefix. What remains is
judged by ``feeds.fields`` like a field of our own form.

1. The record's kind is told by one field of the source, through a table of values.
2. Every field of the source is mapped or named as ignored; another one refuses the line, so that
   a column that came new, or was renamed, is not lost in silence.
3. What a rule cannot turn is a problem with the source's field, its value, the rule and our field.
"""

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from connectors.mechanism_registry.feeds.lines import FeedLine
from connectors.mechanism_registry.feeds.problems import Problem
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas import timestamps

RECORD: Final = "record"
EVERYTHING: Final = "*"
UNITS: Final[MappingType[str, int]] = MappingProxyType({"t": 1, "kt": 1_000, "Mt": 1_000_000})
"""How many t CO2 eq, which is how many A6.4ERs, are in one of a unit."""

VALUE_SHOWN_CHARACTERS_MAX: Final = 80
DIGITS_MAX: Final = 20
"""No number of a feed has more; in any unit so many are computed without rounding."""


class UnturnableError(ValueError):
    """A value that the rule cannot turn; the text says what the rule wants."""


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How a source writes numbers, and in what unit."""

    decimal: str = "."
    group: str = ""
    unit: str = "t"

    def read(self, text: str) -> int:
        """Return the number in whole units of one. Raises UnturnableError."""
        whole, sign, part = text.partition(self.decimal)
        if self.group and self.group in whole:
            first, *threes = whole.split(self.group)
            # 1.5 is no 15, whatever sign stands between thousands.
            is_grouped = 1 <= len(first) <= 3 and all(len(three) == 3 for three in threes)
            whole = whole.replace(self.group, "") if is_grouped else ""
        digits = f"{whole}{part}"
        if len(digits) > DIGITS_MAX:
            raise UnturnableError(f"a number of at most {DIGITS_MAX} digits")
        if not (whole and digits.isascii() and digits.isdecimal()) or (sign and not part):
            group = f" and {self.group!r} between thousands" if self.group else ""
            raise UnturnableError(f"a number with the decimal sign {self.decimal!r}{group}")
        number = Decimal(f"{whole}.{part or 0}") * UNITS[self.unit]
        if number != number.to_integral_value():
            raise UnturnableError(f"a whole number of t CO2 eq, given in {self.unit}")
        return int(number)


@dataclass(frozen=True, slots=True)
class DateForm:
    """How a source writes dates: a pattern of strptime, and the zone of a time without one."""

    pattern: str
    zone: ZoneInfo
    year_only: bool = False

    def read(self, text: str) -> str | int:
        """Return a timestamp of the protocol, or the year. Raises UnturnableError."""
        try:
            moment = datetime.strptime(text, self.pattern)  # noqa: DTZ007  # the zone follows
        except ValueError:
            raise UnturnableError(f"a date in the form {self.pattern!r}") from None
        if self.year_only:
            return moment.year
        try:
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self.zone)
                if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                    raise UnturnableError(f"a time that exists once in {self.zone.key}")
            return timestamps.render(moment.astimezone(UTC))
        except OverflowError:  # an export's way to say "never": 0001-01-01, 9999-12-31
            raise UnturnableError("a date from the year 1 to 9999 in UTC too") from None


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one of our fields comes from; either ``source`` or ``constant`` is set."""

    source: str | None = None
    constant: object = None
    default: object = None
    values: MappingType[str, object] | None = None
    form: NumberForm | DateForm | None = None
    prefix: str = ""

    def turn(self, value: object) -> object:
        """Return our value of a source's. Raises UnturnableError."""
        text = value if isinstance(value, str) else _text(value)
        if self.values is not None:
            if text not in self.values:
                raise UnturnableError(f"one of the mapping's values: {', '.join(self.values)}")
            value = self.values[text]
        elif self.form is not None:
            value = self.form.read(text)
        return f"{self.prefix}{_text(value)}" if self.prefix else value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Mapping:
    """The rules of one source: its name and version, and the digest of everything in it.

    ``records`` tells the kind of record by the value of the source's ``record_field``; ``rules``
    gives the rule of each of our fields, by kind.
    """

    name: str
    version: str
    sha256: str
    record_field: str
    records: MappingType[str, str]
    rules: MappingType[str, MappingType[str, Rule]]
    ignored: frozenset[str]

    def source_of(self, record: object, field: str | None) -> str | None:
        """Return the source's name of one of our fields, or None."""
        if field == RECORD:
            return self.record_field
        rule = self.rules.get(str(record), {}).get(field or "")
        return None if rule is None else rule.source

    def line(self, line: FeedLine) -> FeedLine:
        """Return a line in our names; ``source`` keeps what it held, ``problems`` what is wrong."""
        if line.fields is None:
            return line
        source = flat(line.fields)
        turned = self.turn(source)
        if isinstance(turned, tuple):
            return replace(line, fields=None, problems=turned, source=source)
        return replace(line, fields=turned, source=source)

    def turn(self, source: dict[str, object]) -> dict[str, object] | tuple[Problem, ...]:
        """Return our fields of a source's, or every problem found on the way."""
        told = source.get(self.record_field)
        record = self.records.get("" if told is None else _text(told))
        if record is None:
            shown = None if told is None else _text(told)
            text = (
                f"{self.record_field} tells no kind of record; the mapping {self.name} knows: "
                f"{', '.join(self.records)}"
            )
            return (Problem(Code.SCHEMA_VIOLATED, text, RECORD, _short(shown)),)
        problems = [
            Problem(Code.SCHEMA_VIOLATED, text, name, _short(_text(source[name])))
            for name, text in self._unknown(source, record)
        ]
        fields: dict[str, object] = {RECORD: record}
        for name, rule in self.rules[record].items():
            value = rule.constant if rule.source is None else source.get(rule.source)
            if value is None:
                if rule.default is not None:
                    fields[name] = rule.default
                continue
            try:
                fields[name] = value if rule.source is None else rule.turn(value)
            except UnturnableError as error:
                text = f"{name} comes from {rule.source}, which must be {error}"
                problems.append(Problem(Code.SCHEMA_VIOLATED, text, name, _short(_text(value))))
        return tuple(problems) or fields

    def _unknown(self, source: dict[str, object], record: str) -> list[tuple[str, str]]:
        """Return the source's fields that nobody mapped, and what to say of them."""
        if EVERYTHING in self.ignored:
            return []
        known = {rule.source for rule in self.rules[record].values()} | {self.record_field}
        return [
            (name, f"{name} is neither mapped for {record} nor ignored by {self.name}")
            for name in source
            if name not in known and name not in self.ignored
        ]


def flat(fields: dict[str, object], head: str = "") -> dict[str, object]:
    """Return fields within fields by their path, such as ``serials/first``."""
    found: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= flat(value, f"{head}{name}/")
        elif value is not None:
            found[f"{head}{name}"] = value
    return found


def _short(text: str | None) -> str | None:
    """Return a value as a report shows it: short, on one line."""
    if text is None:
        return None
    if len(text) > VALUE_SHOWN_CHARACTERS_MAX:
        text = text[: VALUE_SHOWN_CHARACTERS_MAX - 1] + "…"
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
