"""How often one may try: counted before it is judged, over all consoles, growing, forgotten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from hub.services.people import limits
from hub.services.people.limits import BlockedError, Bucket
from hub.store.database import Database
from tests.hub.services.people.people_world import BEGIN

MINUTE = timedelta(minutes=1)


def charge(database: Database, buckets: list[Bucket], at: timedelta = timedelta()) -> bool:
    """Count a try."""
    with database.writing() as connection:
        return limits.charge(connection, buckets, BEGIN + at)


def test_blocks_grow_and_end(either: Database) -> None:
    """Five are free; then a minute, two, four, up to an hour; a day later all is forgotten."""
    buckets = limits.of_password("ana", "192.0.2.1")
    assert [charge(either, buckets) for _ in range(5)] == [False] * 4 + [True]
    at, minutes = timedelta(), []
    for _ in range(9):
        with pytest.raises(BlockedError) as blocked:
            charge(either, buckets, at)
        until = blocked.value.until - BEGIN
        minutes.append((until - at) / MINUTE)
        at = until
        assert charge(either, buckets, at)
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert not charge(either, buckets, at + timedelta(days=1, seconds=1))


def test_a_blocked_try_is_not_counted(either: Database) -> None:
    """Who waits is not punished for asking meanwhile."""
    buckets = limits.of_password("ana", "192.0.2.1")
    for _ in range(5):
        charge(either, buckets)
    for _ in range(20):
        with pytest.raises(BlockedError) as blocked:
            charge(either, buckets)
    assert blocked.value.until == BEGIN + MINUTE


def test_whoever_is_kept_out_does_not_wait_for_the_writers(either: Database) -> None:
    """A flood of blocked tries reads only; while all are open nothing is refused."""
    buckets = limits.of_password("ana", "192.0.2.1")
    with either.reading() as connection:
        limits.require_open(connection, buckets, BEGIN)
    for _ in range(5):
        charge(either, buckets)
    with either.reading() as connection:
        with pytest.raises(BlockedError) as blocked:
            limits.require_open(connection, buckets, BEGIN)
        assert blocked.value.until == BEGIN + MINUTE
        limits.require_open(connection, buckets, BEGIN + MINUTE)


def test_a_good_try_does_not_lift_the_block_that_a_later_one_set(either: Database) -> None:
    """The 39th try of an address is good and ends after the 40th, which closed the address."""
    for number in range(38):
        charge(either, limits.of_address("192.0.2.1"), timedelta(seconds=number))
    good = limits.of_address("192.0.2.1")
    charge(either, good, timedelta(seconds=38))
    assert charge(either, good, timedelta(seconds=39))
    with either.writing() as connection:
        limits.refund(connection, good, BEGIN + timedelta(seconds=38))
    with pytest.raises(BlockedError):
        charge(either, good, timedelta(seconds=40))


def test_many_at_once_are_counted_like_one_after_the_other(either: Database) -> None:
    """Twenty threads with one name: five are judged."""
    buckets = limits.of_password("ana", "192.0.2.1")

    def one(_: int) -> bool:
        try:
            charge(either, buckets)
        except BlockedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(20))) == 5


def test_one_address_tries_few_names_and_one_name_is_tried_from_few_addresses(
    either: Database,
) -> None:
    """Spraying one password over names, and one name from a botnet, both end."""
    for number in range(40):
        charge(either, limits.of_password(f"name{number}", "192.0.2.1"))
    with pytest.raises(BlockedError):
        charge(either, limits.of_password("another", "192.0.2.1"))
    for number in range(30):
        charge(either, limits.of_password("ana", f"198.51.100.{number}"))
    with pytest.raises(BlockedError) as blocked:
        charge(either, limits.of_password("ana", "203.0.113.1"))
    assert blocked.value.until - BEGIN <= 5 * MINUTE  # others cannot keep ana out for long
    charge(either, limits.of_address("203.0.113.1"))  # and a passkey is not kept out at all


def test_a_good_try_is_taken_back_and_makes_no_address_trusted(either: Database) -> None:
    """Somebody's own account between the tries does not reset what the address has failed."""
    for number in range(39):
        charge(either, limits.of_password(f"name{number}", "192.0.2.1"))
    own = limits.of_password("mallory", "192.0.2.1")
    charge(either, own)
    with either.writing() as connection:
        limits.refund(connection, own, BEGIN, forget=True)
    charge(either, limits.of_password("last", "192.0.2.1"))
    with pytest.raises(BlockedError):
        charge(either, own)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, network: str) -> None:
    """Whoever has one of its addresses has them all."""
    assert limits.network_of(address) == network


def test_the_database_has_no_word_that_was_typed(either: Database) -> None:
    """People type their password where the name belongs."""
    charge(either, limits.of_password("my secret password", "192.0.2.1"))
    with either.reading() as connection:
        rows = connection.execute(text("SELECT * FROM sign_in_limit")).all()
    assert len(rows) == 3
    assert "secret" not in repr(rows)


def test_counts_that_nobody_needs_are_deleted(either: Database) -> None:
    """The table does not grow with the years: whoever signs in sweeps it."""
    for number in range(30):
        charge(either, limits.of_password(f"name{number}", "192.0.2.1"))
    buckets, late = limits.of_password("ana", "192.0.2.9"), timedelta(days=8)
    charge(either, buckets, late)
    with either.writing() as connection:
        limits.refund(connection, buckets, BEGIN + late, forget=True)
    with either.reading() as connection:
        count = connection.execute(text("SELECT count(*) FROM sign_in_limit")).scalar_one()
    assert count == 2  # ana's, from everywhere, and of her address
