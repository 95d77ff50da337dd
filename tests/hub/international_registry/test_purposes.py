"""Tests of the algebra of purposes."""

import pytest

from hub.international_registry import purposes

CODES = ("NDC", "OIMP", "IMP", "OP", "NDC and OIMP", "NDC and IMP", "NDC and OP")


@pytest.mark.parametrize(
    ("code", "singles"),
    [
        ("NDC", {"NDC"}),
        ("OIMP", {"IMP", "OP"}),
        ("NDC and OIMP", {"NDC", "IMP", "OP"}),
        ("NDC and OP", {"NDC", "OP"}),
    ],
)
def test_a_code_stands_for_its_single_purposes(code: str, singles: set[str]) -> None:
    """OIMP is IMP and OP together (2/CMA.3 a.1(f))."""
    assert purposes.single_purposes(code) == singles


@pytest.mark.parametrize("code", CODES)
def test_every_code_covers_itself(code: str) -> None:
    """What is authorized may be done in full."""
    assert purposes.covers(code, code)


@pytest.mark.parametrize(
    ("authorized", "wanted", "covered"),
    [
        ("NDC and OIMP", "NDC", True),
        ("NDC and OIMP", "NDC and OP", True),
        ("OIMP", "IMP", True),
        ("IMP", "OIMP", False),
        ("NDC", "OIMP", False),
        ("NDC and IMP", "OP", False),
        ("NDC", "NDC and IMP", False),
    ],
)
def test_cover_is_set_inclusion(authorized: str, wanted: str, covered: bool) -> None:
    """All that is wanted must be authorized, not just part of it."""
    assert purposes.covers(authorized, wanted) is covered


@pytest.mark.parametrize("code", CODES)
def test_ndc_and_other_purposes_are_told_apart(code: str) -> None:
    """A code names NDC, an other purpose, or both, and never neither."""
    assert purposes.includes_ndc(code) is ("NDC" in code.split())
    assert purposes.includes_other(code) is (code != "NDC")


def test_a_purpose_added_to_the_list_later_stands_for_itself() -> None:
    """It is an other purpose, and covered by itself alone."""
    assert purposes.includes_other("CORSIA+")
    assert purposes.covers("NDC and CORSIA+", "CORSIA+")
    assert not purposes.covers("OIMP", "CORSIA+")
