"""A sender that knows nothing of the connectors: it signs an envelope and posts it.

Needs only what docs/protocol.md says: an envelope is JSON, signed as JWS General JSON, posted to
``/v1/envelopes``; the answer is a receipt that the hub signed, verified here with the hub's public
key as it was handed over.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from uuid_utils import uuid7

from hub import bootstrap
from hub.demo.desk import HUB
from hub.protocol.envelopes import ENVELOPE_TYP, MEDIA_TYPE, PROTOCOL, RECEIPT_TYP
from keys.documents import parse_document
from keys.jws import open_signed, sign, verify
from keys.signing import open_signer
from keys.trust import TrustStore
from message_schemas import timestamps

_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class SecondSystem:
    """Another system of a participant, with the same key; ``anchor`` is the hub's key document."""

    participant: str
    hub_url: str
    key_uri: str
    anchor: Path

    def say(self, recipient: str, type_: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send one message; return its outcome from the verified receipt.

        Raises KeysError when the receipt is not the hub's, urllib's errors when there is none.
        """
        now = bootstrap.clock()
        message = {"message_id": str(uuid7()), "type": type_, "version": 1, "body": body}
        envelope = {
            "protocol": PROTOCOL,
            "envelope_id": str(uuid7()),
            "sender": self.participant,
            "recipient": recipient,
            "sent_at": timestamps.render(now),
            "messages": [message],
        }
        signer = open_signer(self.key_uri, participant=self.participant)
        receipt = self._post(sign(json.dumps(envelope).encode(), ENVELOPE_TYP, [signer]))
        trust = TrustStore([parse_document(self.anchor.read_bytes())])
        verified = verify(open_signed(receipt, RECEIPT_TYP), trust, HUB, bootstrap.clock())
        outcome: dict[str, Any] = json.loads(verified.payload)["outcomes"][0]
        return outcome

    def _post(self, raw: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the hub's own address, on the loopback
            f"{self.hub_url}/v1/envelopes", data=raw, headers={"Content-Type": MEDIA_TYPE}
        )
        # No proxy of the user's environment stands between two processes of one machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_SECONDS_MAX) as answer:
            body: bytes = answer.read()
        return body


def offer_again(sold: dict[str, Any], *, account: str, blocks: Sequence[Any]) -> dict[str, Any]:
    """Return the body of a proposal that offers units of an earlier proposal to somebody else."""
    kept = {name: value for name, value in sold.items() if name != "respond_by"}
    number = sold["transfer_id"].partition("-")[0] + "-900001"
    return kept | {"transfer_id": number, "acquiring_account": account, "blocks": list(blocks)}
