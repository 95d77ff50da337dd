"""A peer as a process of its own, for the kill tests: killed at a named place, started again.

    python -m tests.connectors.session.crash_peer HUB_URL DATABASE MODE BINDING

It submits one note to GHA01 the first time, answers every item with a note, and ends by itself
when nothing is left to do and to prove. MODE is `pull` or `none`, BINDING `json` or `xml`.
"""

import asyncio
import sys
import time
from pathlib import Path

from connectors.session import outbox_states, state
from connectors.session.handler import Transaction
from connectors.session.log.standing import read_standing
from connectors.session.session import Session, open_database
from connectors.session.settings import SessionSettings
from hub.protocol.signed_objects import Binding
from tests.connectors.session.ledger_handler import LEDGER_METADATA, LedgerHandler, note
from tests.connectors.worlds import XML_LABEL, make_record, make_signer

SECONDS_MAX = 15.0
ITEMS_WANTED = 2


async def run(url: str, path: Path, mode: str, binding: Binding) -> None:
    """Do the work, however often it was begun before."""
    database = open_database(path, LEDGER_METADATA)
    settings = SessionSettings(
        participant="CHE01",
        hub_url=url,
        delivery_mode=mode,
        binding=binding,
        fetch_wait_seconds=1,
        request_seconds_max=5.0,
        retry_delay_seconds_min=0.02,
        retry_delay_seconds_max=0.1,
        log_seconds=0.05,
        log_nudge_seconds=0.0,
        log_audit_at="",
    )
    handler = LedgerHandler(answer_to="THA01")
    label = XML_LABEL if binding is Binding.XML else "first"
    signers = [make_signer("CHE01", label)]
    session = Session(settings, database, signers, [make_record("XHB01")], handler)
    async with session:
        if not await database.read(state.load, "greeted"):
            await session.write("outbox.submit", _greeting)
        deadline = time.monotonic() + SECONDS_MAX
        while not await _is_done(session):
            assert time.monotonic() < deadline, "the work is not getting done"
            await asyncio.sleep(0.01)
    database.close()


def _greeting(transaction: Transaction) -> None:
    state.store(transaction.connection, "greeted", b"yes")
    transaction.submit("GHA01", [note(reference="greeting")])


async def _is_done(session: Session) -> bool:
    # In this order: an item that was applied has its answer in the outbox already.
    applied = await session.database.read(state.load_int, state.APPLIED_THROUGH)
    counts = await session.database.read(outbox_states.count_open)
    wanted = ITEMS_WANTED if session.settings.delivery_mode == "pull" else 0
    claims = (await session.database.read(read_standing)).claims
    proven = claims["proven"] > 0 and claims["pending"] == 0
    return not any(counts.values()) and applied >= wanted and proven


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Binding(sys.argv[4])))
