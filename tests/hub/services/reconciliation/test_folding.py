"""Digests folded from the journal are those of the blocks, whatever happens on the way."""

import random
import threading

import pytest
from sqlalchemy import select, text, update

from hub.services.reconciliation.ledger.folding import bring_up_to_date
from hub.store.database import Database
from hub.store.reconciliation import digests, links, movements, tables
from hub.store.reconciliation.links import LinkRow
from hub.store.reconciliation.movements import TotalKey
from hub.store.tables import posting
from reconciliation.digests import KEPT_SHIFTS, DigestTable, EdgeHasher
from reconciliation.link_keys import LinkKey, key_of_year
from reconciliation.movements import edge_deltas
from reconciliation.owned import blocks_of
from tests.hub.services.reconciliation.stories import REGISTRIES, Story
from tests.hub.services.reconciliation.test_books import AT, SECRET, keys_of

Rows = dict[tuple[int, str, int], int]


def kept(database: Database, key: LinkKey) -> tuple[LinkRow, Rows]:
    """Return a link and its digest rows: (shift, series, chunk) -> sum."""
    with database.reading() as connection:
        link = links.load(connection, key.registry)
        assert link is not None
        named = connection.execute(
            text("SELECT series_id, originating_registry || vintage FROM series")
        )
        names = {row[0]: row[1] for row in named}
        rows = {
            (shift, names[series_id], chunk): value
            for shift in KEPT_SHIFTS
            for series_id, chunks in digests.of_level(
                connection, key.registry, key.year, shift
            ).items()
            for chunk, value in chunks.items()
        }
    return link, rows


def expected(story: Story, key: LinkKey) -> tuple[int, Rows]:
    """Return root and rows made in memory from the blocks as they lie now."""
    table = DigestTable.build(EdgeHasher(key.secret), blocks_of(story.rows, key.registry))
    return table.root, {
        (shift, f"{series.originating_registry}{series.vintage}", chunk): value
        for shift in KEPT_SHIFTS
        for series, chunks in table.level(shift).items()
        for chunk, value in chunks.items()
    }


def require_right(story: Story, keys: dict[str, LinkKey]) -> None:
    """The tables of all registries are what the blocks give, and stand at the head."""
    for key in keys.values():
        link, rows = kept(story.database, key)
        root, right = expected(story, key)
        assert rows == right
        assert (link.root, link.folded_to) == (digests.to_bytes(root), story.head)


def totals(database: Database, key: LinkKey) -> list[tuple[int, int]]:
    """Return all totals kept of a registry, under its key: (log index, total)."""
    with database.reading() as connection:
        found = movements.totals_between(connection, TotalKey(key.registry, key.year), -1, 2**62)
    return [(row.log_index, row.total) for row in found]


def right_totals(story: Story, key: LinkKey, after: int) -> list[tuple[int, int]]:
    """Return the same, from the postings' pieces."""
    hasher = EdgeHasher(key.secret)
    return [
        (one.log_index, sum(c for _, _, c in edge_deltas(hasher, one.pieces)) % 2**128)
        for one in story.movements[key.registry]
        if one.log_index > after
    ]


class BrokenOffError(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("size", [1, 2, 7, 20_000])
def test_digests_folded_in_parts_are_those_of_the_blocks(either: Database, size: int) -> None:
    """Whatever the size of a part, also where one entry alone is more than a part."""
    story, keys = Story(either, size), keys_of()
    story.go_on(15)
    bring_up_to_date(either, keys, postings_in_part=size)
    require_right(story, keys)
    for _ in range(3):
        story.go_on(20)
        bring_up_to_date(either, keys, postings_in_part=size)
        require_right(story, keys)
    for key in keys.values():
        assert totals(either, key) == right_totals(story, key, 0)


@pytest.mark.parametrize("seed", range(4))
def test_folding_that_was_broken_off_goes_on_where_it_was(either: Database, seed: int) -> None:
    """After any part, several times; no movement is counted twice or left out."""
    story, keys, dice = Story(either, seed), keys_of(), random.Random(seed)
    story.go_on(10)
    bring_up_to_date(either, keys)
    story.go_on(40)
    for _ in range(4):
        left = dice.randint(1, 6)

        def pull_the_plug(done: int, total: int) -> None:
            nonlocal left
            assert 0 <= done <= total
            left -= 1
            if left <= 0:
                raise BrokenOffError

        try:
            bring_up_to_date(either, keys, pull_the_plug, postings_in_part=3)
        except BrokenOffError:
            story.go_on(dice.randint(0, 3))
    bring_up_to_date(either, keys, postings_in_part=3)
    require_right(story, keys)


def test_two_that_fold_at_once_count_each_movement_once(either: Database) -> None:
    """Building and folding, in parts of three, by four at the same time while the log goes on."""
    story, keys = Story(either, 5), keys_of()
    story.go_on(30)
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def fold() -> None:
        try:
            start.wait()
            for _ in range(4):
                bring_up_to_date(either, keys, postings_in_part=3)
        except BaseException as error:  # noqa: BLE001 - told by the test below
            errors.append(error)

    others = [threading.Thread(target=fold) for _ in range(3)]
    for other in others:
        other.start()
    start.wait()
    story.go_on(40)
    fold_alone = threading.Thread(target=bring_up_to_date, args=(either, keys))
    fold_alone.start()
    for one in (*others, fold_alone):
        one.join()
    assert errors == []
    bring_up_to_date(either, keys)
    require_right(story, keys)
    for key in keys.values():
        assert totals(either, key) == right_totals(story, key, 0)


@pytest.mark.parametrize("new_secret", [False, True])
def test_another_key_is_another_table(either: Database, *, new_secret: bool) -> None:
    """Next year's, or another secret's: sums, totals since the last good cut, no old row left."""
    story, keys = Story(either, 8), keys_of()
    story.go_on(30)
    bring_up_to_date(either, keys)
    cut = story.head - 12
    with either.writing() as connection:
        links.set_agreed(connection, "CHE01", cut, AT)
    year, secret = (2026, SECRET[::-1]) if new_secret else (2027, SECRET)
    keys["CHE01"] = key_of_year(secret, "CHE01", year)
    story.go_on(5)
    bring_up_to_date(either, keys)
    require_right(story, keys)
    link, _ = kept(either, keys["CHE01"])
    assert (link.key_year, link.movements_from, link.agreed_to) == (year, cut, cut)
    assert totals(either, keys["CHE01"]) == right_totals(story, keys["CHE01"], cut)
    with either.reading() as connection:
        for table in (tables.digest, tables.movement):
            years = select(table.c.key_year).where(table.c.registry == "CHE01").distinct()
            assert set(connection.execute(years).scalars()) <= {year}


def test_folding_ends_though_the_log_goes_on(either: Database) -> None:
    """It goes as far as the head was when it began; the rest is for the next time."""
    story, keys = Story(either, 14), keys_of()
    story.go_on(10)
    bring_up_to_date(either, keys)
    story.go_on(20)
    began_at, told = story.head, []

    def trade_on(done: int, total: int) -> None:
        told.append((done, total))
        story.go_on(1)

    bring_up_to_date(either, keys, trade_on, postings_in_part=2)
    assert {kept(either, key)[0].folded_to for key in keys.values()} == {began_at}
    assert told[-1] == (20, 20)
    bring_up_to_date(either, keys)
    require_right(story, keys)


def test_totals_from_before_a_good_cut_go(either: Database) -> None:
    """With the next folding; other registries keep theirs."""
    story, keys = Story(either, 9), keys_of()
    bring_up_to_date(either, keys)
    story.go_on(30)
    bring_up_to_date(either, keys)
    cut = story.head - 10
    with either.writing() as connection:
        links.set_agreed(connection, "CHE01", cut, AT)
    story.go_on(5)
    bring_up_to_date(either, keys)
    require_right(story, keys)
    for registry, after in (("CHE01", cut), ("THA01", 0)):
        assert totals(either, keys[registry]) == right_totals(story, keys[registry], after)
    link, _ = kept(either, keys["CHE01"])
    assert link.movements_from == cut


def test_a_registry_that_joins_later_is_built_beside_the_others(either: Database) -> None:
    """Each stands where it stands; all come to the head."""
    story, keys = Story(either, 10), keys_of()
    first = {"CHE01": keys["CHE01"]}
    story.go_on(20)
    bring_up_to_date(either, first)
    story.go_on(20)
    bring_up_to_date(either, {"THA01": keys["THA01"]})
    story.go_on(20)
    bring_up_to_date(either, keys, postings_in_part=4)
    require_right(story, keys)


def test_postings_that_do_not_tell_how_units_stood_are_built_over(either: Database) -> None:
    """A hub of before wrote them: the blocks tell, and no movement goes back beyond."""
    story, keys = Story(either, 11), keys_of()
    story.go_on(10)
    bring_up_to_date(either, keys)
    story.go_on(30)
    with either.writing() as connection:
        effects = select(posting.c.log_index).where(posting.c.was_status.is_not(None))
        untold = sorted(set(connection.execute(effects).scalars()))[-4]
        connection.execute(
            update(posting)
            .where(posting.c.log_index == untold)
            .values(was_status=None, was_first_transferred=None)
        )
    bring_up_to_date(either, keys)
    require_right(story, keys)
    for key in keys.values():
        link, _ = kept(either, key)
        assert link.movements_from == untold
        assert totals(either, key) == right_totals(story, key, untold)


def test_a_table_that_is_forgotten_is_built_anew(either: Database) -> None:
    """Rows that somebody edited are set right by it."""
    story, keys = Story(either, 12), keys_of()
    story.go_on(20)
    bring_up_to_date(either, keys)
    with either.writing() as connection:
        connection.execute(update(tables.digest).values(digest=b"x" * 16))
        for registry in REGISTRIES:
            links.forget_table(connection, registry)
    bring_up_to_date(either, keys)
    require_right(story, keys)


def test_how_a_registry_is_compared_is_kept_with_its_digests(either: Database) -> None:
    """By digests where nothing is said; agreement does not go back; folding leaves both alone."""
    story, keys = Story(either, 13), keys_of()
    with either.writing() as connection:
        assert links.mode_of(links.load(connection, "CHE01")) == "digests"
        links.set_mode(connection, "CHE01", "totals")
        links.set_agreed(connection, "CHE01", 7, AT)
        links.set_agreed(connection, "CHE01", 5, AT)
        links.set_agreed(connection, "THA01", 6, AT)
    bring_up_to_date(either, keys)
    story.go_on(5)
    bring_up_to_date(either, keys)
    with either.writing() as connection:
        links.set_mode(connection, "GHA01", "off")
        rows = {row.registry: row for row in links.load_all(connection)}
    assert [rows[code].mode for code in ("CHE01", "GHA01", "THA01")] == ["totals", "off", "digests"]
    assert (rows["CHE01"].agreed_to, rows["CHE01"].agreed_at) == (7, AT)
    assert (rows["THA01"].agreed_to, rows["GHA01"].agreed_to) == (6, None)
    assert {row.folded_to for row in rows.values()} == {story.head}
