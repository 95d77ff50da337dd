"""From the fields of a line to a row, or to everything that is wrong with it. PURE.

1. The record's kind decides which fields may stand on the line.
2. Each field is judged by one row of ``FIELDS``: kind, form, bounds, code list.
3. Fields that depend on each other are judged together.

All problems of a line are reported, not only the first, each with field, value and rule.
CSV gives text where JSON gives numbers and truth values; both end in the same row.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connectors.mechanism_registry.feed_rows import (
    RECORDS,
    BlockKind,
    Row,
)
from connectors.mechanism_registry.problems import Problem
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas import code_lists

VALUE_SHOWN_CHARACTERS_MAX: Final = 80
SERIAL_MAX: Final = 2**63 - 2
VINTAGE_MIN: Final = 2021
"""Mitigation before 2021 cannot be authorized (2/CMA.3 a.1(e))."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text field: the form it must have in full, and that form in plain words."""

    form: re.Pattern[str]
    expected: str
    code_list: frozenset[str] | None = None

    def read(self, value: object) -> object:
        """Return the text. Raises ValueError for another type or form."""
        if isinstance(value, str) and self.form.fullmatch(value):
            return value
        raise ValueError(self.expected)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, both included."""

    minimum: int
    maximum: int = SERIAL_MAX

    def read(self, value: object) -> object:
        """Return the number; text of plain digits counts. Raises ValueError otherwise."""
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if self.minimum <= value <= self.maximum:
                return value
            raise ValueError(f"a number from {self.minimum} to {self.maximum}")
        raise ValueError("a whole number in plain digits")


@dataclass(frozen=True, slots=True)
class Truth:
    """A truth value, in CSV the word true or false."""

    def read(self, value: object) -> object:
        """Return the truth value. Raises ValueError otherwise."""
        for truth, word in ((True, "true"), (False, "false")):
            if value is truth or value == word:
                return truth
        raise ValueError("true or false")


@dataclass(frozen=True, slots=True)
class Choice:
    """One word out of an enumeration."""

    words: type[StrEnum]

    def read(self, value: object) -> object:
        """Return the member. Raises ValueError for any other word."""
        try:
            return self.words(str(value))
        except ValueError:
            raise ValueError(f"one of: {', '.join(self.words)}") from None


def _text(form: str, expected: str, code_list: str | None = None) -> Text:
    values = frozenset(map(str, code_lists.values(code_list))) if code_list else None
    # Without the flag \d would also match the digits of other scripts.
    return Text(re.compile(form, re.ASCII), expected, values)


def _listed(code_list: str) -> Text:
    return _text(r"[^\x00-\x1f\x7f]{1,200}", "text of 1 to 200 characters", code_list)


_UNIT_ID: Final = _text(r"[^\x00-\x1f\x7f]{1,200}", "text of 1 to 200 characters")
_ACTION_ID: Final = _text(r"[A-Z]{3}\d{2}-\d{1,18}", "an id such as XMR01-1042")

FIELDS: Final[Mapping[str, Text | Whole | Truth | Choice]] = MappingProxyType(
    {
        "first_transfer_id": _ACTION_ID,
        "kind": Choice(BlockKind),
        "issuance_id": _ACTION_ID,
        "activity_id": _UNIT_ID,
        "host_party": _text(r"[A-Z]{3}", "a Party code of three capital letters"),
        "cooperative_approach": _text(r"CA\d{4}", "CA and four digits, as CARP assigned it"),
        "vintage": Whole(1990, 2100),
        "first_serial": Whole(1),
        "last_serial": Whole(1),
        "quantity": Whole(1),
        "metric": _text("GHG", "GHG: one A6.4ER is one t CO2 eq"),
        "mitigation_type": _listed("mitigation_type"),
        "authorization_id": _text(
            r"[A-Za-z0-9][A-Za-z0-9 /.-]{0,49}",
            "1 to 50 letters, digits, spaces, hyphens, slashes or dots",
        ),
        "authorization_version": Whole(1, 2**31 - 1),
        "authorization_status": _text("authorized|contribution", "authorized or contribution"),
        "sector": _listed("sector"),
        "acquiring_account": _text(
            r"[A-Za-z0-9][A-Za-z0-9-]{0,49}", "1 to 50 letters, digits or hyphens"
        ),
        "activity_type": _listed("activity_type"),
        "gwp_values": _UNIT_ID,
        "underlying_registry": _listed("underlying_registry"),
        "underlying_first_unit_id": _UNIT_ID,
        "underlying_last_unit_id": _UNIT_ID,
        "issued_quantity": Whole(1),
        "authorized_quantity": Whole(0),
        "sop_quantity": Whole(0),
        "sop_exempt": Truth(),
        "sop_exemption": _text("LDC|SIDS", "LDC or SIDS"),
        "omge_quantity": Whole(0),
        "issued_at": _text(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "UTC such as 2026-02-26T09:00:00.000Z"
        ),
    }
)
COLUMNS: Final = frozenset(FIELDS) | {"record"}
"""Every column that the header of a CSV feed may name."""


def _field_names(record: type[Row], *, required: bool) -> frozenset[str]:
    """Return the names of a record's fields: all of them, or those that have no default."""
    return frozenset(
        field.name for field in fields(record) if not required or not _has_default(field.default)
    )


def _has_default(default: object) -> bool:
    return default is None


ALLOWED: Final = {name: _field_names(record, required=False) for name, record in RECORDS.items()}
REQUIRED: Final = {name: _field_names(record, required=True) for name, record in RECORDS.items()}


@dataclass(frozen=True, slots=True)
class FeedRules:
    """What a line is judged against: who pushes, and the latest year there can be."""

    mechanism_registry: str
    vintage_max: int


def read_row(line: Mapping[str, object], rules: FeedRules) -> Row | tuple[Problem, ...]:
    """Return the row that a line's fields make, or all problems found with them."""
    values = dict(line)
    record = values.pop("record", None)
    if not isinstance(record, str) or record not in RECORDS:
        text = f"record must be one of: {', '.join(RECORDS)}"
        return (Problem(Code.SCHEMA_VIOLATED, text, "record", _shown(record)),)
    problems = list(_misplaced(values, record))
    for name, value in values.items():
        if name in ALLOWED[record]:
            _read_field(values, name, value, problems)
    if not problems:
        problems.extend(CROSS_CHECKS[record](values, rules))
    if problems:
        return tuple(problems)
    return RECORDS[record](**values)  # type: ignore[arg-type]  # FIELDS has judged each value


def _misplaced(values: Mapping[str, object], record: str) -> Iterator[Problem]:
    """Report the fields that do not belong on the line, and those that are not there."""
    for name in sorted(values.keys() - ALLOWED[record]):
        text = f"{name} does not belong on a line of the record {record}"
        yield Problem(Code.SCHEMA_VIOLATED, text, name, _shown(values[name]))
    for name in sorted(REQUIRED[record] - values.keys()):
        yield Problem(Code.SCHEMA_VIOLATED, f"{name} is missing", name)


def _read_field(
    values: dict[str, object], name: str, value: object, problems: list[Problem]
) -> None:
    """Put the judged value in the place of the written one, or note the problem."""
    field = FIELDS[name]
    try:
        values[name] = field.read(value)
    except ValueError as error:
        text = f"{name} must be {error}"
        problems.append(Problem(Code.SCHEMA_VIOLATED, text, name, _shown(value)))
        return
    if isinstance(field, Text) and field.code_list is not None and value not in field.code_list:
        text = f"{name} is not in the code list of {code_lists.CURRENT}"
        problems.append(Problem(Code.CODE_NOT_IN_LIST, text, name, _shown(value)))


def _judge_shared(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge what both records have: ids of this registry, a possible vintage."""
    for name in ("issuance_id", "first_transfer_id"):
        identifier = values.get(name)
        if identifier is not None and str(identifier)[:5] != rules.mechanism_registry:
            text = f"{name} must begin with {rules.mechanism_registry}"
            yield Problem(Code.ID_PREFIX_NOT_SENDER, text, name, _shown(identifier))
    vintage = values["vintage"]
    assert isinstance(vintage, int)
    if vintage < VINTAGE_MIN:
        text = f"vintage {vintage} lies before {VINTAGE_MIN}"
        yield Problem(Code.VINTAGE_BEFORE_2021, text, "vintage", str(vintage))
    if vintage > rules.vintage_max:
        text = f"vintage {vintage} has not begun"
        yield Problem(Code.VINTAGE_IN_FUTURE, text, "vintage", str(vintage))


def _judge_block(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge a block's fields together: serials, quantity, authorization, underlying units."""
    yield from _judge_shared(values, rules)
    first, last, quantity = (values[name] for name in ("first_serial", "last_serial", "quantity"))
    assert isinstance(first, int)
    assert isinstance(last, int)
    if first > last:
        text = f"first_serial {first} is greater than last_serial {last}"
        yield Problem(Code.SERIAL_RANGE_REVERSED, text, "first_serial", str(first))
    elif quantity != last - first + 1:
        text = f"quantity is {quantity}; the serials name {last - first + 1} units"
        yield Problem(Code.QUANTITY_NOT_RANGE, text, "quantity", _shown(quantity))
    if values["authorization_status"] != "authorized":
        text = "the block holds mitigation contribution units, which are no ITMOs"
        yield Problem(Code.A64_UNIT_NOT_AUTHORIZED, text, "authorization_status", "contribution")
    underlying = ("underlying_registry", "underlying_first_unit_id", "underlying_last_unit_id")
    missing = [name for name in underlying if name not in values]
    if 0 < len(missing) < len(underlying):
        text = f"underlying units need all of {', '.join(underlying)}"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, missing[0])


def _judge_issuance(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge an issuance's fields together; its shares are judged in ``shares``."""
    yield from _judge_shared(values, rules)
    if values["sop_exempt"] is not ("sop_exemption" in values):
        text = "sop_exemption says why an exempt issuance is exempt, and stands nowhere else"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, "sop_exemption")
    try:
        datetime.fromisoformat(str(values["issued_at"]))
    except ValueError:
        text = "issued_at is no date of the calendar"
        yield Problem(Code.SCHEMA_VIOLATED, text, "issued_at", _shown(values["issued_at"]))


CROSS_CHECKS: Final[
    Mapping[str, Callable[[Mapping[str, object], FeedRules], Iterator[Problem]]]
] = MappingProxyType({"issuance": _judge_issuance, "first_transfer": _judge_block})


def _shown(value: object) -> str | None:
    """Return a value as a report shows it: short, on one line."""
    if value is None:
        return None
    text = str(value)
    if len(text) > VALUE_SHOWN_CHARACTERS_MAX:
        text = text[: VALUE_SHOWN_CHARACTERS_MAX - 1] + "…"
    return text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
