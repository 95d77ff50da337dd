"""What the fake hub keeps of a transfer and of a mailbox."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.transfer_states import TransferInput, TransferState
from message_schemas.catalogue import MESSAGE_TYPES
from message_schemas.envelopes import DeliveryItem

INPUTS = {
    "accept": TransferInput.ACCEPTED,
    "recognize": TransferInput.ACCEPTED,
    "reject": TransferInput.DECLINED,
    "decline": TransferInput.DECLINED,
    "withdrawn": TransferInput.WITHDRAWN,
}


@dataclass
class HubTransfer:
    """What the fake hub knows of a transfer."""

    initiator: str
    acquirer: str
    body: Any
    mode: str
    proposal_sha256: str
    state: TransferState = TransferState.PROPOSED


@dataclass
class Mailbox:
    """A recipient's sequence: every item ever, and the delivery that is not acknowledged yet."""

    items: list[DeliveryItem] = field(default_factory=list)
    acknowledged: int = 0
    open_delivery: bytes | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


def only_asks(envelope: OpenEnvelope) -> bool:
    """Tell whether an envelope to the hub holds questions and nothing else: it is not recorded."""
    kinds = [MESSAGE_TYPES.get(opened.message.type) for opened in envelope.messages]
    return all(kind is not None and kind.read_only for kind in kinds)
