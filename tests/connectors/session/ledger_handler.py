"""A registry so small that every effect is one row: what was applied, and how often."""

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select

from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import KnownOutcome, Transaction
from message_schemas.messages.participants import AdministratorNote

LEDGER_METADATA = MetaData()
effect = Table(
    "test_effect",
    LEDGER_METADATA,
    Column("position", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("what", String(200), nullable=False),
)


class LedgerHandler:
    """Writes a row for each item and each outcome; answers each note if told to."""

    def __init__(self, *, answer_to: str | None = None) -> None:
        self.answer_to = answer_to
        self.fail_at: int | None = None

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """Write the item's sequence, and answer."""
        if item.sequence == self.fail_at:
            raise RuntimeError("the registry's own defect")
        self._write(transaction.connection, "item", str(item.sequence))
        if self.answer_to is not None and item.envelope is not None:
            body = AdministratorNote(subject="answer", text=f"to item {item.sequence}")
            transaction.submit(
                self.answer_to, [("administrator.note", body, f"answer {item.sequence}")]
            )

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Write the message's reference and outcome."""
        what = f"{known.message.reference} {known.outcome.outcome}"
        self._write(transaction.connection, "outcome", what)

    def _write(self, connection: Connection, kind: str, what: str) -> None:
        connection.execute(insert(effect).values(kind=kind, what=what))


def effects(connection: Connection, kind: str) -> list[str]:
    """Return what was applied, in order."""
    query = select(effect.c.what).where(effect.c.kind == kind).order_by(effect.c.position)
    return list(connection.execute(query).scalars())


def note(text: str = "hello", reference: str = "note") -> tuple[str, object, str]:
    """Return a note to submit."""
    return ("administrator.note", AdministratorNote(subject="test", text=text), reference)
