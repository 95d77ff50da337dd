"""Cursors: what was given out comes back as it was, and nothing else is taken."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.views.cursors import (
    CursorRefusedError,
    Place,
    Query,
    make_cursor,
    read_cursor,
)
from message_schemas import timestamps
from message_schemas.json_codec import encode_body
from message_schemas.messages.queries import HistoryQuery, HoldingsQuery
from message_schemas.validation import schema_errors
from tests.message_schemas.strategies import moments

SECRET = bytes(range(32))
queries = st.builds(
    HoldingsQuery,
    items_max=st.integers(1, 1000),
    vintage=st.none() | st.integers(1990, 2100),
    status=st.sampled_from([None, "itmo", "authorized"]),
    account=st.sampled_from([None, "A-1", "A-2"]),
)
askers = st.from_regex("[A-Z]{3}[0-9]{2}", fullmatch=True)
places = st.builds(
    Place,
    after=st.from_regex("[A-Za-z0-9_.~-]{1,100}", fullmatch=True),
    as_of=moments.map(timestamps.render),
)


@given(queries, askers, places, st.integers(1, 1000))
def test_a_place_comes_back_whatever_the_size_of_the_page(
    query: Query, asker: str, place: Place, items_max: int
) -> None:
    """The cursor is one that a query may carry, and names the same place and time."""
    cursor = make_cursor(SECRET, asker, query, place)
    again = replace(query, cursor=cursor, items_max=items_max)
    assert not schema_errors("holdings.query", 1, encode_body(again))
    assert read_cursor(SECRET, asker, again) == place


@given(queries, queries, askers, askers, places)
def test_it_is_of_one_asker_and_one_query(
    query: Query, other: Query, asker: str, stranger: str, place: Place
) -> None:
    """Another asker, another filter, another secret: refused."""
    cursor = make_cursor(SECRET, asker, query, place)
    if stranger != asker:
        with pytest.raises(CursorRefusedError):
            read_cursor(SECRET, stranger, replace(query, cursor=cursor))
    if replace(other, items_max=query.items_max) != query:
        with pytest.raises(CursorRefusedError):
            read_cursor(SECRET, asker, replace(other, cursor=cursor))
    with pytest.raises(CursorRefusedError):
        read_cursor(bytes(32), asker, replace(query, cursor=cursor))
    history = HistoryQuery(items_max=1, transfer_id="XMR01-1", cursor=cursor)
    with pytest.raises(CursorRefusedError):
        read_cursor(SECRET, asker, history)


@given(st.from_regex("[A-Za-z0-9_.~=-]{1,200}", fullmatch=True))
def test_what_nobody_gave_out_is_refused(text: str) -> None:
    """Any text of the alphabet, and never another error."""
    with pytest.raises(CursorRefusedError):
        read_cursor(SECRET, "CHE01", HoldingsQuery(items_max=1, cursor=text))
