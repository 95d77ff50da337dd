"""What a peer may not get past: keys, times, ids and addresses, each refused with its own code.

A problem document answers what has no valid signature of its sender; a signed receipt answers the
rest. Whatever comes, the hub keeps answering, and nothing of it moves a unit.
"""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from hub.services.administration.deeds import Act
from hub.services.administration.participants import add_key, revoke_key
from keys.public_keys import KeyRecord, PublicKey
from keys.signer import Signer
from message_schemas import timestamps
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import (
    Body,
    Peer,
    acceptance,
    now,
    payload_of,
    proposal,
    seeded_signer,
)
from tests.integration.worlds import (
    codes,
    fresh_block,
    fresh_id,
    outcomes,
    part_of,
    record_world,
)


@dataclass(frozen=True)
class Forger:
    """Signs with one key and says it is another."""

    real: Signer
    key_id: str
    algorithm: Any
    public_key_der: bytes

    def sign(self, data: bytes) -> bytes:
        """Sign with the real key."""
        return self.real.sign(data)


def forger(claimed: str) -> Forger:
    """Return a signer that claims to be a participant's key."""
    own, other = seeded_signer("ZZZ01", "forger"), seeded_signer(claimed)
    return Forger(own, other.key_id, other.algorithm, other.public_key_der)


def offer(peer: Peer, **changes: Any) -> bytes:
    """Return a proposal envelope that would be accepted but for the changes."""
    return peer.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(3)), **changes)


async def problem_of(peer: Peer, raw: bytes) -> tuple[int, int]:
    """Return status and code of the problem that answers posted bytes."""
    status, body = await peer.post(raw)
    problem = json.loads(body)
    assert problem["remedy"]
    assert problem["retry"] is False
    return status, problem["code"]


def with_key(thailand: Peer, signer: Any) -> Peer:
    """Return THA01 signing with another key."""
    return Peer("THA01", thailand.hub, thailand.http, [signer])


def register_key(hub: HubUnderTest, salt: str, start_hours: float, end_hours: float | None) -> Any:
    """Register another key of THA01 with a window relative to now; return its signer."""
    signer = seeded_signer("THA01", salt)
    key = PublicKey.from_der("THA01", signer.public_key_der)
    end = None if end_hours is None else now() + timedelta(hours=end_hours)
    record = KeyRecord.of(key, now() + timedelta(hours=start_hours), end)
    hub.administration().do(add_key(record), Act("tests", "a key with a window", now()))
    return signer


async def test_a_key_that_may_not_speak_is_refused_with_its_own_code(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Unknown, forged, another's, expired, not yet valid, revoked: 401, nothing recorded."""
    expired = register_key(hub, "expired", -48, -1)
    early = register_key(hub, "early", 1, None)
    revoked = register_key(hub, "revoked", -1, None)
    assert (await thailand.post(offer(with_key(thailand, revoked))))[0] == 200
    act = Act("tests", "compromised", now())
    hub.administration().do(revoke_key(revoked.key_id), act)
    cases = {
        1004: forger("THA01"),
        1005: seeded_signer("THA01", "nobody registered it"),
        1006: early,
        1007: expired,
        1008: revoked,
        1009: seeded_signer("CHE01"),
    }
    for code, signer in cases.items():
        assert await problem_of(thailand, offer(with_key(thailand, signer))) == (401, code)


async def test_one_changed_byte_after_signing_is_refused(thailand: Peer) -> None:
    """Another recipient, sender or amount under an old signature does not verify."""
    signed = json.loads(offer(thailand))
    payload = json.loads(_decoded(signed["payload"]))
    for changes in ({"recipient": "GHA01"}, {"sender": "CHE01"}, {"sent_at": payload["sent_at"]}):
        changed = json.dumps(payload | changes, indent=1)
        raw = json.dumps(signed | {"payload": _encoded(changed.encode())}).encode()
        assert await problem_of(thailand, raw) == (401, 1004)


async def test_a_valid_envelope_cannot_be_replayed_as_another_type_of_object(
    thailand: Peer, switzerland: Peer
) -> None:
    """A receipt of the hub, posted as an envelope, is not one."""
    status, receipt = await thailand.post(offer(thailand))
    assert status == 200
    assert await problem_of(switzerland, receipt) == (400, 1001)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("protected", "eyJhbGciOiJub25lIn0"),
        ("protected", ""),
        ("signature", ""),
        ("signature", "AAAA"),
    ],
)
async def test_a_tampered_signature_member_is_refused(
    thailand: Peer, member: str, value: str
) -> None:
    """No ``alg: none``, no empty and no short signature."""
    signed = json.loads(offer(thailand))
    signed["signatures"][0][member] = value
    status, code = await problem_of(thailand, json.dumps(signed).encode())
    assert (status, code) in {(400, 1001), (401, 1004)}


async def test_an_envelope_from_the_future_or_the_past_is_refused_in_its_receipt(
    thailand: Peer,
) -> None:
    """Five minutes ahead and seven days behind are the limits; within them all is well."""
    await record_world(thailand)
    for seconds, code in ((600, 1014), (-8 * 86_400, 1015), (200, 0), (-6 * 86_400, 0)):
        sent_at = timestamps.render(now() + timedelta(seconds=seconds))
        status, body = await thailand.post(offer(thailand, sent_at=sent_at))
        assert status == 200
        assert codes(payload_of(body, "itmo-receipt+jws")) == [code]
    asked = await thailand.say(
        "XHB01",
        ("transfer.status", {"transfer_id": "THA01-1"}),
        sent_at=timestamps.render(now() - timedelta(minutes=10)),
    )
    assert codes(asked) == [1015]


async def test_faults_of_the_envelope_refuse_all_its_messages(thailand: Peer) -> None:
    """A repeated message id, or a question among messages that record: nothing has effect."""
    await record_world(thailand)
    said = [proposal(fresh_id("THA01"), fresh_block(1)) for _ in range(2)]
    twice = payload_of(thailand.envelope("CHE01", *said), "itmo-envelope+jws")["messages"]
    twice[1]["message_id"] = twice[0]["message_id"]
    repeated = await thailand.say("CHE01", *said, messages=twice)
    assert codes(repeated) == [1016, 1016]
    question = ("transfer.status", {"transfer_id": said[0][1]["transfer_id"]})
    mixed = await thailand.say("CHE01", said[0], question)
    assert codes(mixed) == [1017, 1017]
    assert outcomes(await thailand.say("CHE01", *said)) == ["accepted", "accepted"]


async def test_messages_nobody_can_take_are_refused_one_by_one(thailand: Peer) -> None:
    """Unknown type, version, recipient, a wrong kind of sender: each code, good neighbours pass."""
    await record_world(thailand)
    good = proposal(fresh_id("THA01"), fresh_block(1))
    messages = payload_of(
        thailand.envelope("CHE01", good, ("transfer.teleport", {}), good), "itmo-envelope+jws"
    )["messages"]
    messages[2]["version"] = 2
    receipt = await thailand.say("CHE01", good, good, good, messages=messages)
    assert codes(receipt) == [0, 3001, 3002]
    nobody = await thailand.say("ZZZ99", proposal(fresh_id("THA01"), fresh_block(1)))
    assert codes(nobody) == [2001]
    itself = await thailand.say("THA01", proposal(fresh_id("THA01"), fresh_block(1)))
    assert codes(itself) == [2011]
    to_hub = await thailand.say("XHB01", proposal(fresh_id("THA01"), fresh_block(1)))
    assert codes(to_hub) == [2002]
    notice = {"issuance_id": "THA01-1"}
    assert codes(await thailand.say("XHB01", ("a64.issuance_notice", notice))) == [3003]


@pytest.mark.parametrize(
    ("sender_id", "expected"), [("CHE01", 3009), ("THA01", 0)], ids=["another's", "own"]
)
async def test_identifiers_begin_with_their_senders_code(
    thailand: Peer, sender_id: str, expected: int
) -> None:
    """Nobody can use up another participant's numbers."""
    await record_world(thailand)
    receipt = await thailand.say("CHE01", proposal(fresh_id(sender_id), fresh_block(1)))
    assert codes(receipt) == [expected]


def _reversed(units: Body) -> list[Body]:
    return [units | {"first_id": units["last_id"], "last_id": units["first_id"]}]


def _overlapping(units: Body) -> list[Body]:
    return [part_of(units, 1, 5), part_of(units, 5, 9)]


def _huge(units: Body) -> list[Body]:
    from tests.integration.peers import block

    return [block(10**18, 2 * 10**18)]


def _beyond(units: Body) -> list[Body]:
    from tests.integration.peers import block

    return [block(2**63 - 1, 2**63 - 1)]


def _two_series(units: Body) -> list[Body]:
    return [units | {"last_id": units["last_id"].replace("-2022", "-2023")}]


@pytest.mark.parametrize(
    ("blocks_of", "expected"),
    [
        (_reversed, {3008, 3010}),
        (_overlapping, {3005}),
        (_huge, {6016}),
        (_beyond, {3003, 3007}),
        (_two_series, {3007}),
    ],
)
async def test_impossible_blocks_are_refused(
    thailand: Peer, blocks_of: Any, expected: set[int]
) -> None:
    """Reversed, overlapping, 10^18 units, beyond 64 bits, two series in one block."""
    await record_world(thailand)
    blocks = blocks_of(fresh_block(9))
    receipt = await thailand.say("CHE01", proposal(fresh_id("THA01"), *blocks))
    (outcome,) = receipt["outcomes"]
    assert outcome["outcome"] == "refused"
    assert {finding["rule"] for finding in outcome["findings"]} <= expected


async def test_units_are_sold_once(thailand: Peer, switzerland: Peer, ghana: Peer) -> None:
    """Reserved units are refused with 5004, units held elsewhere with 5007, to the serial."""
    await record_world(thailand)
    units = fresh_block(10)
    name = fresh_id("THA01")
    receipt = await thailand.say("CHE01", proposal(name, units))
    assert outcomes(receipt) == ["accepted"]
    overlapping = part_of(units, 8, 12)
    reserved = await thailand.say("GHA01", proposal(fresh_id("THA01"), overlapping))
    assert codes(reserved) == [5004]
    (blocks,) = (finding["blocks"] for finding in reserved["outcomes"][0]["findings"])
    assert blocks == [{"first_id": overlapping["first_id"], "last_id": units["last_id"]}]
    accepted = await switzerland.say("THA01", acceptance(name, receipt["envelope_sha256"]))
    assert outcomes(accepted) == ["accepted"]
    gone = await thailand.say("GHA01", proposal(fresh_id("THA01"), overlapping))
    assert 5007 in {finding["rule"] for finding in gone["outcomes"][0]["findings"]}
    not_his = await ghana.say("CHE01", proposal(fresh_id("GHA01"), units, action="transfer"))
    assert codes(not_his)[0] in {5002, 5007}


async def test_only_the_acquirer_answers_and_only_what_was_proposed(
    thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """A stranger's, the initiator's own and a wrongly bound acceptance are refused."""
    await record_world(thailand)
    name = fresh_id("THA01")
    receipt = await thailand.say("CHE01", proposal(name, fresh_block(2)))
    digest = receipt["envelope_sha256"]
    assert codes(await ghana.say("THA01", acceptance(name, digest))) == [4004]
    assert codes(await thailand.say("CHE01", acceptance(name, digest))) == [4004]
    assert codes(await switzerland.say("THA01", acceptance(name, "0" * 64))) == [4005]
    assert codes(await switzerland.say("GHA01", acceptance(name, digest))) == [4004]
    assert codes(await switzerland.say("THA01", acceptance("THA01-999999", digest))) == [4001]
    assert outcomes(await switzerland.say("THA01", acceptance(name, digest))) == ["accepted"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"[" * 100_000 + b"]" * 100_000, (422, 1020)),
        (b'{"protocol":"itmo-exchange/1","protocol":"itmo-exchange/1"}', (422, 1020)),
        (b'{"protocol":"itmo-exchange/2"}', (422, 1013)),
        (b'{"a":1.5}', (422, 1020)),
        (b'{"a":NaN}', (422, 1020)),
        (b'{"a":"\\ud800"}', (422, 1020)),
        (b'{"a":99999999999999999999999999}', (422, 1020)),
        (b"\xff\xfe{}", (422, 1020)),
        (b"", (422, 1020)),
        (b"null", (422, 1020)),
        (b"{}", (422, 1020)),
    ],
)
async def test_a_signed_payload_that_is_no_envelope_is_a_problem(
    thailand: Peer, payload: bytes, expected: tuple[int, int]
) -> None:
    """Deep, double-keyed, non-integer, ill-coded or empty: refused before it is understood."""
    from keys.jws import sign

    raw = sign(payload, "itmo-envelope+jws", thailand.signers)
    assert await problem_of(thailand, raw) == expected


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
