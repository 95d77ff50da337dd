"""Sweep transfers past their deadline: every one of them has an exit, whoever went silent.

A sweep takes the head's lock like any writer, so an acceptance is either before it (and the
transfer is completed for good) or after it (and is refused as late): never both.
"""

from datetime import datetime

import structlog

from hub.protocol.limits import Limits
from hub.protocol.transfer_states import TransferInput, TransferState
from hub.services import crash_points, reference_data
from hub.services.acts import act_row
from hub.services.handlers.transfers import close
from hub.services.load_facts import HubIdentity, Needs, load_needs
from hub.services.record_batch import record_work
from hub.store import head as heads
from hub.store import transfers
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.interning import Interning

log = structlog.get_logger(__name__)

SWEEP_TRANSFERS_MAX = 500


def expire_due(
    database: Database, *, identity: HubIdentity, limits: Limits, now: datetime
) -> tuple[int, list[str]]:
    """Expire up to 500 transfers due at ``now``; return how many, and who has news of it."""
    with database.reading() as connection:
        if not transfers.due(connection, now, 1):
            return 0, []
    try:
        return _expire(database, None, identity=identity, limits=limits, now=now)
    except DatabaseUnavailableError:
        raise
    except Exception:
        log.exception("expiring transfers together failed; each is tried alone")
    return _expire_alone(database, identity=identity, limits=limits, now=now)


def _expire_alone(
    database: Database, *, identity: HubIdentity, limits: Limits, now: datetime
) -> tuple[int, list[str]]:
    """Expire each transfer in a transaction of its own: one that fails must not stop the rest."""
    with database.reading() as connection:
        due = transfers.due(connection, now, SWEEP_TRANSFERS_MAX)
    count, told = 0, set[str]()
    for transfer_id in due:
        try:
            done, recipients = _expire(
                database, transfer_id, identity=identity, limits=limits, now=now
            )
        except DatabaseUnavailableError:
            raise
        except Exception:
            log.exception("a transfer cannot expire", transfer_id=transfer_id)
        else:
            count += done
            told.update(recipients)
    return count, sorted(told)


def _expire(
    database: Database,
    only: str | None,
    *,
    identity: HubIdentity,
    limits: Limits,
    now: datetime,
) -> tuple[int, list[str]]:
    """Expire what is due, or one of it, in one transaction."""
    interning = Interning()
    with database.writing() as connection:
        head = heads.lock(connection)
        due = transfers.due(connection, now, SWEEP_TRANSFERS_MAX)
        if only is not None:
            due = [transfer_id for transfer_id in due if transfer_id == only]
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
        act = act_row(
            work.log_index,
            at=now,
            kind="transfers.expired",
            actor=identity.hub,
            subject=f"{len(due)} transfers",
            reason="no answer by respond_by",
            detail={"transfers": due},
        )
        recipients = record_work(connection, interning, work, head, [], [act])
        crash_points.reach("sweep.before_commit")
    crash_points.reach("sweep.after_commit")
    return len(due), recipients
