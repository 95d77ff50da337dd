"""Statements as tables, made from blocks: what a registry would write, cut and ordered at will."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from reconciliation.owned import OWNED, Block
from reconciliation.statements import Statement, StatementReader

BY_ID = ("first_id", "last_id")
BY_SERIAL = (
    *("cooperative_approach", "originating_registry", "first_transferring_party", "vintage"),
    *("first_serial", "last_serial"),
)
ALL = (*BY_ID, *BY_SERIAL, "quantity", *OWNED)


def row_of(block: Block) -> dict[str, str]:
    """Return all columns of a block as texts; what it does not have is empty."""
    series, first, last, owned = block
    beginning = "-".join(series[:3])
    return {
        "first_id": f"{beginning}-{first}-{series.vintage}",
        "last_id": f"{beginning}-{last}-{series.vintage}",
        **{name: str(value) for name, value in series._asdict().items()},
        "first_serial": str(first),
        "last_serial": str(last),
        "quantity": str(last - first + 1),
        **{name: value or "" for name, value in zip(OWNED, owned, strict=True)},
    }


def table_of(blocks: Iterable[Block], columns: Sequence[str] = ALL) -> list[list[str]]:
    """Return headings and rows."""
    rows = [row_of(block) for block in blocks]
    return [list(columns), *([row[name] for name in columns] for row in rows)]


def read(table: Iterable[Sequence[Any]], registry: str = "CHE02", **options: Any) -> Statement:
    """Return the statement of a table."""
    reader = StatementReader(registry, **options)
    for line, cells in enumerate(table, start=1):
        reader.take(line, cells)
    return reader.finish()


def recut(blocks: Iterable[Block], dice: random.Random) -> list[Block]:
    """Return the same units in other blocks and another order."""
    cut: list[Block] = []
    for block in blocks:
        first = block.first
        while first <= block.last:
            last = block.last if dice.random() < 0.5 else dice.randint(first, block.last)
            cut.append(block._replace(first=first, last=last))
            first = last + 1
    dice.shuffle(cut)
    return cut
