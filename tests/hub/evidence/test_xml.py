"""Evidence in XML: the same story in either binding, and no lie more than in JSON."""

from collections.abc import Sequence
from typing import Any

import pytest

from hub.evidence.archives import RefutedError
from hub.evidence.signatures import ENVELOPE_TYP, check_signature, open_signed
from keys.algorithms import Algorithm
from tests.hub.evidence.made_log import MadeLog, Story, failures, report_on
from tests.hub.evidence.made_trust import BUYER, HUB, SELLER, Json, seeded_signer
from tests.hub.evidence.test_verification import pinned, texts

ENDINGS = ("completed", "rejected", "cancelled", "expired", "open")
SPEAKING = [frozenset({SELLER}), frozenset({BUYER}), frozenset({SELLER, BUYER})]


class Embellishing(MadeLog):
    """A log whose hub tells other contents than the senders signed."""

    def _item(self, *given: Any) -> Json:
        item = MadeLog._item(self, *given)
        if "content" in item:
            messages = [
                one | {"body": one["body"] | {"quantity": 19_000_000}}
                for one in item["content"]["messages"]
            ]
            item["content"] = item["content"] | {"messages": messages}
        return item


def story_of(
    speaking: frozenset[str], ending: str = "completed", kind: type[MadeLog] = MadeLog
) -> Story:
    """Return a story in which these participants speak XML."""
    signers = {code: [seeded_signer(Algorithm.ES256, code, "es")] for code in (SELLER, BUYER)}
    log = kind(speaks_xml=speaking)
    return Story(ending, seller=signers[SELLER], buyer=signers[BUYER], log=log)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("speaking", SPEAKING, ids=["seller", "buyer", "both"])
def test_a_transfer_is_proved_in_whichever_binding_it_was_spoken(
    speaking: frozenset[str], ending: str
) -> None:
    """Each party signs in its own binding; findings are the same but for keys and digests."""
    story = story_of(speaking, ending).tell()
    report = report_on(story.evidence(), pinned(story))
    assert (report.verdict, report.outcome, failures(report)) == ("proved", ending, "")
    plain = story_of(frozenset(), ending).tell()
    expected = [
        one for one in report_on(plain.evidence(), pinned(plain)).findings if one.about != "keys"
    ]
    found = [one for one in report.findings if one.about != "keys"]
    assert [one.about for one in found] == [one.about for one in expected]
    assert [one.text for one in found if one.about != "log"] == [
        one.text for one in expected if one.about != "log"
    ]
    assert "THA01-" in texts(report, "PROVED")


def test_the_hubs_own_word_in_xml_is_under_its_own_key() -> None:
    """Receipts and deliveries in XML are signed with the hub's key for XML."""
    story = story_of(frozenset({SELLER, BUYER})).tell()
    proved = texts(report_on(story.evidence(), pinned(story)), "PROVED")
    assert f"the key {story.log.hub_xml_signer.key_id} (ES256) is {HUB}'s" in proved
    assert story.log.hub_signers[0].key_id not in proved


@pytest.mark.parametrize("speaking", [SELLER, BUYER])
def test_what_a_delivery_says_of_an_original_must_be_what_it_says(speaking: str) -> None:
    """A hub that translates falsely is caught by the original beside its translation."""
    story = story_of(frozenset({speaking}), kind=Embellishing).tell()
    said = failures(report_on(story.evidence(), pinned(story)))
    assert "the delivery at 4 says other things than the envelope it carries" in said


class Emptying(MadeLog):
    """A log whose hub tells an empty body, as of a message whose body breaks the XML form."""

    outcome = "refused"

    def _item(self, *given: Any) -> Json:
        item = MadeLog._item(self, *given)
        if "content" in item:
            messages = [one | {"body": {}} for one in item["content"]["messages"]]
            item["content"] = item["content"] | {"messages": messages}
            item["verdicts"] = [one | {"outcome": self.outcome} for one in item["verdicts"]]
        return item

    def envelope(self, *given: Any, **named: Any) -> int:
        """Append an envelope; the proposal is answered as its verdict says."""
        outcome = self.outcome if self.index == 3 else "accepted"
        return MadeLog.envelope(self, *given, **named | {"outcome": outcome})


class EmptyingAccepted(Emptying):
    """The same, of a message that the hub accepted."""

    outcome = "accepted"


@pytest.mark.parametrize(("kind", "refuted"), [(Emptying, False), (EmptyingAccepted, True)])
def test_only_a_refused_message_may_be_told_with_an_empty_body(
    kind: type[MadeLog], refuted: bool
) -> None:
    """A body that broke its form has no value; one that was accepted has."""
    story = story_of(frozenset({SELLER}), "open", kind).tell()
    said = failures(report_on(story.evidence(), pinned(story)))
    assert ("says other things than the envelope it carries" in said) == refuted


class Altering(MadeLog):
    """A log whose hub commits to altered bytes at entry 6, as if they were what was sent."""

    name = "envelope"

    def alter(self, raw: bytes) -> bytes:
        """Return other bytes for those of entry 6."""
        return transplanted(self.contents[3][self.name] or b"", raw)

    def append(
        self, kind: str, sender: str, recipient: str, parties: Sequence[str], **contents: bytes
    ) -> int:
        """Append a leaf."""
        if self.index == 6:
            contents[self.name] = self.alter(contents[self.name])
        return MadeLog.append(self, kind, sender, recipient, parties, **contents)


class AlteringReceipts(Altering):
    """The same with its own receipts."""

    name = "receipt"


class Wrapping(Altering):
    """The same, with the signed document inside another one."""

    def alter(self, raw: bytes) -> bytes:
        """Return the wrapped document."""
        return wrapped(raw)


@pytest.mark.parametrize("kind", [Altering, AlteringReceipts, Wrapping])
def test_an_xml_signature_moved_to_another_document_is_refused(kind: type[MadeLog]) -> None:
    """Each signature is right, of another document: with the log's commitment mended too."""
    story = story_of(frozenset({SELLER, BUYER}), kind=kind).tell()
    said = failures(report_on(story.evidence(), pinned(story)))
    assert "entry 6: the XML document is not the one that its signature is of" in said


def flipped(raw: bytes) -> bytes:
    """Return an XML original with another quantity, or another decision: one byte."""
    other = raw.replace(b">1900<", b">1901<").replace(b">accept<", b">accent<")
    return other.replace(b"<quantity>200<", b"<quantity>201<")


def wrapped(raw: bytes) -> bytes:
    """Return a document that has the signed one inside, and its signature as its own."""
    block = raw[raw.index(b"<ds:Signature ") : raw.rindex(b"</envelope>")]
    return flipped(raw).replace(block, b"<wrap>" + raw.replace(block, b"") + b"</wrap>" + block)


def transplanted(giver: bytes, taker: bytes) -> bytes:
    """Return a signed document with another one's signature."""

    def block(raw: bytes) -> bytes:
        return raw[raw.index(b"<ds:Signature ") : raw.index(b"</ds:Signature>") + 15]

    return taker.replace(block(taker), block(giver))


def test_one_byte_of_an_xml_original_changes_nothing_unseen() -> None:
    """A flipped byte is refused, or says the same under the same key, as a quote by another."""
    story = story_of(frozenset({SELLER}), "open").tell()
    raw = story.log.contents[3]["envelope"] or b""
    key = story.seller[0]
    said, _ = open_signed(raw, ENVELOPE_TYP)
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        try:
            found, ((algorithm, key_id, signed, signature),) = open_signed(flipped, ENVELOPE_TYP)
            check_signature(key.public_key_der, algorithm, signed, signature)
        except RefutedError:
            continue
        assert (found, key_id == key.key_id) == (said, b"<ds:KeyName>" not in raw[:place])
