"""What XML cannot hold leaves in JSON, and is read again in whichever binding it is."""

from typing import Any

import pytest

from hub.protocol.signed_objects import Binding, BindingUnavailableError, SigningKeys, binding_of
from hub.services.sealing import read_own, seal
from message_schemas import examples
from tests.integration.peers import seeded_signer, seeded_xml_signer

HUB = "XHB01"
KEYS = SigningKeys.of([seeded_signer(HUB)], seeded_xml_signer(HUB))
TEXT_CHARACTERS = 10_000_001  # one more than a parser of XML reads as one text


def a_receipt(result: Any) -> Any:
    """Return a receipt with one result."""
    receipt = examples.valid("receipt")
    return receipt | {"outcomes": [receipt["outcomes"][0] | {"result": result}]}


@pytest.mark.parametrize("binding", Binding)
def test_what_is_sealed_is_read_again(binding: Binding) -> None:
    """In the binding asked for; also what nests deeper than others may send."""
    deep: Any = {}
    for _ in range(20):
        deep = {"a": deep}
    raw = seal(KEYS, "receipt", a_receipt(deep), binding)
    assert binding_of(raw) is binding
    assert read_own(raw, "receipt") == a_receipt(deep)


def test_what_xml_cannot_hold_is_sealed_in_json() -> None:
    """A text that no parser would read; nobody waits for it in vain."""
    result = {"a": "x" * TEXT_CHARACTERS}
    raw = seal(KEYS, "receipt", a_receipt(result), Binding.XML)
    assert binding_of(raw) is Binding.JSON
    assert read_own(raw, "receipt") == a_receipt(result)


def test_without_a_key_for_xml_there_is_json_and_without_one_for_json_nothing() -> None:
    """A hub always has a key for JSON; that it has none is a defect."""
    raw = seal(SigningKeys.of([seeded_signer(HUB)]), "receipt", a_receipt({}), Binding.XML)
    assert binding_of(raw) is Binding.JSON
    with pytest.raises(BindingUnavailableError):
        seal(SigningKeys((), None), "receipt", a_receipt({}), Binding.JSON)
