"""Whatever bytes come, the door answers with a receipt or one documented problem; never a 500.

1. Unsigned garbage from Hypothesis.
2. Valid envelopes of every message type, with a few bytes changed.
3. Validly signed hostile payloads: the sender is who it says, and means harm.

After each round the hub still takes an honest envelope, and its ledger proves itself (``hub``).
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.http.problems import STATUS
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, binding_of
from keys.jws import sign
from message_schemas import examples
from message_schemas.catalogue import MESSAGE_TYPES
from tests.fuzz.mutations import spoil_bytes, spoil_document
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, approach, payload_of, proposal
from tests.integration.worlds import fresh_block, fresh_id, outcomes

ROUND_COUNT = 600
AT_ONCE = 32
NUMBERS = itertools.count(5000)  # of approaches that no example names
DOCUMENTED = {(status, int(code)) for code, status in STATUS.items()}


def judge(status: int, body: bytes) -> str:
    """Return what kind of answer it was; fail unless it is a documented one."""
    if status == 200:
        receipt = payload_of(body, "itmo-receipt+jws")
        assert receipt["sender"] == "XHB01"
        for outcome in receipt["outcomes"]:
            assert outcome["outcome"] in {"accepted", "refused", "duplicate-of"}
            assert ResponseCode(outcome["code"]).name == outcome["name"]
            assert (outcome["code"] == 0) == (outcome["outcome"] != "refused")
        return "receipt"
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["retry"] is False, problem
    assert (status, problem["code"]) in DOCUMENTED, problem
    return str(problem["code"])


async def answer_all(hub: HubUnderTest, raws: list[bytes]) -> Counter[str]:
    """Post all, some at once; return how many answers there were of each kind."""
    counted: Counter[str] = Counter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        peer = Peer("THA01", hub.address, session)

        async def post_some(some: list[bytes]) -> None:
            for raw in some:
                status, body = await peer.post(raw)
                try:
                    assert status != 200 or binding_of(body) is binding_of(raw)
                    counted[judge(status, body)] += 1
                except Exception as error:
                    raise AssertionError(f"{raw[:2000]!r} -> {status} {body[:500]!r}") from error

        await asyncio.gather(*(post_some(raws[at::AT_ONCE]) for at in range(AT_ONCE)))
        honest = Peer("CHE01", hub.address, session)
        receipt = await honest.say("XHB01", approach(f"CA{next(NUMBERS)}"))
        assert outcomes(receipt) == ["accepted"]
    return counted


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raws=st.lists(st.binary(max_size=2_000), min_size=50, max_size=100))
def test_unsigned_bytes_get_a_problem(hub: HubUnderTest, raws: list[bytes]) -> None:
    """No garbage is a receipt, and none is an error of ours; this hub has no key for XML."""
    wanted = Counter("1003" if binding_of(raw) is Binding.XML else "1001" for raw in raws)
    assert asyncio.run(answer_all(hub, raws)) == wanted


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
            lambda inner: (
                st.lists(inner, max_size=5)
                | st.dictionaries(
                    st.sampled_from(["payload", "signatures", "protected", "signature", "x"]),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        ),
        min_size=50,
        max_size=100,
    )
)
def test_json_that_is_nearly_a_signed_object_gets_a_problem(
    hub: HubUnderTest, documents: list[Any]
) -> None:
    """The members of a JWS in any shape and nesting."""
    raws = [json.dumps(document).encode("utf-8", "surrogatepass") for document in documents]
    assert asyncio.run(answer_all(hub, raws)) == {"1001": len(raws)}


def envelope_payload(peer: Peer, chosen: random.Random) -> Any:
    """Return the payload of a valid envelope with one to three messages of any type."""
    names = chosen.choices(sorted(MESSAGE_TYPES), k=chosen.randint(1, 3))
    said = [(name, examples.valid(name)) for name in names]
    if chosen.random() < 0.5:
        said = [proposal(fresh_id("THA01"), fresh_block(chosen.randint(1, 100)))]
    recipient = chosen.choice(["XHB01", "CHE01", "XIR01"])
    return payload_of(peer.envelope(recipient, *said), "itmo-envelope+jws")


@pytest.mark.slow
def test_valid_envelopes_with_changed_bytes_get_a_problem_or_a_receipt(
    hub: HubUnderTest, run_seed: int
) -> None:
    """One to four places of the signed bytes changed: the signature says so, or the syntax."""
    chosen = random.Random(run_seed)
    peer = Peer("THA01", hub.address, None)  # type: ignore[arg-type]  # signs only
    raws = [
        spoil_bytes(
            sign(
                json.dumps(envelope_payload(peer, chosen)).encode(),
                "itmo-envelope+jws",
                peer.signers,
            ),
            chosen,
        )
        for _ in range(ROUND_COUNT)
    ]
    counted = asyncio.run(answer_all(hub, raws))
    # A changed key id may name a participant that nobody knows: 1011.
    assert counted.keys() <= {"1001", "1004", "1005", "1009", "1011", "receipt"}, counted
    # An appended space, or white space between members, leaves a signed object what it was.
    assert counted["receipt"] < ROUND_COUNT / 20, counted


@pytest.mark.slow
@pytest.mark.parametrize("code", ["THA01", "XMR01"])
def test_validly_signed_hostile_payloads_get_a_problem_or_a_receipt(
    hub: HubUnderTest, run_seed: int, code: str
) -> None:
    """Any value of an envelope replaced by a nasty one, signed by its real sender."""
    chosen = random.Random(run_seed)
    peer = Peer(code, hub.address, None)  # type: ignore[arg-type]  # signs only
    raws = []
    for _ in range(ROUND_COUNT):
        spoiled = spoil_document(envelope_payload(peer, chosen), chosen)
        raws.append(sign(json.dumps(spoiled).encode(), "itmo-envelope+jws", peer.signers))
    counted = asyncio.run(answer_all(hub, raws))
    assert counted["receipt"] > ROUND_COUNT / 10, counted
    assert counted.keys() <= {"receipt", "1009", "1012", "1013", "1020"}, counted


@pytest.mark.slow
def test_signed_payloads_that_are_no_json_get_a_problem(hub: HubUnderTest, run_seed: int) -> None:
    """The payload's own bytes are spoiled before they are signed."""
    chosen = random.Random(run_seed)
    peer = Peer("THA01", hub.address, None)  # type: ignore[arg-type]  # signs only
    raws = []
    for _ in range(ROUND_COUNT):
        payload = json.dumps(envelope_payload(peer, chosen)).encode()
        raws.append(sign(spoil_bytes(payload, chosen), "itmo-envelope+jws", peer.signers))
    counted = asyncio.run(answer_all(hub, raws))
    assert counted.keys() <= {"receipt", "1009", "1012", "1013", "1020"}, counted
