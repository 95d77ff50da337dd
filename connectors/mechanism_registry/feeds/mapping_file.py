"""Load a mapping file and check all of it before the first line is read.

    mapping_version = 1                 # of this form of file
    name = "a64-export"
    version = "2026-03"                 # of this mapping
    ignored = ["Remark"]                # or ["*"]

    [record]
    field = "Type"                      # left out in XML: the element's own name
    values = { ISS = "issuance", TRF = "first_transfer" }

    [fields.first_transfer]
    activity_id = "Activity"            # the same as { from = "Activity" }
    metric = { constant = "GHG" }
    kind = { from = "Purpose", values = { AF = "sop_adaptation", OMGE = "omge" } }
    quantity = { from = "Amount", decimal = ",", group = ".", unit = "kt" }
    issued_at = { from = "Issued", date = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }
    first_transfer_id = { from = "Number", prefix = "XMR01-" }
    gwp_values = { from = "Gwp", default = "AR5" }

Every error is reported at once, each with its place in the file. A rule is checked against the
field it fills: that the field is there, that constants and translated values are good ones, that
a required field has a rule.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.mechanism_registry.feeds.fields import ALLOWED, FIELDS, REQUIRED, Whole
from connectors.mechanism_registry.feeds.mapping import (
    RECORD,
    DateForm,
    Mapping,
    NumberForm,
    Rule,
    UnturnableError,
)
from connectors.mechanism_registry.feeds.rows import RECORDS

SAMPLE: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Scalar = str | int | bool
Name = Annotated[str, Field(min_length=1, max_length=100)]
Sign = Annotated[str, Field(min_length=1, max_length=1, pattern=r"[^0-9]")]


class MappingError(Exception):
    """The mapping file is missing or wrong; the text names file, place and reason, a line each."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RuleEntry(_Strict):
    """One rule as written."""

    source: Name | None = Field(None, alias="from")
    constant: Scalar | None = None
    default: Scalar | None = None
    values: dict[str, Scalar] | None = Field(None, min_length=1)
    date: Name | None = None
    zone: Name | None = None
    decimal: Sign | None = None
    group: Sign | None = None
    unit: Literal["t", "kt", "Mt"] | None = None
    prefix: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the rule reads a number in a form of its own."""
        return any(part is not None for part in (self.decimal, self.group, self.unit))


class RecordEntry(_Strict):
    """How the source tells kinds of record."""

    field: Name = RECORD
    values: dict[str, str] = Field(min_length=1)


class MappingEntry(_Strict):
    """The file as written."""

    mapping_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(min_length=1, max_length=32)]
    ignored: list[Name] = []
    record: RecordEntry
    fields: dict[str, dict[str, RuleEntry]]

    @field_validator("fields", mode="before")
    @classmethod
    def _names_are_rules(cls, value: Any) -> Any:
        """Take a plain name for the rule that only renames."""
        if not isinstance(value, dict):
            return value
        return {
            record: {
                name: {"from": rule} if isinstance(rule, str) else rule
                for name, rule in rules.items()
            }
            if isinstance(rules, dict)
            else rules
            for record, rules in value.items()
        }


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong at one place of the file."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def load_mapping(path: Path) -> Mapping:
    """Return the mapping in a TOML file. Raises MappingError naming everything wrong with it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{path}: {error}") from None
    try:
        return mapping_of(document)
    except MappingError as error:
        lines = [f"{path}: {line}" for line in str(error).splitlines()]
        raise MappingError("\n".join(lines)) from None


def mapping_of(document: dict[str, Any]) -> Mapping:
    """Return the mapping that a document says. Raises MappingError."""
    try:
        entry = MappingEntry.model_validate(document)
    except ValidationError as error:
        raise MappingError("\n".join(_lines_of(error))) from None
    faults = [*_record_faults(entry)]
    rules: dict[str, MappingProxyType[str, Rule]] = {}
    for record, entries in entry.fields.items():
        if record not in RECORDS:
            known = ", ".join(RECORDS)
            faults.append(_Fault(f"fields.{record}", f"no kind of record; there are: {known}"))
            continue
        made = {}
        for name, one in entries.items():
            place = f"fields.{record}.{name}"
            if name not in ALLOWED[record]:
                faults.append(_Fault(place, f"{record} has no field of this name"))
                continue
            found = list(_rule_faults(place, name, one))
            faults += found
            if not found:
                made[name] = _rule(name, one)
        rules[record] = MappingProxyType(made)
    if faults:
        raise MappingError("\n".join(map(str, faults)))
    # Comments and order say nothing; everything else makes another mapping.
    canonical = json.dumps(document, sort_keys=True, default=str).encode()
    return Mapping(
        name=entry.name,
        version=entry.version,
        sha256=hashlib.sha256(canonical).hexdigest(),
        record_field=entry.record.field,
        records=MappingProxyType(dict(entry.record.values)),
        rules=MappingProxyType(rules),
        ignored=frozenset(entry.ignored),
    )


def _lines_of(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"]
        if problem["type"] == "extra_forbidden":
            text = "unknown; see `mechanism mapping example` for all that may stand here"
        if place == "mapping_version":
            text = f"must be 1, the version of this form; here it is {problem['input']!r}"
        yield f"{place}: {text}"


def _record_faults(entry: MappingEntry) -> Iterator[_Fault]:
    """Report kinds of record without rules, and required fields without one."""
    for written, record in entry.record.values.items():
        if record not in RECORDS:
            known = ", ".join(RECORDS)
            yield _Fault(f"record.values.{written}", f"{record!r} is none of: {known}")
        elif record not in entry.fields:
            yield _Fault(f"record.values.{written}", f"there are no rules in fields.{record}")
    for record, rules in entry.fields.items():
        for name in sorted(REQUIRED.get(record, frozenset()) - rules.keys()):
            yield _Fault(f"fields.{record}", f"{name} is required and has no rule")
        if record in RECORDS and record not in entry.record.values.values():
            yield _Fault(f"fields.{record}", "no value in record.values leads to it")


def _rule_faults(place: str, name: str, entry: RuleEntry) -> Iterator[_Fault]:
    """Report what cannot be right in one rule."""
    field = FIELDS[name]
    if (entry.source is None) is (entry.constant is None):
        yield _Fault(place, "give either from or constant")
    forms = {
        "values": entry.values is not None,
        "date": entry.date is not None,
        "number": entry.is_number,
    }
    used = [form for form, is_used in forms.items() if is_used]
    if len(used) > 1:
        yield _Fault(place, f"{' and '.join(used)} exclude each other")
    if entry.constant is not None and (used or entry.prefix or entry.default is not None):
        yield _Fault(place, "a constant needs nothing beside it")
    if entry.is_number and not isinstance(field, Whole):
        yield _Fault(place, "decimal, group and unit are for numbers; this field is none")
    if entry.unit is not None and not name.endswith("quantity"):
        yield _Fault(f"{place}.unit", "only quantities have a unit")
    if entry.decimal is not None and entry.decimal == entry.group:
        yield _Fault(place, "decimal and group are the same sign")
    if entry.zone is not None and entry.date is None:
        yield _Fault(f"{place}.zone", "a zone belongs to a date")
    yield from _date_faults(place, name, entry)
    for key, value in _fixed_values(entry):
        try:
            field.read(f"{entry.prefix}{value}" if entry.prefix and key != "default" else value)
        except ValueError as error:
            yield _Fault(f"{place}.{key}", f"{value!r}: {name} must be {error}")


def _fixed_values(entry: RuleEntry) -> Iterator[tuple[str, object]]:
    """Return the values that stand in a rule itself, with their keys."""
    if entry.constant is not None:
        yield "constant", entry.constant
    if entry.default is not None:
        yield "default", entry.default
    for written, value in (entry.values or {}).items():
        yield f"values.{written}", value


def _date_faults(place: str, name: str, entry: RuleEntry) -> Iterator[_Fault]:
    """Try a date's rule on a date."""
    if entry.date is None:
        return
    try:
        ZoneInfo(entry.zone or "UTC")
    except (KeyError, ValueError, OSError):
        yield _Fault(f"{place}.zone", f"{entry.zone!r} is no zone of the tz database")
        return
    form = _rule(name, entry).form
    assert isinstance(form, DateForm)
    try:
        FIELDS[name].read(form.read(SAMPLE.strftime(entry.date)))
    except UnturnableError:
        yield _Fault(f"{place}.date", f"{entry.date!r} is no pattern of strptime")
    except ValueError as error:
        yield _Fault(f"{place}.date", f"{name} is no date: it must be {error}")


def _rule(name: str, entry: RuleEntry) -> Rule:
    form: NumberForm | DateForm | None = None
    if entry.date is not None:
        year_only = isinstance(FIELDS[name], Whole)
        form = DateForm(entry.date, ZoneInfo(entry.zone or "UTC"), year_only)
    elif entry.is_number:
        form = NumberForm(entry.decimal or ".", entry.group or "", entry.unit or "t")
    values = None if entry.values is None else MappingProxyType(dict(entry.values))
    return Rule(entry.source, entry.constant, entry.default, values, form, entry.prefix)
