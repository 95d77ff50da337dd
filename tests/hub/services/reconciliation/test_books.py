"""Books read from the database: equal to those in memory, at any index, on either database."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from hub.services.reconciliation.ledger.books import NoDigestsError, SqlBook, open_book
from hub.services.reconciliation.ledger.folding import bring_up_to_date
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.reconciliation import links
from hub.store.reconciliation.links import LinkRow
from reconciliation.books import LedgerView
from reconciliation.digests import FINEST_SHIFT, KEPT_SHIFTS, EdgeHasher
from reconciliation.explain import Explainer, Situation
from reconciliation.link_keys import LinkKey, key_of_year
from reconciliation.movements import edge_deltas
from reconciliation.owned import POSITION_MAX, series_of
from reconciliation.owned import Series as NamedSeries
from reconciliation.steps import runs
from tests.hub.services.reconciliation.stories import CELLS, REGISTRIES, SERIES, Story

SECRET = b"the secret of every link in these tests"
AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
WHOLE = (0, POSITION_MAX)
ALL_SERIES = [*map(series_of, SERIES), NamedSeries("CA9999", "PER01", "PER", 2030)]


def keys_of(year: int = 2026) -> dict[str, LinkKey]:
    """Return the keys of all registries for a year."""
    return {registry: key_of_year(SECRET, registry, year) for registry in REGISTRIES}


@contextmanager
def opened(database: Database, registry: str, year: int = 2026) -> Iterator[SqlBook]:
    """Open a registry's book in a snapshot of its own."""
    with database.reading() as connection:
        key = key_of_year(SECRET, registry, year)
        yield open_book(connection, Interning(), LinkRow(registry), key)


def compare_views(view: LedgerView, expected: LedgerView, story: Story) -> None:
    """Everything a comparison asks of a view is the same of both."""
    dice = story.dice
    assert (view.index, view.root) == (expected.index, expected.root)
    for shift in (*KEPT_SHIFTS, 20, FINEST_SHIFT):
        if shift in KEPT_SHIFTS:
            level = {series: chunks for series, chunks in expected.level(shift).items() if chunks}
            assert view.level(shift) == level
        for series in ALL_SERIES:
            low = dice.randint(0, CELLS) * story.scale >> shift << shift
            window = (low, min(POSITION_MAX, low + (dice.choice([1, 3, 2_000]) << shift) - 1))
            assert view.digests(shift, series, window) == expected.digests(shift, series, window)
    for series in ALL_SERIES:
        low = dice.randint(0, CELLS * story.scale)
        for window in (WHOLE, (low, low + dice.randint(0, 9 * story.scale))):
            ours, theirs = view.items(series, window), expected.items(series, window)
            assert list(runs(ours, ())) == list(runs(theirs, ()))
        edges = [place for run in runs(expected.items(series, WHOLE), ()) for place in run[:2]]
        span = view.span(series)
        assert not edges or (span is not None and span[0] <= edges[0] and edges[-1] < span[1])


@pytest.mark.parametrize("seed", range(8))
def test_a_view_as_of_any_index_is_that_of_a_book_in_memory(either: Database, seed: int) -> None:
    """Folded at random, in parts of any size, with good cuts and a new year's key in between."""
    story, year = Story(either, seed), 2026
    dice = random.Random(seed)
    for _ in range(dice.randint(2, 5)):
        story.go_on(dice.randint(0, 25))
        bring_up_to_date(either, keys_of(year), postings_in_part=dice.choice([1, 3, 20_000]))
        if dice.random() < 0.3:
            with either.writing() as connection:
                cut = dice.randint(story.first_index, story.head)
                links.set_agreed(connection, dice.choice(REGISTRIES), cut, AT)
        year += dice.random() < 0.3
    bring_up_to_date(either, keys_of(year))
    story.go_on(dice.randint(0, 6))
    for registry in REGISTRIES:
        with opened(either, registry, year) as book:
            expected = story.book(registry, book.hasher)
            assert book.head == story.head
            lowest = book.link.movements_from
            assert lowest is not None
            indices = {lowest, book.folded_to, book.head, dice.randint(lowest, book.head)}
            for index in indices:
                compare_views(book.view_at(index), expected.view(index), story)
            after = dice.randint(lowest, book.head)
            up_to = dice.randint(after, book.head)
            journal = [m for m in expected.journal if after < m.log_index <= up_to]
            assert book.pending(after, up_to) == journal
            for index in (lowest - 1, book.head + 1):
                with pytest.raises(ValueError, match=f"index {index} is not within"):
                    book.view_at(index)


def blocks_that_begin(story: Story, registry: str, series: NamedSeries) -> int:
    """Count the rows of a series at a registry."""
    return sum(row.registry == registry and series_of(row.series) == series for row in story.rows)


@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_counted_whether_they_were_read_or_not(either: Database, seed: int) -> None:
    """The same number from the rows kept in memory and from the database."""
    story = Story(either, seed)
    story.go_on(30)
    bring_up_to_date(either, keys_of())
    for registry in REGISTRIES:
        with opened(either, registry) as book:
            view = book.view_at(book.head)
            for series in ALL_SERIES:
                counted = view.block_count(series, WHOLE)
                view.items(series, WHOLE)
                expected = blocks_that_begin(story, registry, series)
                assert counted == view.block_count(series, WHOLE) == expected


@pytest.mark.parametrize("seed", range(8))
def test_what_explains_a_difference_is_what_explains_it_in_memory(
    either: Database, seed: int
) -> None:
    """One movement, two, none, of all units or of one series; folded or not; and its pieces."""
    story = Story(either, seed)
    dice = random.Random(seed)
    bring_up_to_date(either, keys_of())
    story.go_on(40)
    bring_up_to_date(either, keys_of(), postings_in_part=dice.choice([5, 20_000]))
    story.go_on(dice.choice([0, 4]))
    for registry in REGISTRIES:
        expected, hasher = Explainer(), EdgeHasher(key_of_year(SECRET, registry, 2026).secret)
        for movement in story.movements[registry]:
            expected.add(movement, edge_deltas(hasher, movement.pieces))
        totals = [
            sum(change for _, _, change in edge_deltas(hasher, movement.pieces))
            for movement in story.movements[registry]
        ]
        with opened(either, registry) as book:
            for movement in story.flights(registry):
                expected.add(movement, edge_deltas(hasher, movement.pieces), in_flight=True)
            differences = [sign * one for one in totals for sign in (1, -1)]
            differences += [dice.choice(totals or [1]) - dice.choice(totals or [2]), 12345]
            dice.shuffle(differences)
            for difference in differences[:20]:
                as_of = dice.randint(story.first_index, story.head)
                situation = Situation(as_of, dice.randint(story.first_index, as_of))
                with opened(either, registry) as fresh:
                    told = fresh.explainer.of_all(difference % 2**128, situation)
                assert told == expected.of_all(difference % 2**128, situation)
                assert told == book.explainer.of_all(difference % 2**128, situation)
            for series in ALL_SERIES:
                assert list(book.explainer.pieces_of(series)) == list(expected.pieces_of(series))
                for piece in expected.pieces_of(series):
                    deltas = edge_deltas(hasher, [p for p in piece[0].pieces if p.series == series])
                    change = sum(change for _, _, change in deltas) % 2**128
                    situation = Situation(story.head, story.head)
                    told_one = book.explainer.of_series(series, -change % 2**128, situation)
                    assert told_one == expected.of_series(series, -change % 2**128, situation)


def test_a_book_without_digests_under_the_key_is_refused(either: Database) -> None:
    """Never built, under another year's key, or under another secret: the remedy is named."""
    keys = keys_of()
    with either.reading() as connection, pytest.raises(NoDigestsError, match="CHE01-2026"):
        open_book(connection, Interning(), LinkRow("CHE01"), keys["CHE01"])
    bring_up_to_date(either, keys)
    others = (key_of_year(SECRET, "CHE01", 2027), key_of_year(SECRET[::-1], "CHE01", 2026))
    for key in others:
        with either.reading() as connection, pytest.raises(NoDigestsError, match="bring them up"):
            open_book(connection, Interning(), LinkRow("CHE01"), key)
    with either.reading() as connection:
        assert open_book(connection, Interning(), LinkRow("CHE01"), keys["CHE01"]).head > 0
