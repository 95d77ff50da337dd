"""Whatever XML comes, the door answers with a receipt in XML or one documented problem.

1. Valid envelopes in XML with a few bytes changed.
2. Validly signed documents of which bytes were changed before, as long as they are XML.
3. Validly signed hostile values, written in XML wherever XML can hold them.

After each round the hub still takes an honest envelope, and its ledger proves itself (``hub``).
"""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from hub.protocol.signed_objects import Binding, binding_of
from keys.errors import MalformedXmlError
from keys.xml_signatures import sign_xml
from message_schemas.xml_codec import XmlUnwritableError, encode_document
from tests.fuzz.mutations import spoil_bytes, spoil_document
from tests.fuzz.test_door import answer_all, envelope_payload
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, seeded_xml_signer

XML_KEYS = ("XHB01", "THA01")
ROUND_COUNT = 400
SIGNER = seeded_xml_signer("THA01")
BEFORE_SIGNATURE = {"1001"}
SIGNED = {"receipt", "1009", "1012", "1013", "1020"}


@pytest.fixture
def chosen(run_seed: int) -> random.Random:
    """Return the generator of this run."""
    return random.Random(run_seed)


def written(peer: Peer, chosen: random.Random, spoil: bool = False) -> bytes | None:
    """Return an envelope's unsigned XML, perhaps of a spoiled value; None if XML cannot hold it."""
    payload: Any = envelope_payload(peer, chosen)
    if spoil:
        payload = spoil_document(payload, chosen)
    try:
        return encode_document("envelope", payload)
    except (XmlUnwritableError, AttributeError, TypeError, KeyError, ValueError):
        return None  # a list where an object stands: such a value has no elements


def rightly_signed(raw: bytes) -> bytes | None:
    """Return bytes under a good signature, or None if they are no XML that can be signed."""
    try:
        return sign_xml(raw, SIGNER)
    except MalformedXmlError:
        return None


def counted(hub: HubUnderTest, raws: list[bytes | None]) -> Counter[str]:
    """Post what could be made; return how many answers of each kind there were."""
    made = [raw for raw in raws if raw is not None and binding_of(raw) is Binding.XML]
    assert len(made) > ROUND_COUNT / 10
    return asyncio.run(answer_all(hub, made))


@pytest.fixture
def peer(hub: HubUnderTest) -> Peer:
    """Return THA01, which only signs here."""
    nowhere: Any = None
    return Peer("THA01", hub.address, nowhere)


@pytest.mark.slow
def test_valid_xml_with_changed_bytes_gets_a_problem_or_a_receipt(
    hub: HubUnderTest, peer: Peer, chosen: random.Random
) -> None:
    """The signature says so, or the syntax; what Canonical XML takes away changes nothing."""
    raws = [written(peer, chosen) for _ in range(ROUND_COUNT)]
    spoiled = [spoil_bytes(sign_xml(raw, SIGNER), chosen) for raw in raws if raw is not None]
    found = counted(hub, list(spoiled))
    assert found.keys() <= {"1001", "1004", "1005", "1009", "1011", "receipt"}, found
    assert found["receipt"] < ROUND_COUNT / 10, found


@pytest.mark.slow
def test_xml_spoiled_before_it_was_signed_gets_a_problem_or_a_receipt(
    hub: HubUnderTest, peer: Peer, chosen: random.Random
) -> None:
    """Well-formed, rightly signed, and not of the form: refused as an envelope or a message."""
    raws = [written(peer, chosen) for _ in range(4 * ROUND_COUNT)]
    spoiled = [rightly_signed(spoil_bytes(raw, chosen)) for raw in raws if raw is not None]
    found = counted(hub, spoiled)
    assert found.keys() <= SIGNED | BEFORE_SIGNATURE, found
    assert found["receipt"] > 0, found


@pytest.mark.slow
def test_hostile_values_in_xml_get_a_problem_or_a_receipt(
    hub: HubUnderTest, peer: Peer, chosen: random.Random
) -> None:
    """Any value of an envelope replaced by a nasty one, signed by its real sender."""
    raws = [written(peer, chosen, spoil=True) for _ in range(2 * ROUND_COUNT)]
    found = counted(hub, [None if raw is None else rightly_signed(raw) for raw in raws])
    assert found.keys() <= SIGNED, found
    assert found["receipt"] > ROUND_COUNT / 10, found
