"""From the fields of a line to a row, or to everything that is wrong with it. PURE.

1. The record's kind decides which fields may stand on the line.
2. Each field is judged by one row of ``FIELDS``: kind, form, bounds, code list.
3. Fields that depend on each other are judged together.

All problems of a line are reported, not only the first, each with field, value and rule.
CSV gives text where JSON gives numbers and truth values; both end in the same row.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.feeds.rows import (
    AUTHORIZATION_CHANGE,
    CANCELLATION,
    CONTRIBUTION,
    FIRST_TRANSFER,
    ISSUANCE,
    RECORDS,
    RETIREMENT,
    BlockKind,
    CancellationKind,
    ContributionLine,
    Row,
)
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas import code_lists

VALUE_SHOWN_CHARACTERS_MAX: Final = 80
SERIAL_MAX: Final = 2**63 - 2
NDC: Final = "NDC"
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
_PARTY: Final = _text(r"[A-Z]{3}", "a Party code of three capital letters")
_ACCOUNT: Final = _text(r"[A-Za-z0-9][A-Za-z0-9-]{0,49}", "1 to 50 letters, digits or hyphens")
_ENTITY: Final = _text(
    r"[A-Za-z0-9][A-Za-z0-9 /.-]{0,49}", "1 to 50 letters, digits, spaces, hyphens, slashes or dots"
)
_TIME: Final = _text(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "UTC such as 2026-02-26T09:00:00.000Z"
)
_ACTION_ID: Final = _text(r"[A-Z]{3}\d{2}-\d{1,18}", "an id such as XMR01-1042")

FIELDS: Final[Mapping[str, Text | Whole | Truth | Choice]] = MappingProxyType(
    {
        "first_transfer_id": _ACTION_ID,
        "kind": Choice(BlockKind),
        "issuance_id": _ACTION_ID,
        "activity_id": _UNIT_ID,
        "host_party": _PARTY,
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
        "acquiring_account": _ACCOUNT,
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
        "issued_at": _TIME,
        "sop_exemption_waived": Truth(),
        "sop_contribution_quantity": Whole(0),
        "omge_contribution_quantity": Whole(0),
        "change_id": _ACTION_ID,
        "changed_at": _TIME,
        "sop_first_serial": Whole(1),
        "sop_last_serial": Whole(1),
        "sop_account": _ACCOUNT,
        "omge_first_serial": Whole(1),
        "omge_last_serial": Whole(1),
        "omge_account": _ACCOUNT,
        "action_id": _ACTION_ID,
        "account": _ACCOUNT,
        "account_party": _PARTY,
        "using_party": _PARTY,
        "using_entity": _ENTITY,
        "purpose": _listed("purpose"),
        "calendar_year": Whole(1990, 2100),
        "oimp_purpose": _UNIT_ID,
        "cancelling_party": _PARTY,
        "cancelling_entity": _ENTITY,
        "cancellation_kind": Choice(CancellationKind),
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


LINES: Final = MappingProxyType({**RECORDS, CONTRIBUTION: ContributionLine})
"""The records, and what a first transfer of contribution units is read as instead."""
ALLOWED: Final = {name: _field_names(line, required=False) for name, line in LINES.items()}
REQUIRED: Final = {name: _field_names(line, required=True) for name, line in LINES.items()}


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
    if record == FIRST_TRANSFER and values.get("authorization_status") == CONTRIBUTION:
        record = CONTRIBUTION
    problems = list(_misplaced(values, record))
    for name, value in values.items():
        if name in ALLOWED[record]:
            _read_field(values, name, value, problems)
    if not problems:
        problems.extend(CROSS_CHECKS[record](values, rules))
    if problems:
        return tuple(problems)
    return LINES[record](**values)  # type: ignore[arg-type]  # FIELDS has judged each value


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
    """Judge what all records have: ids of this registry, a possible vintage."""
    for name in ("issuance_id", "first_transfer_id", "change_id", "action_id"):
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
    """Judge a block's fields together: serials, quantity, kind, underlying units."""
    yield from _judge_units(values, rules)
    if values["kind"] is BlockKind.HELD:
        text = "kind held is for contribution units; authorized ones leave as one of the others"
        yield Problem(Code.SCHEMA_VIOLATED, text, "kind", BlockKind.HELD.value)
    underlying = ("underlying_registry", "underlying_first_unit_id", "underlying_last_unit_id")
    yield from _all_or_none(values, underlying, "underlying units")


def _judge_contribution(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge contribution units: they are no ITMOs, and do not leave (4/CMA.6 para 49)."""
    yield from _judge_units(values, rules)
    if values["kind"] is BlockKind.FORWARDING:
        text = "the block holds mitigation contribution units, which are no ITMOs"
        yield Problem(Code.A64_UNIT_NOT_AUTHORIZED, text, "authorization_status", CONTRIBUTION)


def _judge_units(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge one run of serials and its quantity."""
    yield from _judge_shared(values, rules)
    yield from _judge_spans(values, ("",))


def _judge_spans(values: Mapping[str, object], prefixes: Iterable[str]) -> Iterator[Problem]:
    """Judge the runs of serials whose fields begin so: each in order, quantity their sum."""
    total, reversed_ = 0, False
    for prefix in prefixes:
        first, last = values.get(f"{prefix}first_serial"), values.get(f"{prefix}last_serial")
        if not isinstance(first, int) or not isinstance(last, int):
            continue
        total += last - first + 1
        if first > last:
            reversed_ = True
            text = f"{prefix}first_serial {first} is greater than {prefix}last_serial {last}"
            yield Problem(Code.SERIAL_RANGE_REVERSED, text, f"{prefix}first_serial", str(first))
    if values["quantity"] != total and not reversed_:
        text = f"quantity is {values['quantity']}; the serials name {total} units"
        yield Problem(Code.QUANTITY_NOT_RANGE, text, "quantity", _shown(values["quantity"]))


def _all_or_none(
    values: Mapping[str, object], names: Sequence[str], what: str
) -> Iterator[Problem]:
    """Report the first field that is missing beside its partners."""
    missing = [name for name in names if name not in values]
    if 0 < len(missing) < len(names):
        text = f"{what} need all of {', '.join(names)}"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, missing[0])


def _judge_change(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge a later authorization: whole runs of serials, at least one of them (6/CMA.6 13)."""
    yield from _judge_shared(values, rules)
    yield from _judge_time(values, "changed_at")
    yield from _all_or_none(values, ("first_serial", "last_serial"), "units held")
    for share, what in (("sop", "units for adaptation"), ("omge", "units for OMGE")):
        names = (f"{share}_first_serial", f"{share}_last_serial", f"{share}_account")
        yield from _all_or_none(values, names, what)
    yield from _judge_spans(values, ("", "sop_", "omge_"))


def _judge_end(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge an end in the mechanism registry: serials, and the account's Party (7/CMA.4 I.44)."""
    yield from _judge_units(values, rules)
    name = "using_party" if "using_party" in values else "cancelling_party"
    if values["account_party"] != values[name]:
        text = f"{values['account']} is associated with {values['account_party']}"
        yield Problem(Code.ACCOUNT_OTHER_PARTY, text, name, _shown(values[name]))
    if name == "using_party":
        if (values["purpose"] == NDC) != ("calendar_year" in values):
            text = "calendar_year stands with use towards an NDC, and only there"
            yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, "calendar_year")
    elif (values["cancellation_kind"] is CancellationKind.OIMP) != ("oimp_purpose" in values):
        text = "oimp_purpose stands with a cancellation for OIMP, and only there"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, "oimp_purpose")


def _judge_issuance(values: Mapping[str, object], rules: FeedRules) -> Iterator[Problem]:
    """Judge an issuance's fields together; its shares are judged in ``shares``."""
    yield from _judge_shared(values, rules)
    if values["sop_exempt"] is not ("sop_exemption" in values):
        text = "sop_exemption says why an exempt issuance is exempt, and stands nowhere else"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, "sop_exemption")
    if values["sop_exempt"] and values.get("sop_exemption_waived"):
        text = "an exemption is made use of or waived, not both"
        yield Problem(Code.CONDITIONAL_FIELD_MISSING, text, "sop_exemption_waived")
    yield from _judge_time(values, "issued_at")


def _judge_time(values: Mapping[str, object], name: str) -> Iterator[Problem]:
    try:
        datetime.fromisoformat(str(values[name]))
    except ValueError:
        text = f"{name} is no date of the calendar"
        yield Problem(Code.SCHEMA_VIOLATED, text, name, _shown(values[name]))


CROSS_CHECKS: Final[
    Mapping[str, Callable[[Mapping[str, object], FeedRules], Iterator[Problem]]]
] = MappingProxyType(
    {
        ISSUANCE: _judge_issuance,
        FIRST_TRANSFER: _judge_block,
        CONTRIBUTION: _judge_contribution,
        AUTHORIZATION_CHANGE: _judge_change,
        RETIREMENT: _judge_end,
        CANCELLATION: _judge_end,
    }
)


def _shown(value: object) -> str | None:
    """Return a value as a report shows it: short, on one line."""
    if value is None:
        return None
    text = str(value)
    if len(text) > VALUE_SHOWN_CHARACTERS_MAX:
        text = text[: VALUE_SHOWN_CHARACTERS_MAX - 1] + "…"
    return text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
