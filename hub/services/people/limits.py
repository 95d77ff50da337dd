"""How often somebody may try to sign in: by name, by address, and by both.

1. A try is counted before it is judged, in the database, and taken back when it was good. So many
   at once, or at several consoles, are counted like one after the other.
2. Each bucket has so many tries free; then each further one closes it for twice as long, up to a
   longest time. While one bucket of a try is closed, the try is not judged: it costs no hashing.
3. A name is counted whether anybody has it or not, and every refusal reads the same: nothing tells
   which names there are.
4. A name at its own address closes soon, a name from everywhere late and briefly, so that nobody
   is kept out by others for long; and with a passkey no name is counted at all.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from sqlalchemy import Connection

from hub.store.people import limits as store
from hub.store.people.limits import LimitRow

IPV6_NETWORK_BITS: Final = 64
"""Whoever has one address of such a network has all of them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How many tries are free, how long the first block is, and the longest; then all is forgot."""

    free_count: int
    first_block: timedelta
    longest_block: timedelta
    forget_after: timedelta

    def block_after(self, failure_count: int) -> timedelta | None:
        """Return how long a bucket is closed after its n-th failure; None: it stays open."""
        over = failure_count - self.free_count
        if over < 0:
            return None
        times: int = 1 << min(over, 20)
        return min(self.first_block * times, self.longest_block)


_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
NAME_AT_ADDRESS: Final = Rule(5, _MINUTE, 60 * _MINUTE, _DAY)
NAME: Final = Rule(30, _MINUTE, 5 * _MINUTE, _DAY / 2)
ADDRESS: Final = Rule(40, _MINUTE, 60 * _MINUTE, _DAY / 2)
CODE: Final = Rule(5, _MINUTE, 60 * _MINUTE, 7 * _DAY)
START: Final = Rule(100, _MINUTE, 10 * _MINUTE, _DAY / 24)
LONGEST_MEMORY: Final = CODE.forget_after


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose tries are counted together, by which rule."""

    key: str
    rule: Rule


class BlockedError(Exception):
    """Too many tries failed; ``until`` is when the next one is judged."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"blocked until {until:%Y-%m-%d %H:%M:%S} UTC")
        self.until = until


def of_password(name: str, address: str) -> list[Bucket]:
    """Return the buckets of a password tried for a name from an address."""
    place = network_of(address)
    return [
        Bucket(_key("name-at", f"{name}\n{place}"), NAME_AT_ADDRESS),
        Bucket(_key("name", name), NAME),
        Bucket(_key("at", place), ADDRESS),
    ]


def of_code(person_id: str, address: str) -> list[Bucket]:
    """Return the buckets of a code tried by whoever knows a person's password already."""
    return [
        Bucket(_key("code", person_id), CODE),
        Bucket(_key("at", network_of(address)), ADDRESS),
    ]


def of_address(address: str) -> list[Bucket]:
    """Return the buckets of a try that names nobody: a passkey, a provider, an invitation."""
    return [Bucket(_key("at", network_of(address)), ADDRESS)]


def of_start(address: str) -> list[Bucket]:
    """Return the buckets of a step that is begun, whether or not it is ended."""
    return [Bucket(_key("start-at", network_of(address)), START)]


def require_open(connection: Connection, buckets: Sequence[Bucket], now: datetime) -> None:
    """Raise BlockedError if a bucket is closed now.

    Asked by a transaction that only reads: who is kept out never waits for the database's writers,
    nor makes them wait.
    """
    until = store.closed_until(connection, [one.key for one in buckets], now)
    if until is not None:
        raise BlockedError(until)


def charge(connection: Connection, buckets: Sequence[Bucket], now: datetime) -> bool:
    """Count a try that is about to be judged; tell whether a bucket is closed now, if it fails.

    Raises BlockedError, and then counts nothing.
    """
    rows = store.lock(connection, [one.key for one in buckets], now)
    closed = [
        row.blocked_until
        for row in rows.values()
        if row.blocked_until is not None and row.blocked_until > now
    ]
    if closed:
        raise BlockedError(max(closed))
    closes = False
    for bucket in buckets:
        row = rows[bucket.key]
        before = 0 if now - row.failed_at > bucket.rule.forget_after else row.failure_count
        block = bucket.rule.block_after(before + 1)
        closes = closes or block is not None
        store.write(
            connection,
            LimitRow(bucket.key, before + 1, now, None if block is None else now + block),
        )
    return closes


def refund(
    connection: Connection, buckets: Sequence[Bucket], now: datetime, *, forget: bool = False
) -> None:
    """Take a counted try back: it was good. ``forget`` opens the first bucket as if it were new.

    The others keep what failed in them: one good name does not make an address trusted, and a block
    that another try set meanwhile stays. What is
    too old to count for anybody is deleted then: seldom enough, and never by whoever only fails.
    """
    rest = list(buckets)
    if forget:
        store.erase_before(connection, now - LONGEST_MEMORY)
        store.remove(connection, [rest.pop(0).key])
    if not rest:
        return
    rows = store.lock(connection, [one.key for one in rest], now)
    for bucket in rest:
        row = rows[bucket.key]
        count = max(row.failure_count - 1, 0)
        until = row.blocked_until if row.failed_at > now else None
        store.write(connection, replace(row, failure_count=count, blocked_until=until))


def network_of(address: str) -> str:
    """Return what an address is counted as: itself, or the network that one IPv6 host has."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        bits = 128 - IPV6_NETWORK_BITS
        return f"{IPv6Address(int(found) >> bits << bits)}/{IPV6_NETWORK_BITS}"
    return str(found)


def _key(kind: str, value: str) -> str:
    # Never the words themselves: people type their password where the name belongs.
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"{kind}:{digest}"
