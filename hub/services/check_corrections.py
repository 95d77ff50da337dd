"""Corrections of the ledger stand on acts: each posting on one, and each act on its postings.

1. A ``corrected`` posting belongs to a ``ledger.correct`` act at its own log index.
2. Together the postings of an act move the units it names, from and to whom it names, and no
   others.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.international_registry.postings import PostingKind
from hub.international_registry.units import Range, Series
from hub.services.administration.corrections import CORRECTED, reference_of
from hub.store.tables import act, posting, series


def correction_faults(connection: Connection) -> Iterator[str]:
    """Return one sentence for each correction that its act, or its postings, do not bear out."""
    made = _made(connection)
    acts = select(act.c.log_index, act.c.subject, act.c.detail).where(act.c.kind == CORRECTED)
    for log_index, subject, detail in connection.execute(acts.order_by(act.c.log_index)):
        parameters = msgspec.json.decode(detail)
        wanted = tuple(parameters.get(name) for name in ("from_registry", "to_registry", "account"))
        pieces = made.pop(log_index, [])
        if not _is_one_run(pieces) or _told(pieces) != (subject, reference_of(log_index), wanted):
            yield f"the ledger was not corrected as the act at log index {log_index} says"
    for log_index in sorted(made):
        yield f"the ledger was corrected at log index {log_index}, and no act there says so"


def _made(connection: Connection) -> dict[int, list[Any]]:
    """Return the postings of corrections by log index, each by first serial."""
    rows = connection.execute(
        select(posting, series)
        .join(series, series.c.series_id == posting.c.series_id)
        .where(posting.c.kind == PostingKind.CORRECTED.value)
        .order_by(posting.c.log_index, posting.c.first_serial)
    )
    made: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        made[row.log_index].append(row)
    return made


def _is_one_run(pieces: list[Any]) -> bool:
    """Tell whether the pieces follow each other without a gap, all from one holder to one."""
    alike = {(row.series_id, row.reference, row.from_registry, *_to(row)) for row in pieces}
    follows = all(
        before.last_serial + 1 == after.first_serial for before, after in pairwise(pieces)
    )
    return len(alike) == 1 and follows


def _told(pieces: list[Any]) -> tuple[str, str, tuple[str | None, ...]]:
    """Return the units, the reference and the holders of a run, as an act names them."""
    row = pieces[0]
    named = Series(
        row.cooperative_approach,
        row.originating_registry,
        row.first_transferring_party,
        row.vintage,
    )
    return (
        Range(named, row.first_serial, pieces[-1].last_serial).units,
        row.reference,
        (row.from_registry, *_to(row)),
    )


def _to(row: Any) -> tuple[str | None, str | None]:
    return row.to_registry, row.to_account
