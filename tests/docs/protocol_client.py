"""A client written from docs/protocol.md alone, with another JOSE library (jwcrypto).

It knows nothing of the hub's code: the numbers in brackets are sections of the document.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from jwcrypto.common import base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

HUB = "XHB01"
ALGORITHMS = ["Ed25519", "EdDSA", "ES256"]


def digest(raw: bytes) -> str:
    """Return the digest over exact bytes [1]."""
    return hashlib.sha256(raw).hexdigest()


def uuid7() -> str:
    """Return a new UUIDv7 [4]."""
    front, tail = f"{int(time.time() * 1000):012x}", secrets.token_hex(10)
    return f"{front[:8]}-{front[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"


def timestamp() -> str:
    """Return the time now, UTC with milliseconds [1]."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_of(document: dict[str, Any]) -> JWK:
    """Return the public key of a key document; its id must follow from it [3]."""
    der = base64url_decode(document["public_key"])
    assert document["key_id"] == f"{document['participant']}-{digest(der)[:16]}"
    pem = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
    return JWK.from_pem(pem.format(base64.b64encode(der).decode()).encode())


@dataclass(slots=True)
class Client:
    """One participant: its private key, what it believes, and the last item it applied."""

    code: str
    key: JWK
    key_id: str
    address: str
    http: aiohttp.ClientSession
    keys: dict[str, JWK]  # begins with the anchor: the hub's key, handed over by hand [3]
    applied_through: int = 0
    notices: list[dict[str, Any]] = field(default_factory=list)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def seal(self, recipient: str, type_: str, body: dict[str, Any]) -> tuple[str, str, bytes]:
        """Return envelope id, message id and bytes of an envelope with one message [2, 4]."""
        message = {"message_id": uuid7(), "type": type_, "version": 1, "body": body}
        envelope_id = uuid7()
        payload = {
            "protocol": "itmo-exchange/1",
            "envelope_id": envelope_id,
            "sender": self.code,
            "recipient": recipient,
            "sent_at": timestamp(),
            "messages": [message],
        }
        header = {"alg": "EdDSA", "kid": self.key_id, "typ": "itmo-envelope+jws"}
        token = JWS(json.dumps(payload).encode())
        token.add_signature(self.key, None, json.dumps(header), None)
        flat = json.loads(token.serialize())
        general = {"payload": flat.pop("payload"), "signatures": [flat]}
        return envelope_id, str(message["message_id"]), json.dumps(general).encode()

    def open(self, raw: bytes, typ: str, signer: str) -> Any:
        """Return the payload of a signed object whose signatures are all of ``signer`` [2]."""
        outer = json.loads(raw)
        assert set(outer) == {"payload", "signatures"}
        for member in outer["signatures"]:
            header = json.loads(base64url_decode(member["protected"]))
            assert (header.pop("typ"), header["kid"].partition("-")[0]) == (typ, signer)
            assert set(header) == {"alg", "kid"}
            token = JWS()
            token.allowed_algs = ALGORITHMS
            token.deserialize(json.dumps({"payload": outer["payload"], **member}))
            token.verify(self.keys[header["kid"]])
        return json.loads(base64url_decode(outer["payload"]))

    async def learn_keys(self) -> None:
        """Fetch the signed list of participants [17]."""
        async with self.http.get(f"{self.address}/v1/participants") as response:
            listed = self.open(await response.read(), "itmo-participants+jws", HUB)
        for participant in listed["participants"]:
            for document in participant["keys"]:
                self.keys[document["key_id"]] = key_of(document)

    async def say(self, recipient: str, type_: str, body: dict[str, Any]) -> Any:
        """Post one message; return its outcome from a receipt that holds all it must [5]."""
        envelope_id, message_id, raw = self.seal(recipient, type_, body)
        url, headers = f"{self.address}/v1/envelopes", {"Content-Type": "application/jose+json"}
        async with self.http.post(url, data=raw, headers=headers) as response:
            assert response.status == 200, await response.text()
            receipt = self.open(await response.read(), "itmo-receipt+jws", HUB)
        assert (receipt["sender"], receipt["recipient"]) == (HUB, self.code)
        assert (receipt["receipt_for"], receipt["envelope_sha256"]) == (envelope_id, digest(raw))
        assert [outcome["message_id"] for outcome in receipt["outcomes"]] == [message_id]
        return receipt["outcomes"][0]

    async def pull(self) -> None:
        """Fetch, apply and acknowledge deliveries until there is none [7]."""
        while True:
            asked = {"after_sequence": self.applied_through, "wait_seconds": 0}
            text = (await self.say(HUB, "mailbox.fetch", asked))["result"]["delivery"]
            if text is None:
                return
            delivery = self.open(text.encode(), "itmo-delivery+jws", HUB)
            self.apply(delivery)
            done = {
                "up_to_sequence": self.applied_through,
                "delivery_sha256": digest(text.encode()),
            }
            assert (await self.say(HUB, "delivery.acknowledgement", done))["code"] == 0

    def apply(self, delivery: Any) -> None:
        """Check a delivery and give each new item its effect, in order [7]."""
        assert (delivery["sender"], delivery["recipient"]) == (HUB, self.code)
        assert delivery["first_sequence"] <= self.applied_through + 1
        for item in delivery["items"]:
            if item["sequence"] <= self.applied_through:
                continue
            if "envelope" in item:
                self.receive(item["envelope"].encode(), item["verdicts"])
            self.notices += item.get("notices", [])
            self.applied_through = item["sequence"]

    def receive(self, raw: bytes, verdicts: list[dict[str, Any]]) -> None:
        """Check the sender's own signature; keep the accepted messages with their digest [7]."""
        unverified = json.loads(base64url_decode(json.loads(raw)["payload"]))
        envelope = self.open(raw, "itmo-envelope+jws", unverified["sender"])
        assert envelope["recipient"] == self.code
        accepted = {one["message_id"] for one in verdicts if one["outcome"] == "accepted"}
        taken = [one for one in envelope["messages"] if one["message_id"] in accepted]
        self.received += [(digest(raw), message) for message in taken]
