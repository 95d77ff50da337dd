"""Keep the digests of every link: built once from the blocks, then folded from the journal.

1. A link without a table, or with one under another year's key, is built: its blocks are read in
   one snapshot as of head H. The movements since its last good cut get their totals under the new
   key. Then, in one transaction, the link is switched and its old rows go.
2. All others are folded: the postings after the index they stand at are read once for all of them,
   in parts. A part is read and hashed first; then the links are held, and where one still stands
   where it stood, sums, totals, root and index are written in one transaction.

So each movement counts once, whoever folds beside us, and whenever one dies: a part is written or
it is not, and what is left is folded next time. Nothing of it is in the way of messages: on
PostgreSQL the head is not held, on SQLite for no longer than the rows take to write.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from hub.store import head as heads
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.reconciliation import block_sums, digests, links, movements
from hub.store.reconciliation.block_sums import Sums
from hub.store.reconciliation.digests import ChunkKey
from hub.store.reconciliation.links import LinkRow
from hub.store.reconciliation.movements import Entry, Journal, Total, TotalKey
from reconciliation.digests import BASE_SHIFT, KEPT_SHIFTS, MASK, EdgeHasher
from reconciliation.link_keys import LinkKey
from reconciliation.movements import Piece, UnknownChangeError, edge_deltas

POSTINGS_IN_PART: Final = 20_000
LOOK_BACK_POSTINGS: Final = 200_000
"""How far back a new table tells movements one by one, if the last good cut is not nearer."""

Progress = Callable[[int, int], None]
"""Told how much is done of how much: blocks read, and entries of the log folded."""


def bring_up_to_date(
    database: Database,
    keys: Mapping[str, LinkKey],
    progress: Progress | None = None,
    *,
    postings_in_part: int = POSTINGS_IN_PART,
) -> None:
    """Build the tables that are missing, and fold all others up to the head of the log.

    ``keys`` names the registries, each with the key its digests are to be under. May be broken off
    at any time, and run beside itself.
    """
    keeper = _Keeper(database, keys, progress)
    keeper.build_missing()
    try:
        keeper.fold(postings_in_part)
    except UnknownChangeError:
        # A hub from before the journal told how units stood wrote since: begin again from blocks.
        keeper.forget()
        keeper.build_missing()
        keeper.fold(postings_in_part)


@dataclass
class _Changes:
    """What a part of the journal, or all blocks, add to one registry's rows."""

    sums: Sums = field(default_factory=dict)
    totals: list[Total] = field(default_factory=list)

    @property
    def root(self) -> int:
        """The sum of all."""
        return sum(value for chunks in self.sums.values() for value in chunks.values())

    def rows(self, key: TotalKey) -> dict[ChunkKey, int]:
        """Return the sums of all kept shifts by the place of their rows."""
        found: dict[ChunkKey, int] = {}
        sums, at = self.sums, BASE_SHIFT
        for shift in sorted(KEPT_SHIFTS):
            sums, at = block_sums.widened(sums, shift - at), shift
            for series_id, chunks in sums.items():
                for chunk, value in chunks.items():
                    found[ChunkKey(*key, shift, series_id, chunk)] = value
        return found


class _Keeper:
    """One run over the links of ``keys``."""

    def __init__(
        self, database: Database, keys: Mapping[str, LinkKey], progress: Progress | None
    ) -> None:
        self._database, self._keys, self._progress = database, keys, progress
        self._interning = Interning()
        self._hashers = {code: EdgeHasher(key.secret) for code, key in keys.items()}
        self._done = self._total = 0

    # --- building ------------------------------------------------------------------------------

    def build_missing(self) -> None:
        """Build the tables of all links that have none under their key."""
        missing = [row for row in self._rows() if not self._is_keyed(row)]
        if missing and self._progress is not None:
            with self._database.reading() as connection:
                self._total += sum(block_sums.count(connection, row.registry) for row in missing)
        for row in missing:
            self._build(row)

    def _build(self, row: LinkRow) -> None:
        """Build one table, and switch to it unless somebody else did meanwhile."""
        registry, key = row.registry, self._keys[row.registry]
        with self._database.reading() as connection:
            head = heads.read(connection).log_index
            sums = block_sums.of_registry(
                connection, self._interning, registry, self._hashers[registry], self._advance
            )
            journal = Journal(connection, self._interning)
            after = max(row.agreed_to or 0, journal.looking_back(head, LOOK_BACK_POSTINGS))
            totals = self._totals(journal, registry, after, head)
        changes = _Changes(sums, totals)
        built = replace(
            row,
            key_year=key.year,
            key_check=key.check,
            folded_to=head,
            root=digests.to_bytes(changes.root & MASK),
            built_at=datetime.now(UTC),
            movements_from=after,
        )
        with self._database.writing() as connection:
            held = links.hold(connection, [registry])[registry]
            if not _is_same(held, row):
                return
            digests.delete_all(connection, registry)
            movements.delete_all(connection, registry)
            place = TotalKey(registry, key.year)
            digests.write(connection, changes.rows(place))
            movements.add_totals(connection, {place: totals})
            links.switch_table(connection, built)

    def _totals(self, journal: Journal, registry: str, after: int, up_to: int) -> list[Total]:
        hasher = self._hashers[registry]
        return [
            Total(moved.log_index, moved.reference, total_of(hasher, moved.pieces))
            for moved in journal.movements(registry, after, up_to)
        ]

    def forget(self) -> None:
        """Let every table be built anew."""
        with self._database.writing() as connection:
            for registry in links.hold(connection, self._keys.keys()):
                links.forget_table(connection, registry)

    # --- folding -------------------------------------------------------------------------------

    def fold(self, postings_in_part: int) -> None:
        """Fold the journal into the tables, part by part, up to the head as of now.

        What is written meanwhile is for the next time: else a busy log would never end.
        """
        goal: int | None = None
        while True:
            with self._database.reading() as connection:
                head = heads.read(connection).log_index
                behind = {
                    row.registry: row for row in self._rows(connection) if self._is_keyed(row)
                }
                after = min((row.folded_to or 0 for row in behind.values()), default=head)
                if goal is None:
                    goal, self._total = head, self._total + head - after
                if after >= goal:
                    return
                journal = Journal(connection, self._interning)
                entries, reached = journal.part(after, goal, postings_in_part)
                changes = self._changes(behind, journal, entries)
            self._write(behind, changes, reached)
            self._advance(reached - after)

    def _changes(
        self, behind: Mapping[str, LinkRow], journal: Journal, entries: Iterable[Entry]
    ) -> dict[str, _Changes]:
        """Return what the entries add to each registry's rows; each edge is hashed once."""
        found: dict[str, _Changes] = {registry: _Changes() for registry in behind}
        stands_at = {registry: row.folded_to or 0 for registry, row in behind.items()}
        hashers, ids = self._hashers, journal.series_ids
        for log_index, references, by_registry in entries:
            for registry, pieces in by_registry.items():
                if log_index <= stands_at.get(registry, log_index):
                    continue
                total, changes = 0, found[registry]
                for series, position, change in edge_deltas(hashers[registry], pieces):
                    total += change
                    of_series = changes.sums.setdefault(ids[series], {})
                    chunk = position >> BASE_SHIFT
                    of_series[chunk] = of_series.get(chunk, 0) + change
                changes.totals.append(Total(log_index, references[registry], total & MASK))
        return found

    def _write(
        self, behind: Mapping[str, LinkRow], changes: Mapping[str, _Changes], reached: int
    ) -> None:
        """Add a part to the rows of every link that still stands where it was read."""
        with self._database.writing() as connection:
            held = links.hold(connection, behind.keys())
            sums: dict[ChunkKey, int] = {}
            totals: dict[TotalKey, list[Total]] = {}
            moved: list[LinkRow] = []
            for registry, row in behind.items():
                now = held[registry]
                if (row.folded_to or 0) >= reached:
                    continue
                if not _is_same(now, row) or row.key_year is None or row.root is None:
                    continue
                place, added = TotalKey(registry, row.key_year), changes[registry]
                sums |= added.rows(place)
                totals[place] = added.totals
                root = digests.to_bytes((digests.to_number(row.root) + added.root) & MASK)
                moved.append(
                    replace(
                        now,
                        root=root,
                        folded_to=reached,
                        movements_from=self._forget_agreed(connection, place, now),
                    )
                )
            digests.add(connection, sums)
            movements.add_totals(connection, totals)
            links.move_on(connection, moved)

    @staticmethod
    def _forget_agreed(connection: Connection, place: TotalKey, row: LinkRow) -> int | None:
        """Delete the totals before the last good cut; return from where on they are kept."""
        agreed_to, kept_from = row.agreed_to, row.movements_from
        if agreed_to is None or kept_from is None or not kept_from < agreed_to:
            return kept_from
        if row.folded_to is None or agreed_to > row.folded_to:
            return kept_from
        movements.delete_until(connection, place, agreed_to)
        return agreed_to

    # --- all -----------------------------------------------------------------------------------

    def _rows(self, connection: Connection | None = None) -> list[LinkRow]:
        """Return the links of the keys, those without a row too."""
        if connection is None:
            with self._database.reading() as reading:
                return self._rows(reading)
        known = {row.registry: row for row in links.load_all(connection)}
        return [known.get(registry, LinkRow(registry)) for registry in sorted(self._keys)]

    def _is_keyed(self, row: LinkRow) -> bool:
        """Tell whether a link has a table under the key it is to be under."""
        return row.key_check == self._keys[row.registry].check

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._total))


def total_of(hasher: EdgeHasher, pieces: Iterable[Piece]) -> int:
    """Return the sum of the edges of pieces."""
    return sum(change for _, _, change in edge_deltas(hasher, pieces)) & MASK


def _is_same(now: LinkRow, before: LinkRow) -> bool:
    """Tell whether a link's table is where it was read."""
    return (now.key_check, now.folded_to, now.root) == (
        before.key_check,
        before.folded_to,
        before.root,
    )
