"""What the check of the hub's own books reads beside blocks and journal, one small query each.

Sums stay 16 bytes, big end first, here; the check makes numbers of them.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from hub.store.reconciliation.tables import case, case_range, digest, link, night
from hub.store.tables import posting, series, unit_block


class KeptLink(NamedTuple):
    """A registry whose digests are kept: under which key, folded to which entry of the log.

    Totals of movements are kept from behind ``movements_from`` on.
    """

    registry: str
    key_year: int
    key_check: bytes
    folded_to: int
    movements_from: int
    root: bytes


class KeptDigest(NamedTuple):
    """One kept sum of a series."""

    registry: str
    shift: int
    chunk: int
    digest: bytes


class StrayRange(NamedTuple):
    """A frozen range whose case is closed, or not there (``state`` None)."""

    case_id: str
    ordinal: int
    series: str
    first: int
    last: int
    state: str | None


def touched_series(connection: Connection, after: int, up_to: int) -> set[int]:
    """Return the ids of the series with postings behind ``after``, up to ``up_to``."""
    rows = connection.execute(
        select(posting.c.series_id)
        .where(posting.c.log_index > after, posting.c.log_index <= up_to)
        .distinct()
    )
    return set(rows.scalars())


def known_series(connection: Connection) -> set[int]:
    """Return the ids of all series on record, of blocks and of the journal."""
    found = set(connection.execute(select(series.c.series_id)).scalars())
    for column in (unit_block.c.series_id, posting.c.series_id):
        # One index probe a series, however many rows it has.
        at = connection.execute(select(func.min(column))).scalar_one()
        while at is not None:
            found.add(at)
            at = connection.execute(select(func.min(column)).where(column > at)).scalar_one()
    return found


def row_count(connection: Connection, series_ids: Collection[int] | None) -> int:
    """Return how many blocks and postings the series have; None counts all."""
    total = 0
    for table in (unit_block, posting):
        counted = select(func.count()).select_from(table)
        if series_ids is None:
            total += connection.execute(counted).scalar_one()
            continue
        for series_id in series_ids:
            one = counted.where(table.c.series_id == series_id)
            total += connection.execute(one).scalar_one()
    return total


def last_posting(connection: Connection, series_id: int) -> int:
    """Return the log index of a series' newest posting, 0 if there is none."""
    newest = select(func.max(posting.c.log_index)).where(posting.c.series_id == series_id)
    return int(connection.execute(newest).scalar_one() or 0)


def kept_links(connection: Connection) -> list[KeptLink]:
    """Return the registries whose digests are kept."""
    rows = connection.execute(
        select(
            link.c.registry,
            link.c.key_year,
            link.c.key_check,
            link.c.folded_to,
            link.c.movements_from,
            link.c.root,
        )
        .where(link.c.key_year.is_not(None), link.c.folded_to.is_not(None))
        .order_by(link.c.registry)
    )
    return [
        KeptLink(row[0], row[1], row[2] or b"", row[3], row[4] or 0, row[5] or bytes(16))
        for row in rows
    ]


def kept_digests(
    connection: Connection, years: Mapping[str, int], series_id: int, shifts: Collection[int]
) -> list[KeptDigest]:
    """Return the kept sums of one series, of the registries in ``years`` under those keys."""
    if not years:
        return []
    rows = connection.execute(
        select(
            digest.c.registry, digest.c.key_year, digest.c.shift, digest.c.chunk, digest.c.digest
        )
        .where(
            digest.c.registry.in_(sorted(years)),
            digest.c.key_year.in_(sorted(set(years.values()))),
            digest.c.shift.in_(sorted(shifts)),
            digest.c.series_id == series_id,
        )
        .order_by(digest.c.registry, digest.c.shift, digest.c.chunk)
    )
    return [KeptDigest(row[0], *row[2:]) for row in rows if years[row[0]] == row[1]]


def kept_level(connection: Connection, kept: KeptLink, shift: int) -> list[bytes]:
    """Return a registry's kept sums at one shift."""
    rows = connection.execute(
        select(digest.c.digest).where(
            digest.c.registry == kept.registry,
            digest.c.key_year == kept.key_year,
            digest.c.shift == shift,
        )
    )
    return list(rows.scalars())


def stray_ranges(connection: Connection, limit: int) -> list[StrayRange]:
    """Return frozen ranges of cases that are closed or not there, at most so many."""
    rows = connection.execute(
        select(case_range, case.c.state)
        .outerjoin(case, case.c.case_id == case_range.c.case_id)
        .where(case_range.c.is_frozen, or_(case.c.case_id.is_(None), case.c.state == "closed"))
        .order_by(case_range.c.case_id, case_range.c.ordinal)
        .limit(limit)
    )
    return [
        StrayRange(
            row["case_id"],
            row["ordinal"],
            f"{row['cooperative_approach']}-{row['originating_registry']}"
            f"-{row['first_transferring_party']}-*-{row['vintage']}",
            row["first_serial"],
            row["last_serial"],
            row["state"],
        )
        for row in rows.mappings()
    ]


def newest_check(connection: Connection) -> tuple[str, str] | None:
    """Return the newest night whose check is on record, and that check as JSON."""
    row = connection.execute(
        select(night.c.night, night.c.own_books)
        .where(night.c.own_books.is_not(None))
        .order_by(night.c.night.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])
