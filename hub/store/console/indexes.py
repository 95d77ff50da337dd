"""What the console's searches follow in the tables of the exchange, beside what it needs itself.

Each is here because a page reads along it. Nothing imports this module to run: migrations 0010 to
0012 make the indexes, and the schema's metadata knows them for comparing.

The three of transfers cost the exchange some 45 µs of CPU a transfer on SQLite, proposed and
closed, 100 to a commit: a twentieth of what the hub spends on one.
"""

from typing import Any, Final

from sqlalchemy import Column, Index

from hub.store.tables import act, delivery, posting, transfer


def _partial(name: str, *columns: Column[Any], where: Any) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


TRANSFERS: Final = (
    # One end's transfers, the newest first.
    Index(
        "ix_transfer_initiator",
        transfer.c.initiator,
        transfer.c.proposed_at,
        transfer.c.transfer_id,
    ),
    Index(
        "ix_transfer_acquirer",
        transfer.c.acquirer,
        transfer.c.proposed_at,
        transfer.c.transfer_id,
    ),
    # In flight, and the few that failed.
    _partial(
        "ix_transfer_unsettled",
        transfer.c.state,
        transfer.c.proposed_at,
        transfer.c.transfer_id,
        where=transfer.c.state != "completed",
    ),
)

LEDGER: Final = (
    # Corrections are rare; the life of a serial asks for those that touch it.
    _partial(
        "ix_posting_corrected",
        posting.c.series_id,
        posting.c.first_serial,
        where=posting.c.kind == "corrected",
    ),
)

ACTS: Final = (
    # What was done about one registry, one suspension, one case; what of one kind; by whom.
    Index("ix_act_subject", act.c.subject, act.c.log_index),
    Index("ix_act_kind", act.c.kind, act.c.log_index),
    Index("ix_act_actor", act.c.actor, act.c.log_index),
)

LOG: Final = (
    # Whose bytes an entry of the log is about.
    Index("ix_delivery_log_index", delivery.c.log_index),
)
