"""May the log go on? Not while its witnesses know more of it than this database does.

1. Witnesses that cosigned a larger tree than ours, or another one, are a cause to stop: the hub
   lost its tail (an old backup was restored), its log was forked, or the witnesses are wrong. How
   many it takes, `witness_claims` tells. Too few are an alert and stop nothing.
2. The cause is an alert that says at which index the log stood. While the newest acceptance has a
   lower index, no checkpoint is published and no envelope is taken, by any process of this
   database. Indices tell what came first, never a clock: clocks differ, and one may be set wrong.
3. The operator decides: restores the tail, or accepts the loss up to a size, which is an act with a
   reason. It ends the halt, and what the witnesses that claimed no more had claimed stops nothing
   again. Everybody else's trees are compared as before.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from hub.store import alerts
from hub.store import head as heads
from hub.store.tables import act, alert

BEHIND_WITNESS: Final = "log-behind-witness"
FORKED: Final = "log-forked"
WITNESS_DISAGREES: Final = "witness-disagrees"
"""The alert of a witness that contradicts the log alone, or with too few: it stops nothing."""
LOSS_ACCEPTED: Final = "log.loss_accepted"
"""The kind of the act by which an operator goes on with what is left."""

SUBJECT_CHARACTERS_MAX: Final = 200

_STOOD: Final = re.compile(r" \(log index (\d+)(?:, tree of (\d+))?\)\Z")


@dataclass(frozen=True, slots=True)
class Standing:
    """Why the log is halted (None: it is not), and what loss was accepted.

    ``accepted_size``: the largest size an act names. ``accepted``: by witness, the size of the tree
    it claimed and that was accepted.
    """

    halted: str | None = None
    accepted_size: int = 0
    accepted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Cause:
    kind: str
    subject: str
    detail: str
    log_index: int
    size: int | None


def read(connection: Connection) -> Standing:
    """Return how the log stands."""
    rows = connection.execute(
        select(act.c.log_index, act.c.detail).where(act.c.kind == LOSS_ACCEPTED)
    )
    acceptances = [(int(index), int(json.loads(detail)["up_to"])) for index, detail in rows]
    causes = _causes(connection)
    accepted = {
        one.subject: one.size
        for one in causes
        if one.kind == BEHIND_WITNESS
        and one.size is not None
        and any(index > one.log_index and up_to >= one.size for index, up_to in acceptances)
    }
    last = max((index for index, _ in acceptances), default=-1)
    halted = "; ".join(one.detail for one in causes if one.log_index >= last)
    return Standing(halted or None, max((size for _, size in acceptances), default=0), accepted)


def _causes(connection: Connection) -> list[_Cause]:
    """Return every cause there was to halt, the newest first."""
    rows = connection.execute(
        select(alert.c.kind, alert.c.subject, alert.c.detail)
        .where(alert.c.kind.in_((BEHIND_WITNESS, FORKED)))
        .order_by(alert.c.kind, alert.c.subject)
    )
    found = []
    for kind, subject, detail in rows:
        stood = _STOOD.search(detail)
        # Without an index it is as old as can be: any acceptance answers it.
        index, size = stood.groups() if stood is not None else (0, None)
        claimed = None if size is None else int(size)
        found.append(_Cause(kind, subject, detail, int(index), claimed))
    return sorted(found, key=lambda one: one.log_index, reverse=True)


def halt(
    connection: Connection,
    *,
    kind: str,
    subject: str,
    detail: str,
    at: datetime,
    size: int | None = None,
) -> None:
    """Stop the log for a cause: BEHIND_WITNESS or FORKED; ``subject`` says who reported it.

    ``size``: of the tree that a witness claims. The head is held, so that an acceptance is of what
    was known when it was made.
    """
    index = heads.lock(connection).log_index
    stood = f" (log index {index})" if size is None else f" (log index {index}, tree of {size})"
    alerts.add(connection, kind=kind, subject=subject, detail=detail + stood, at=at)
