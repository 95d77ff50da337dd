"""Sweep transfers past their deadline: every one of them has an exit, whoever went silent.

A sweep takes the head's lock like any writer, so an acceptance is either before it (and the
transfer is completed for good) or after it (and is refused as late): never both.
"""

from datetime import datetime

from hub.protocol.limits import Limits
from hub.protocol.transfer_states import TransferInput, TransferState
from hub.services import crash_points, reference_data
from hub.services.handlers.transfers import close
from hub.services.load_facts import HubIdentity, Needs, load_needs
from hub.services.record_batch import record_work
from hub.store import envelopes, transfers
from hub.store import head as heads
from hub.store.database import Database
from hub.store.interning import Interning

SWEEP_TRANSFERS_MAX = 500


def expire_due(
    database: Database, *, identity: HubIdentity, limits: Limits, now: datetime
) -> tuple[int, list[str]]:
    """Expire up to 500 transfers due at ``now``; return how many, and who has news of it."""
    with database.reading() as connection:
        if not transfers.due(connection, now, 1):
            return 0, []
    interning = Interning()
    with database.writing() as connection:
        head = heads.lock(connection)
        due = transfers.due(connection, now, SWEEP_TRANSFERS_MAX)
        if not due:
            return 0, []
        data = reference_data.load(connection, head)
        needs = Needs(transfer_ids=set(due))
        work = load_needs(
            connection,
            interning,
            needs,
            head,
            data,
            identity=identity,
            limits=limits,
            now=now,
        )
        work.begin_entry()
        for transfer_id in due:
            transfer = work.facts.transfers[transfer_id]
            assert transfer.state is TransferState.PROPOSED
            close(
                work,
                transfer,
                TransferInput.DEADLINE_PASSED,
                previous_sha256=transfer.proposal_sha256,
            )
        work.end_entry()
        envelopes.add_act(
            connection,
            log_index=work.log_index,
            at=now,
            kind="transfers.expired",
            actor=identity.hub,
            subject=f"{len(due)} transfers",
            reason="no answer by respond_by",
            detail=" ".join(due),
        )
        recipients = record_work(connection, interning, work, head, [])
        crash_points.reach("sweep.before_commit")
    crash_points.reach("sweep.after_commit")
    return len(due), recipients
