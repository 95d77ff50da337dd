"""Says hello to the hub: what software this is, and how deliveries shall come.

Once, and again only when something of it changed or the hub refused it: a restart alone is no
news. The hub takes the delivery mode and the binding of deliveries from it, so switching from pull
to push, or from JSON to XML, is a change of settings and a restart.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from sqlalchemy import Connection, select

from connectors.session import state
from connectors.session.handler import Transaction
from connectors.session.session import Session
from connectors.session.tables import outbox_message
from hub.protocol.envelopes import PROTOCOL
from message_schemas import code_lists
from message_schemas.json_codec import encode
from message_schemas.messages.participants import ParticipantHello

__all__ = ["say_hello"]

_SAID = "hello_said"
_DISTRIBUTION = "itmo-hub"


def _software() -> str:
    try:
        return f"{_DISTRIBUTION} connector {version(_DISTRIBUTION)}"
    except PackageNotFoundError:
        return f"{_DISTRIBUTION} connector"


_LAST: Final = (
    select(outbox_message.c.outcome)
    .where(outbox_message.c.type == "participant.hello")
    .order_by(outbox_message.c.position.desc())
    .limit(1)
)


def _was_refused(connection: Connection) -> bool:
    """Tell whether the last hello ended refused, by the hub or by an operator who gave it up."""
    outcome: str | None = connection.execute(_LAST).scalar()
    return outcome == "refused"


async def say_hello(session: Session) -> bool:
    """Submit `participant.hello` if it says something new; tell whether it did.

    Raises:
        ValueError: the session takes no deliveries, so there is no delivery mode to tell.
    """
    mode = session.settings.delivery_mode
    if mode == "none":
        raise ValueError("a session that takes no deliveries has no delivery mode")
    body = ParticipantHello(
        software=_software(),
        protocol_versions=(PROTOCOL,),
        binding=session.settings.binding.value,
        delivery_mode="push" if mode == "push" else "pull",
        code_lists=code_lists.CURRENT,
    )
    said = encode(body)

    def use(transaction: Transaction) -> bool:
        connection = transaction.connection
        if state.load(connection, _SAID) == said and not _was_refused(connection):
            return False
        state.store(transaction.connection, _SAID, said)
        transaction.submit(transaction.hub, [("participant.hello", body, "hello")])
        return True

    return await session.write("outbox.submit", use)
