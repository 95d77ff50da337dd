"""What the fake hub keeps of a transfer and of a mailbox."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.questions import asks_hub
from hub.protocol.signed_objects import Binding, binding_of, open_object
from hub.protocol.transfer_states import TransferInput, TransferState
from message_schemas.envelopes import DeliveryItem
from message_schemas.json_codec import decode_envelope

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
    to_hub = envelope.envelope.recipient == "XHB01"
    return all(asks_hub(opened.message.type, to_hub=to_hub) for opened in envelope.messages)


def with_content(item: DeliveryItem, binding: Binding) -> DeliveryItem:
    """Return the item for a delivery in a binding: with `content` if its original is in another.

    What an item says already stays as it is, true or not.
    """
    if item.envelope is None or item.content is not None:
        return item
    raw = item.envelope.encode()
    if binding_of(raw) is binding:
        return item
    document = open_object(raw, "envelope").read().document
    return replace(item, content=decode_envelope(document))
