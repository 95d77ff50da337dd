"""May the log go on? Not while a witness knows more of it than this database does.

1. A witness that cosigned a larger tree than ours, or another one, is a cause to stop: the hub lost
   its tail (an old backup was restored), its log was forked, or the witness is wrong.
2. The cause is an alert. While it is newer than the newest acceptance, no checkpoint is published
   and no envelope is taken, by any process of this database.
3. The operator decides: restores the tail, or accepts the loss up to a size, which is an act with a
   reason. What a witness says of trees up to that size stops nothing again.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from hub.store import alerts
from hub.store.tables import act, alert

BEHIND_WITNESS: Final = "log-behind-witness"
FORKED: Final = "log-forked"
LOSS_ACCEPTED: Final = "log.loss_accepted"
"""The kind of the act by which an operator goes on with what is left."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Why the log is halted (None: it is not), and up to which size a loss was accepted."""

    halted: str | None = None
    accepted_size: int = 0


def read(connection: Connection) -> Standing:
    """Return how the log stands."""
    accepted = connection.execute(
        select(act.c.at, act.c.detail)
        .where(act.c.kind == LOSS_ACCEPTED)
        .order_by(act.c.log_index.desc())
    ).all()
    causes = connection.execute(
        select(alert.c.at, alert.c.detail)
        .where(alert.c.kind.in_((BEHIND_WITNESS, FORKED)))
        .order_by(alert.c.at.desc())
    ).all()
    size = max((int(json.loads(detail)["up_to"]) for _, detail in accepted), default=0)
    if not causes or (accepted and accepted[0][0] >= causes[0][0]):
        return Standing(accepted_size=size)
    return Standing(causes[0][1], size)


def halt(connection: Connection, *, kind: str, subject: str, detail: str, at: datetime) -> None:
    """Stop the log for a cause: BEHIND_WITNESS or FORKED; ``subject`` says who reported it."""
    alerts.add(connection, kind=kind, subject=subject, detail=detail, at=at)
