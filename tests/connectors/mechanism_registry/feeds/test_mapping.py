"""From a source's names and forms to ours: every kind of rule, and every way to get it wrong."""

import copy
import json
import tomllib
from contextlib import closing, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.mechanism_registry import feeds
from connectors.mechanism_registry.cli import app
from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.lines import FeedFormat, FeedLine
from connectors.mechanism_registry.feeds.mapping import DateForm, NumberForm, UnturnableError
from connectors.mechanism_registry.feeds.mapping_file import MappingError, load_mapping, mapping_of
from connectors.mechanism_registry.feeds.rows import IssuanceLine, UnitBlockLine
from tests.connectors.mechanism_registry.rows import RULES

EXAMPLE = files(feeds).joinpath("example_mapping.toml").read_text(encoding="utf-8")
ISSUANCE: dict[str, object] = {
    "Type": "ISS",
    "IssuanceNo": "1",
    "Activity": "A64-THA-0001",
    "Host": "Thailand",
    "MonitoringEnd": "31.12.2022",
    "Issued": "1,25",
    "Authorized": "1",
    "Adaptation": "1.063",
    "Exempt": "N",
    "Omge": "25",
    "IssuedOn": "01.07.2026 09:00",
}
BLOCK: dict[str, object] = {
    "Type": "TRF",
    "TransferNo": "17",
    "Purpose": "FWD",
    "IssuanceNo": "1",
    "Activity": "A64-THA-0001",
    "Host": "Thailand",
    "Approach": "CA0002",
    "MonitoringEnd": "31.12.2022",
    "SerialFrom": "1",
    "SerialTo": "1200",
    "Amount": "1.200",
    "LetterOfAuthorization": "TH-2022-001",
    "Status": "A",
    "Sector": "TR",
    "Account": "CHE-HOLDING-1",
    "Remark": "ignored",
}
runner = CliRunner()


def document(**changes: Any) -> dict[str, Any]:
    """Return the example's document with changes, given as path__to__key=value."""
    found: dict[str, Any] = copy.deepcopy(tomllib.loads(EXAMPLE))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = found
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return found


def test_the_example_turns_every_kind_of_value() -> None:
    """Names, constants, defaults, tables, dates with their zone, numbers with their unit."""
    mapping = mapping_of(document())
    issuance = mapping.turn(ISSUANCE)
    assert isinstance(issuance, dict)
    assert issuance["issued_quantity"] == 1250
    assert issuance["authorized_quantity"] == 1000
    assert issuance["sop_quantity"] == 1063
    assert issuance["issued_at"] == "2026-07-01T07:00:00.000Z"
    assert issuance["vintage"] == 2022
    assert (issuance["sop_exempt"], issuance["issuance_id"]) == (False, "XMR01-1")
    assert issuance["cooperative_approach"] == "CA0001"
    assert isinstance(read_row(issuance, RULES), IssuanceLine)
    block = mapping.turn(BLOCK)
    assert isinstance(block, dict)
    assert (block["kind"], block["quantity"], block["metric"]) == ("forwarding", 1200, "GHG")
    assert block["cooperative_approach"] == "CA0002"
    assert isinstance(read_row(block, RULES), UnitBlockLine)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"Type": "GIFT"}, "record", "Type tells no kind of record"),
        ({"Purpose": "GIFT"}, "kind", "kind comes from Purpose, which must be one of"),
        ({"Amount": "1.20"}, "quantity", "quantity comes from Amount, which must be a number"),
        ({"Amount": "-5"}, "quantity", "which must be a number"),
        ({"Amount": "0,5"}, "quantity", "a whole number of t CO2 eq, given in t"),
        ({"MonitoringEnd": "2022-12-31"}, "vintage", "a date in the form '%d.%m.%Y'"),
        ({"Renamed": "x"}, "Renamed", "neither mapped for first_transfer nor ignored"),
    ],
)
def test_a_value_that_cannot_be_turned_names_source_and_field(
    changes: dict[str, object], field: str, said: str
) -> None:
    """The problem holds our field, the source's, what the rule wants, and the value."""
    problems = mapping_of(document()).turn(BLOCK | changes)
    assert isinstance(problems, tuple)
    (problem,) = problems
    assert problem.field == field
    assert said in problem.text
    assert problem.value == str(next(iter(changes.values())))


def test_a_time_that_a_clock_shows_twice_is_refused() -> None:
    """The hour at the end of summer time names two moments."""
    problems = mapping_of(document()).turn(ISSUANCE | {"IssuedOn": "25.10.2026 02:30"})
    assert isinstance(problems, tuple)
    assert "a time that exists once in Europe/Berlin" in problems[0].text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mapping_version": 2}, "mapping_version: must be 1, the version of this form; here it"),
        ({"name": None}, "name: Field required"),
        ({"colour": "blue"}, "colour: unknown"),
        ({"record__values__ISS": "issue"}, "record.values.ISS: 'issue' is none of: issuance"),
        ({"fields__gift": {}}, "fields.gift: no kind of record"),
        ({"fields__issuance__colour": "C"}, "fields.issuance.colour: issuance has no field"),
        ({"fields__issuance__vintage": None}, "fields.issuance: vintage is required"),
        ({"fields__issuance": None}, "record.values.ISS: there are no rules"),
        ({"fields__issuance__vintage": {}}, "fields.issuance.vintage: give either from or"),
        (
            {"fields__issuance__vintage": {"constant": 1850}},
            "fields.issuance.vintage.constant: 1850: vintage must be a number from 1990",
        ),
        (
            {"fields__first_transfer__kind__values": {"A": "gift"}},
            "fields.first_transfer.kind.values.A: 'gift': kind must be one of",
        ),
        (
            {"fields__issuance__activity_id": {"from": "A", "unit": "kt"}},
            "fields.issuance.activity_id: decimal, group and unit are for numbers",
        ),
        (
            {"fields__issuance__vintage": {"from": "A", "unit": "kt"}},
            "fields.issuance.vintage.unit: only quantities have a unit",
        ),
        (
            {"fields__issuance__issued_at": {"from": "A", "date": "%d", "zone": "Moon/Base"}},
            "fields.issuance.issued_at.zone: 'Moon/Base' is no zone",
        ),
        (
            {"fields__issuance__host_party": {"from": "A", "date": "%d"}},
            "fields.issuance.host_party.date: host_party is no date",
        ),
        (
            {"fields__issuance__vintage": {"from": "A", "date": "%Y", "values": {"a": 2022}}},
            "values and date exclude each other",
        ),
        (
            {"fields__issuance__sop_quantity": {"from": "A", "decimal": ".", "group": "."}},
            "decimal and group are the same sign",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_mapping_is_refused_when_it_is_loaded(changes: dict[str, Any], said: str) -> None:
    """With the place in the file, before the first line of any feed is read."""
    with pytest.raises(MappingError) as caught:
        mapping_of(document(**changes))
    assert said in str(caught.value)


def test_every_error_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """One round of mending is enough; a file that is no TOML is told as such."""
    path = tmp_path / "m.toml"
    path.write_text(EXAMPLE.replace('"forwarding"', '"fwd"').replace('"AR5"', '""'))
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    assert len(str(caught.value).splitlines()) == 2
    path.write_text("name = ")
    with pytest.raises(MappingError, match=r"m\.toml"):
        load_mapping(path)


def test_the_digest_is_of_what_is_said_not_of_how() -> None:
    """Comments and order make no other mapping; every rule does."""
    turned = dict(reversed(document().items()))
    assert mapping_of(turned).sha256 == mapping_of(document()).sha256
    other = document(fields__issuance__activity_id="Act")
    assert mapping_of(other).sha256 != mapping_of(document()).sha256


@given(st.integers(0, 10**15), st.sampled_from(["t", "kt", "Mt"]), st.booleans())
def test_a_number_is_read_as_it_was_written(number: int, unit: str, grouped: bool) -> None:
    """Whatever the unit, with and without signs between thousands."""
    form = NumberForm(",", ".", unit)
    factor = {"t": 1, "kt": 1_000, "Mt": 1_000_000}[unit]
    whole, rest = divmod(number, factor)
    text = f"{whole:,}".replace(",", ".") if grouped else str(whole)
    if rest:
        text += "," + str(rest).rjust(len(str(factor)) - 1, "0")
    assert form.read(text) == number


@pytest.mark.parametrize("text", ["", ",", "1.5", "1,", "1e3", "١", "1.2345", "1234.567", " 1"])
def test_a_number_in_another_form_is_no_number(text: str) -> None:
    """A dot between thousands is never taken for a decimal sign, nor the other way round."""
    form = NumberForm(",", ".", "kt")
    with pytest.raises(UnturnableError):
        form.read(text)


def test_a_number_longer_than_any_is_refused_and_not_rounded() -> None:
    """So is one that is whole but for its thirtieth digit; one of twenty digits is exact."""
    assert NumberForm(unit="Mt").read("9" * 20) == int("9" * 20) * 10**6
    for text in ("1" * 5_000, f"1.{'0' * 30}1"):
        with pytest.raises(UnturnableError, match="20 digits"):
            NumberForm().read(text)


@pytest.mark.parametrize("zone", ["Asia/Bangkok", "America/New_York"])
def test_a_date_at_the_end_of_the_calendar_refuses_its_line_alone(zone: str) -> None:
    """Exports write the first and the last day that there is where they mean none."""
    form = DateForm("%Y-%m-%dT%H:%M%z", ZoneInfo(zone))
    for text in ("0001-01-01T00:00+1400", "9999-12-31T23:59-1400"):
        with pytest.raises(UnturnableError, match="year 1 to 9999"):
            form.read(text)
    plain = DateForm("%Y-%m-%d", ZoneInfo(zone))
    read = []
    for text in ("0001-01-01", "9999-12-31", "2026-01-01"):
        with suppress(UnturnableError):
            read.append(plain.read(text))
    assert read


def test_fields_within_fields_are_known_by_their_path() -> None:
    """In JSON as in XML."""
    mapping = mapping_of(document(fields__first_transfer__first_serial="Serial/From"))
    nested = {name: value for name, value in BLOCK.items() if name != "SerialFrom"}
    line = mapping.line(FeedLine(1, 9, nested | {"Serial": {"From": "1"}}, None))
    assert line.fields is not None
    assert line.fields["first_serial"] == "1"


def test_attributes_and_element_names_of_xml_are_mapped_like_any_field(tmp_path: Path) -> None:
    """The element's own name tells the kind of record when the mapping names no field for it."""
    mapping = mapping_of(
        document(
            record={"values": {"ISS": "issuance", "Transfer": "first_transfer"}},
            fields__first_transfer__first_transfer_id={"from": "@no", "prefix": "XMR01-"},
            fields__first_transfer__first_serial="Serials/@from",
            fields__first_transfer__last_serial="Serials/@to",
            fields__first_transfer__quantity={"from": "Serials", "unit": "kt"},
        )
    )
    named = {name: value for name, value in BLOCK.items() if name[:6] not in {"Type", "Serial"}}
    for name in ("TransferNo", "Amount"):
        del named[name]
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in named.items())
    text = f'<Transfer no="17">{inner}<Serials from="1" to="1200">1.2</Serials></Transfer>'
    path = tmp_path / "export.xml"
    path.write_text(f"<Export>\n{text}\n</Export>\n")
    feed = Feed(path, FeedFormat.XML, mapping)
    with closing(feed.open()) as reader:
        ((line,),) = list(feed.steps(iter(reader)))
    assert line.problems == ()
    assert line.fields is not None
    row = read_row(line.fields, RULES)
    assert isinstance(row, UnitBlockLine)
    assert (row.first_transfer_id, row.quantity, row.last_serial) == ("XMR01-17", 1200, 1200)


def test_the_command_tries_a_sample_field_by_field(tmp_path: Path) -> None:
    """Good lines are counted, and each problem has line, source's field, value, rule and ours."""
    mapping, sample = tmp_path / "m.toml", tmp_path / "sample.jsonl"
    assert runner.invoke(app, ["mapping", "example", "-o", str(mapping)]).exit_code == 0
    lines = [ISSUANCE, BLOCK, BLOCK | {"Amount": "1.20"}, BLOCK | {"SerialFrom": "one"}]
    sample.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["mapping", "check", str(mapping), "--feed", str(sample), "--json"]
    result = runner.invoke(app, arguments)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["lines_good"], found["lines_refused"]) == (1, 2, 2)
    first, second = found["problems"]
    assert (first["line"], first["source_field"], first["source_value"]) == (3, "Amount", "1.20")
    assert (first["field"], first["rule"]) == ("quantity", 3003)
    assert (second["line"], second["source_field"], second["field"]) == (
        4,
        "SerialFrom",
        "first_serial",
    )
    told = runner.invoke(app, arguments[:-1]).stdout.splitlines()
    assert told[-2].split("\t")[:3] == ["line 3", "3003 SCHEMA_VIOLATED", "quantity"]
    assert "Amount" in told[-2]
    assert runner.invoke(app, ["mapping", "check", str(mapping)]).exit_code == 0
    mapping.write_text("name = 1")
    assert runner.invoke(app, ["mapping", "check", str(mapping)]).exit_code == 2
