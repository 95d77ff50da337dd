"""Damages a registry's book on purpose: for drills and tests of reconciliation, never in earnest.

    python -m connectors.party_registry.damage registry.toml --drill double-credit THA01-000004

| damage | what is wrong afterwards |
|---|---|
| lose-completion TRANSFER | as if the hub's completion had been lost on its way into the book |
| double-credit TRANSFER | its units lie here twice |
| lose-use ACTION | a use or cancellation is on record at the hub, and here it still waits |
| use-here RANGE | units are used here, and the hub never heard of it |
| flip-vintage RANGE --to YEAR | units lie in the series of another vintage |
| flip-value RANGE --name N --value V | one value that both sides own is another |
| drop RANGE | units are gone |

The journal goes along, as it does in a program with a defect: the book is at one with itself, and
only the hub can find the difference. With `--behind-the-journal` it is left alone, as by a hand
with a database tool; then `registry check` finds it too. The registry may be running.

`registry book correct` puts each of them right; see `connectors.party_registry.corrections`.
Exit status 0: done, 1: refused, 2: misused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, delete, select, text, update

from connectors.party_registry import book, book_store, corrections, tracking
from connectors.party_registry.book_tables import movement
from connectors.party_registry.commands import CommandError
from connectors.party_registry.config import ConfigError, load_config
from connectors.party_registry.connector import open_registry_database
from connectors.party_registry.requests import RangeRequest
from connectors.party_registry.selection import read_range
from connectors.party_registry.tracking_tables import action, transfer, transfer_event
from connectors.party_registry.units import BlockStatus, HeldBlock, Series, Span, total
from message_schemas import timestamps

__all__ = [
    "DamageError",
    "double_credit",
    "drop",
    "flip_value",
    "flip_vintage",
    "lose_completion",
    "lose_use",
    "main",
    "use_here",
]

REFERENCE: Final = "drill"
Change = Callable[[HeldBlock], HeldBlock | None]


class DamageError(Exception):
    """The book cannot be damaged so; nothing was changed."""


def lose_completion(connection: Connection, transfer_id: str) -> int:
    """Undo a completed transfer here, as if its completion had never arrived; return the units."""
    found = tracking.fetch_transfer(connection, transfer_id)
    if found is None or found.state != "completed" or found.mode != "move":
        raise DamageError(f"{transfer_id} is no completed transfer of units")
    if found.direction == "incoming":
        moved = _journalled(connection, transfer_id, "credited")
        for block in moved:
            _delete_free(connection, block)
    else:
        moved = _journalled(connection, transfer_id, "debited")
        back = [replace(block, reserved_by=transfer_id) for block in moved]
        book_store.insert_blocks(connection, back)
    _forget(connection, transfer_id, ("credited", "debited"))
    connection.execute(
        update(transfer).where(transfer.c.transfer_id == transfer_id).values(state="proposed")
    )
    connection.execute(
        delete(transfer_event).where(
            transfer_event.c.transfer_id == transfer_id, transfer_event.c.event == "completed"
        )
    )
    return total(moved)


def _delete_free(connection: Connection, block: HeldBlock) -> None:
    parts = book.inside(connection, block.span)
    plain = [b for b in parts if b.reserved_by is None and b.status is block.status]
    if total(plain) != block.quantity:
        raise DamageError(f"{block.span} moved on, or is in another transfer")
    book_store.delete_blocks(connection, parts)


def double_credit(connection: Connection, transfer_id: str) -> int:
    """Credit a transfer's units once more; return the units.

    The index that refuses a first serial twice is replaced by a plain one, as in a book that lost
    its guard; a correction puts the guard back.
    """
    credited = _journalled(connection, transfer_id, "credited")
    if not credited:
        raise DamageError(f"{transfer_id} credited nothing here")
    at = timestamps.render(datetime.now(UTC))
    connection.execute(text("DROP INDEX IF EXISTS unit_block_serials"))
    connection.execute(
        text(
            "CREATE INDEX unit_block_serials ON unit_block (cooperative_approach, "
            "originating_registry, first_transferring_party, vintage, first_serial)"
        )
    )
    book_store.insert_blocks(connection, credited)
    book_store.journal(connection, "credited", credited, transfer_id, at)
    return total(credited)


def lose_use(connection: Connection, action_id: str) -> int:
    """Undo a recorded use or cancellation here; return the units."""
    ended = _journalled(connection, action_id, "used") or _journalled(
        connection, action_id, "cancelled"
    )
    if not ended:
        raise DamageError(f"{action_id} ended nothing here")
    for block in ended:
        book_store.delete_blocks(connection, book.inside(connection, block.span))
    before = _journalled(connection, action_id, "reserved")
    if total(before) != total(ended):
        raise DamageError(f"how the units of {action_id} were before is not in the journal")
    book_store.insert_blocks(connection, [replace(b, reserved_by=action_id) for b in before])
    _forget(connection, action_id, ("used", "cancelled"))
    connection.execute(
        update(action).where(action.c.action_id == action_id).values(state="accepted")
    )
    return total(ended)


def use_here(connection: Connection, span: Span, *, behind_the_journal: bool = False) -> int:
    """Use units in the book alone; return the units."""
    return _change(
        connection,
        span,
        lambda block: replace(
            block,
            status=BlockStatus.USED,
            first_transfer=block.first_transfer or "use",
            known_to_hub=True,
        ),
        behind_the_journal=behind_the_journal,
    )


def flip_vintage(
    connection: Connection, span: Span, year: int, *, behind_the_journal: bool = False
) -> int:
    """Move units into the series of another vintage; return the units."""
    return _change(
        connection,
        span,
        lambda block: replace(block, series=block.series._replace(vintage=year)),
        behind_the_journal=behind_the_journal,
    )


def flip_value(
    connection: Connection,
    span: Span,
    name: str,
    value: str | None,
    *,
    behind_the_journal: bool = False,
) -> int:
    """Change one value that both sides own; return the units."""
    return _change(
        connection,
        span,
        lambda block: corrections.with_value(block, name, value),
        behind_the_journal=behind_the_journal,
    )


def drop(connection: Connection, span: Span, *, behind_the_journal: bool = False) -> int:
    """Remove units; return how many."""
    return _change(connection, span, lambda _: None, behind_the_journal=behind_the_journal)


def _change(connection: Connection, span: Span, change: Change, *, behind_the_journal: bool) -> int:
    before = book.inside(connection, span)
    if total(before) != span.quantity or any(b.reserved_by is not None for b in before):
        raise DamageError(f"{span} is not all here and free")
    after = [one for block in before if (one := change(block)) is not None]
    book_store.delete_blocks(connection, before)
    book_store.insert_blocks(connection, [replace(block, block_id=None) for block in after])
    if not behind_the_journal:
        at = timestamps.render(datetime.now(UTC))
        gone = [b for b in before if b.series not in {a.series for a in after}]
        book_store.journal(connection, "removed", gone, REFERENCE, at)
        book_store.journal(connection, "corrected", after, REFERENCE, at)
    return total(before)


def _journalled(connection: Connection, reference: str, kind: str) -> list[HeldBlock]:
    """Return the blocks of the journal's lines of a kind, as they were then."""
    rows = connection.execute(
        select(movement)
        .where(movement.c.reference == reference, movement.c.kind == kind)
        .order_by(movement.c.movement_id)
    ).mappings()
    return [
        HeldBlock(
            Series(*(row[name] for name in Series._fields)),
            row["first_serial"],
            row["last_serial"],
            row["attributes"],
            row["account_id"],
            BlockStatus(row["status"]),
            first_transfer=row["first_transfer"],
            known_to_hub=(
                row["status"] != BlockStatus.AUTHORIZED
                if row["known_to_hub"] is None
                else row["known_to_hub"]
            ),
        )
        for row in rows
    ]


def _forget(connection: Connection, reference: str, kinds: Sequence[str]) -> None:
    connection.execute(
        delete(movement).where(movement.c.reference == reference, movement.c.kind.in_(kinds))
    )


# --- the command ----------------------------------------------------------------------------------


def _span(named: str) -> Span:
    first, dots, last = named.partition("..")
    if not dots:
        raise DamageError(f"{named!r} is not first identifier..last identifier")
    return read_range(RangeRequest(first_id=first, last_id=last))


def _do(connection: Connection, asked: argparse.Namespace) -> int:
    behind: Mapping[str, Any] = {"behind_the_journal": asked.behind_the_journal}
    match asked.damage:
        case "flip-vintage" if asked.to is not None:
            return flip_vintage(connection, _span(asked.subject), asked.to, **behind)
        case "flip-value" if asked.name is not None:
            return flip_value(connection, _span(asked.subject), asked.name, asked.value, **behind)
        case "use-here":
            return use_here(connection, _span(asked.subject), **behind)
        case "drop":
            return drop(connection, _span(asked.subject), **behind)
        case name if name in _OF_REFERENCE:
            return _OF_REFERENCE[name](connection, asked.subject)
    raise DamageError(f"{asked.damage} wants --to or --name as well")


_OF_REFERENCE: Final[Mapping[str, Callable[[Connection, str], int]]] = MappingProxyType(
    {
        "lose-completion": lose_completion,
        "double-credit": double_credit,
        "lose-use": lose_use,
    }
)
_DAMAGES: Final = (*_OF_REFERENCE, "use-here", "flip-vintage", "flip-value", "drop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one damage, as the head of this module says; return the exit status."""
    assert __doc__ is not None, "the module says what it does"
    parser = argparse.ArgumentParser(
        prog="python -m connectors.party_registry.damage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the settings of the registry, a TOML file")
    parser.add_argument("damage", choices=_DAMAGES)
    parser.add_argument("subject", help="a transfer, an action, or first id..last id")
    parser.add_argument("--drill", action="store_true", help="yes, damage this book")
    parser.add_argument("--to", type=int, help="the other vintage")
    parser.add_argument("--name", help="the value that both sides own, such as gwp_values")
    parser.add_argument("--value", help="what it becomes; left out: none")
    parser.add_argument("--behind-the-journal", action="store_true")
    asked = parser.parse_args(arguments)
    if not asked.drill:
        parser.error("this damages the book: say --drill if that is what you want")
    try:
        database = open_registry_database(load_config(asked.config))
        try:
            count = database.write_now("registry.command", lambda work: _do(work.connection, asked))
        finally:
            database.close()
    except (DamageError, CommandError, book.BookError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{asked.damage}\t{asked.subject}\t{count} units")
    return 0


if __name__ == "__main__":
    sys.exit(main())
