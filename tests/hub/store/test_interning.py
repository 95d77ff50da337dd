"""Small numbers for series and attributes: the same on every way, and gone with a rollback."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.international_registry.units import Attributes, Series
from hub.store.database import Database
from hub.store.interning import Interning
from tests.hub.store.samples import ATTRIBUTES, SERIES, rolled_back

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def test_the_same_series_always_gets_the_same_number(database: Database) -> None:
    """In one process, in another one, and whether it was cached or read."""
    with database.writing() as connection:
        first = Interning()
        numbers = [first.series_id(connection, one) for one in SERIES]
        assert len(set(numbers)) == len(SERIES)
        assert [first.series_id(connection, one) for one in SERIES] == numbers
    with database.reading() as connection:
        other = Interning()
        assert [other.find_series(connection, one) for one in SERIES] == numbers
        assert [Interning().series(connection, number) for number in numbers] == list(SERIES)
        assert other.find_series(connection, Series("CA0009", "PER01", "PER", 2024)) is None


def test_all_series_come_in_the_order_of_their_identifiers(database: Database) -> None:
    """Whatever order they were met in: the proof of the ledger streams them in order."""
    with database.writing() as connection:
        interning = Interning()
        for one in reversed(SERIES):
            interning.series_id(connection, one)
        ids = Interning().all_series_ids(connection)
        assert [interning.series(connection, number) for number in ids] == sorted(SERIES)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.builds(
        Attributes,
        metric=TEXTS,
        mitigation_type=TEXTS,
        authorization_id=TEXTS,
        authorization_version=st.integers(1, 10**6),
        sector=TEXTS,
        activity_type=st.none() | TEXTS,
        non_ghg_metric=st.none() | TEXTS,
        gwp_values=st.none() | TEXTS,
        underlying_registry=st.none() | TEXTS,
    )
)
def test_any_attributes_come_back_as_they_were(database: Database, value: Attributes) -> None:
    """Also texts in any script; an absent one is not the same as an empty one."""
    with rolled_back(database) as connection:
        number = Interning().attributes_id(connection, value)
        assert Interning().attributes(connection, number) == value
        assert Interning().attributes_id(connection, value) == number


def test_what_was_rolled_back_is_not_remembered_after_forgetting(database: Database) -> None:
    """A number given in a transaction that failed goes to whoever comes next."""
    interning = Interning()
    with rolled_back(database) as connection:
        lost = interning.series_id(connection, SERIES[0])
        lost_attributes = interning.attributes_id(connection, ATTRIBUTES[0])
    interning.forget()
    with database.writing() as connection:
        assert interning.find_series(connection, SERIES[0]) is None
        assert interning.series_id(connection, SERIES[1]) == lost
        assert interning.attributes_id(connection, ATTRIBUTES[1]) == lost_attributes
    with database.reading() as connection:
        assert Interning().series(connection, lost) == SERIES[1]


def test_a_number_that_was_never_given_is_our_defect(database: Database) -> None:
    """A block row cannot point nowhere; if it does, reading it stops."""
    with database.reading() as connection, pytest.raises(Exception, match="No row was found"):
        Interning().series(connection, 99)
