"""What an operator does about a parked envelope.

Abandoning ends its messages as refused: what they reserved in the book is released. Only do so
when the hub cannot have the envelope; `transfer.status` tells.
"""

from __future__ import annotations

from connectors.party_registry.commands import CommandError
from connectors.session import outbox, outbox_states
from connectors.session.handler import KnownOutcome, Transaction
from connectors.session.outbox import milliseconds
from connectors.session.session import Session
from message_schemas.envelopes import Outcome

__all__ = ["operate"]


async def operate(session: Session, command: str, envelope_id: str) -> None:
    """Do `retry`, `reseal` or `abandon` to a parked envelope.

    Raises:
        CommandError: there is no parked envelope with this id.
    """

    def use(transaction: Transaction) -> bool:
        transaction.after_commit(session.context.wake_sender)
        connection = transaction.connection
        if command == "retry":
            return outbox_states.retry(connection, envelope_id, milliseconds(transaction.now))
        if command == "reseal":
            return outbox_states.reseal(connection, envelope_id)
        return _abandon(session, transaction, envelope_id)

    if not await session.write("outbox.operate", use):
        raise CommandError(f"there is no parked envelope {envelope_id}")


def _abandon(session: Session, transaction: Transaction, envelope_id: str) -> bool:
    known = [
        KnownOutcome(
            message,
            Outcome(
                message_id=message.message_id,
                outcome="refused",
                code=0,
                name="ABANDONED_BY_OPERATOR",
                findings=(),
            ),
            envelope_id,
            "",
            None,
        )
        for message in outbox.fetch_messages_of(transaction.connection, envelope_id)
    ]
    if not outbox_states.abandon(
        transaction.connection, envelope_id, [one.outcome for one in known]
    ):
        return False
    for one in known:
        session.context.handler.outcome_known(transaction, one)
    return True
