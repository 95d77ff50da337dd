"""From the fields of a line to a row, or to everything that is wrong with it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.fields import COLUMNS, FIELDS, read_row
from connectors.mechanism_registry.feeds.problems import ADVICE, Problem
from connectors.mechanism_registry.feeds.rows import BlockKind, IssuanceLine, UnitBlockLine
from hub.protocol.response_codes import ResponseCode as Code
from tests.connectors.mechanism_registry.rows import RULES, block, issuance


def problems_of(fields: dict[str, Any]) -> tuple[Problem, ...]:
    """Return the problems of a line that must have some."""
    answer = read_row(fields, RULES)
    assert isinstance(answer, tuple)
    return answer


def test_a_good_block_becomes_a_row() -> None:
    """Values arrive unchanged, the kind as its enumeration."""
    row = read_row(block(), RULES)
    assert isinstance(row, UnitBlockLine)
    assert row.kind is BlockKind.FORWARDING
    assert row.identifier("XMR01") == ("CA0001-XMR01-THA-1-2022", "CA0001-XMR01-THA-930-2022")


@pytest.mark.parametrize("fields", [block(), issuance()], ids=["block", "issuance"])
def test_text_and_json_make_the_same_row(fields: dict[str, Any]) -> None:
    """CSV gives text where JSON gives numbers; the row is the same."""
    text = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
    }
    assert read_row(text, RULES) == read_row(fields, RULES)


def test_an_exempt_issuance_says_why() -> None:
    """LDC or SIDS stands on an exempt issuance and nowhere else."""
    row = read_row(issuance(sop_exempt=True, sop_exemption="SIDS"), RULES)
    assert isinstance(row, IssuanceLine)
    for wrong in (issuance(sop_exempt=True), issuance(sop_exemption="LDC")):
        (problem,) = problems_of(wrong)
        assert problem.code is Code.CONDITIONAL_FIELD_MISSING


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"record": None}, Code.SCHEMA_VIOLATED, "record"),
        ({"record": "transfer"}, Code.SCHEMA_VIOLATED, "record"),
        ({"record": 7}, Code.SCHEMA_VIOLATED, "record"),
        ({"kind": "retirement"}, Code.SCHEMA_VIOLATED, "kind"),
        ({"sector": None}, Code.SCHEMA_VIOLATED, "sector"),
        ({"issued_quantity": 5}, Code.SCHEMA_VIOLATED, "issued_quantity"),
        ({"host_party": "tha"}, Code.SCHEMA_VIOLATED, "host_party"),
        ({"host_party": "THA\n"}, Code.SCHEMA_VIOLATED, "host_party"),
        ({"cooperative_approach": "CA١٢٣٤"}, Code.SCHEMA_VIOLATED, "cooperative_approach"),
        ({"quantity": "1,000"}, Code.SCHEMA_VIOLATED, "quantity"),
        ({"quantity": True}, Code.SCHEMA_VIOLATED, "quantity"),
        ({"quantity": "9" * 5000}, Code.SCHEMA_VIOLATED, "quantity"),
        ({"quantity": -1}, Code.SCHEMA_VIOLATED, "quantity"),
        ({"metric": "non-GHG"}, Code.SCHEMA_VIOLATED, "metric"),
        ({"sector": "Transport"}, Code.CODE_NOT_IN_LIST, "sector"),
        ({"activity_type": "Windmills"}, Code.CODE_NOT_IN_LIST, "activity_type"),
        ({"mitigation_type": "Avoidance"}, Code.CODE_NOT_IN_LIST, "mitigation_type"),
        ({"first_serial": 931}, Code.SERIAL_RANGE_REVERSED, "first_serial"),
        ({"quantity": 929}, Code.QUANTITY_NOT_RANGE, "quantity"),
        ({"first_transfer_id": "XMR02-1"}, Code.ID_PREFIX_NOT_SENDER, "first_transfer_id"),
        ({"issuance_id": "THA01-1"}, Code.ID_PREFIX_NOT_SENDER, "issuance_id"),
        ({"vintage": 2020}, Code.VINTAGE_BEFORE_2021, "vintage"),
        ({"vintage": 2027}, Code.VINTAGE_IN_FUTURE, "vintage"),
        (
            {"authorization_status": "contribution"},
            Code.A64_UNIT_NOT_AUTHORIZED,
            "authorization_status",
        ),
        (
            {"underlying_registry": "VCS", "underlying_first_unit_id": "1"},
            Code.CONDITIONAL_FIELD_MISSING,
            "underlying_last_unit_id",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(
    changes: dict[str, Any], code: Code, field: str
) -> None:
    """One wrong field, one problem, with the hub's own code and the field's name."""
    (problem,) = problems_of(block(**changes))
    assert (problem.code, problem.field) == (code, field)
    assert problem.value is None or len(problem.value) <= 80


@pytest.mark.parametrize("vintage", [2021, 2026])
def test_the_bounds_of_the_vintage_are_good(vintage: int) -> None:
    """From 2021 (2/CMA.3 a.1(e)) to the running year."""
    assert isinstance(read_row(block(vintage=vintage), RULES), UnitBlockLine)


def test_all_problems_of_a_line_are_reported() -> None:
    """An operator corrects a line once."""
    fields = block(kind="x", quantity="y", host_party=None, colour="blue")
    assert {problem.field for problem in problems_of(fields)} == {
        "kind",
        "quantity",
        "host_party",
        "colour",
    }


@pytest.mark.parametrize(
    "issued_at", ["2026-02-30T00:00:00.000Z", "2026-03-01", "2026-03-01T09:00:00Z"]
)
def test_the_time_of_issuance_is_a_time(issued_at: str) -> None:
    """A date that does not exist, or is written another way, is refused."""
    (problem,) = problems_of(issuance(issued_at=issued_at))
    assert problem.field == "issued_at"


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.lists(st.integers())
)


@given(
    fields=st.dictionaries(st.sampled_from(sorted(COLUMNS)), values),
    base=st.sampled_from([block(), issuance(), {}]),
)
def test_whatever_stands_on_a_line_gets_an_answer(
    fields: dict[str, Any], base: dict[str, Any]
) -> None:
    """Every line is a row or has problems, each with an advice; nothing raises."""
    answer = read_row(base | fields, RULES)
    if isinstance(answer, tuple):
        assert answer
        assert all(problem.code in ADVICE for problem in answer)


def test_every_column_is_judged() -> None:
    """No field gets into a row unseen."""
    assert set(FIELDS) | {"record"} == COLUMNS
