"""What anyone may fetch: exactly the published files, whatever name is asked for."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.response_codes import ResponseCode
from hub.services import publications
from hub.services.administration.participants import revoke_key
from keys.jws import open_signed, verify
from message_schemas import code_lists
from tests.hub.world import HUB, World, act
from tests.integration.peers import now, seeded_signer

HOSTILE = [
    "",
    ".",
    "..",
    "../envelope",
    "../../json_codec.py",
    "..%2fenvelope",
    "/etc/passwd",
    "\\..\\envelope",
    "envelope\x00",
    "envelope.schema.json",
    "__init__",
    "a" * 5_000,
    "a." * 200,
    "\u202eenvelope",
    "ｅnvelope",
    "envelope/",
    "con",
]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:30]))
def test_no_name_leads_out_of_the_published_folders(name: str) -> None:
    """Neither in the place of a schema, nor of a date, nor of a code list."""
    date = code_lists.CURRENT
    listed = publications.code_list_names()[date]
    assert publications.schema_document(name) is None
    assert publications.code_list_document(date, name) is None
    assert publications.code_list_document(name, listed[0]) is None


@given(
    name=st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "/", "v1", "a"])).map("".join)
)
def test_whatever_is_asked_for_only_what_is_listed_is_found(name: str) -> None:
    """A name gives a document exactly when the list has it."""
    found = publications.schema_document(name)
    assert (found is not None) == (name in publications.schema_names())


def test_everything_listed_can_be_fetched() -> None:
    """Each schema and each code list of each date."""
    names = publications.schema_names()
    assert {"envelope", "receipt", "delivery", "transfer.proposal"} <= set(names)
    for name in names:
        document = publications.schema_document(name)
        assert document is not None
        assert "$schema" in document
    for date, lists in publications.code_list_names().items():
        assert lists
        for name in lists:
            document = publications.code_list_document(date, name)
            assert document is not None
            assert document["values"]


def test_every_code_has_a_text_and_a_remedy_for_a_problem_document() -> None:
    """Whoever is refused reads what to do."""
    for code in ResponseCode:
        if code is not ResponseCode.OK:
            assert all(publications.problem_texts(code))
    rules = publications.rulebook_document()["rules"]
    assert len(rules) == len(ResponseCode) - 1


def test_the_list_of_participants_is_signed_and_keeps_ended_keys(world: World) -> None:
    """Anyone can check who signed what when: windows and revocations are on the list."""
    key_id = world.peers["CHE01"].signers[0].key_id
    world.administration.do(revoke_key(key_id), act())
    world.say("THA01", HUB, ("participant.hello", {}))  # the next commit sees the change
    data = world.receiver.data
    log = {"origin": "itmo-hub.invalid/xhb01", "vkeys": ["a+b+c"]}
    raw = publications.participants_document(
        data, hub=HUB, signers=[seeded_signer(HUB)], now=now(), log=log
    )
    at = now() + timedelta(seconds=1)
    verified = verify(open_signed(raw, "itmo-participants+jws"), data.trust, HUB, at)
    document = json.loads(verified.payload)
    listed = {row["code"]: row for row in document["participants"]}
    assert set(listed) == {"CHE01", "GHA01", "THA01", "XHB01", "XIR01", "XMR01"}
    assert listed["THA01"]["keys"][0]["revoked_at"] is None
    assert listed["CHE01"]["keys"][0]["revoked_at"] is not None
    assert listed["XIR01"]["keys"] == []
