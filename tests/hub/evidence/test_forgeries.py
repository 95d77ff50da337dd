"""What a hub that lies, and whoever forges a file, cannot make the verifier say."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from hub.evidence.archives import archive, read_archive
from hub.evidence.verification import verify
from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import Note
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner
from tests.hub.evidence.made_log import MadeLog, Story, bundle_of, failures, report_on
from tests.hub.evidence.made_trust import BUYER, SELLER, Trusted, seeded_signer
from tests.hub.evidence.test_verification import pinned, texts
from tests.keys import support

PARTIES = (SELLER, BUYER)


class Timeless(Trusted):
    """Witnesses that give the time 0."""

    def sign(
        self, checkpoint: Checkpoint, cosigners: Sequence[str], *, settle: bool = False
    ) -> str:
        """Return the note, cosigned at no time."""
        note = Note.parse(Trusted.sign(self, checkpoint, (), settle=settle))
        lines = [
            cosign(checkpoint, self.witness_key(one), self.witnesses[one].sign, 0)
            for one in cosigners
        ]
        return note.with_signatures(lines).render()


class Forgetful(MadeLog):
    """A log whose hub registers nobody, and says something else instead."""

    def register(self, *signers: LocalSigner, **_: Any) -> int:
        """Append an act about no key."""
        return self.act("account.open", "XIR01/A", {})


@pytest.mark.parametrize("with_pins", [True, False])
def test_the_key_of_the_log_speaks_for_no_participant(with_pins: bool) -> None:
    """A hub that signs a whole transfer itself, under its parties' codes, proves nothing by it."""
    seller, buyer = (support.seeded_signer(Algorithm.ED25519, one, "XHB01 one") for one in PARTIES)
    story = Story(seller=[seller], buyer=[buyer]).tell()
    assert seller.public_key_der == story.trusted.log_signer.public_key_der
    true = [seeded_signer(participant=one) for one in PARTIES]
    anchor = story.trusted.anchor(*true) if with_pins else story.trusted.policy().encode()
    report = report_on(story.evidence(), anchor)
    assert "signed for THA01 with the key of the log" in failures(report)
    assert "is THA01's" not in texts(report, "PROVED")


def test_another_hub_than_the_anchor_names_is_no_hub() -> None:
    """Receipts under the code of a hub that the reader's pins do not name are refused."""
    story = Story().tell()
    other = seeded_signer(participant="XHB02")
    anchor = story.trusted.anchor(*story.seller, *story.buyer, hub=[other])
    assert "XHB01 speaks as the hub" in failures(report_on(story.evidence(), anchor))


def test_a_key_registered_after_it_signed_is_nobodys() -> None:
    """Who is said afterwards to have held a key has not signed with it."""
    story = Story(log=Forgetful()).tell()
    late = MadeLog.register(story.log, *story.seller)
    story.note(late, "keys of THA01, too late")
    report = report_on(story.evidence(), story.trusted.policy().encode())
    assert f"signed entry 3 before it was registered at {late}" in failures(report)
    assert "THA01's: the hub registered it" not in texts(report, "PROVED")


def test_a_hybrid_participant_cannot_be_read_as_a_classical_one() -> None:
    """An envelope without its ML-DSA-65 signature is refused, or said to be less than pinned."""
    pair = [seeded_signer(one, SELLER) for one in (Algorithm.ED25519, Algorithm.ML_DSA_65)]
    story = Story(seller=pair, proposing=pair[:1]).tell()
    report = report_on(story.evidence(), pinned(story))
    assert report.verdict == "proved in part"
    assert "THA01 signed with its ML-DSA-65 key" in texts(report, "NOT PROVED")

    def must_be_hybrid(story: Story) -> None:
        detail = {"keys": [], "suites": ["Ed25519+ML-DSA-65"]}
        story.note(story.log.act("participant.add", SELLER, detail), "suites")

    story = Story(seller=pair, proposing=pair[:1], before_proposal=must_be_hybrid).tell()
    said = "THA01 signs with Ed25519+ML-DSA-65; this is Ed25519"
    assert said in failures(report_on(story.evidence(), pinned(story)))


def test_a_cosignature_without_a_time_is_no_confirmation() -> None:
    """The time 0 says that a witness does not speak of the newest tree: it counts for nobody."""
    story = Story(trusted=Timeless()).tell()
    assert "0 of 3 witnesses confirm" in failures(report_on(story.evidence(), pinned(story)))


@pytest.mark.parametrize("name", ["X\x1b[2KPROVED: all", "X\nPROVED: transfer THA01-17", "\ud800"])
def test_a_bundle_cannot_write_the_verdict_itself(name: str) -> None:
    """What a manifest calls its transfer is shown without what could pass for another line."""
    story = Story().tell()
    files = read_archive(bundle_of(story.evidence()))
    manifest = json.loads(files["manifest.json"]) | {"transfer_id": name}
    files["manifest.json"] = json.dumps(manifest).encode()
    last = verify(archive(files), pinned(story)).lines()[-1]
    assert last.encode().startswith(b"PROVED IN PART: transfer ")
    assert not set("\x1b\n") & set(last)


def test_numbers_beyond_any_clock_or_tree_are_failures_and_nothing_worse() -> None:
    """An overlap longer than time is found false; the other findings are still told."""
    story = Story()
    new = seeded_signer(participant=SELLER, seed="new")
    story.before_proposal = lambda one: one.rotate(one.seller, new, 10**15)
    story.tell()
    report = report_on(story.evidence(), pinned(story))
    assert "is not of its form: OverflowError" in failures(report)


def test_that_nothing_ended_a_transfer_is_not_in_the_verdict() -> None:
    """Whoever leaves the answer out of a file gets no line that calls the transfer open."""
    story = Story("open").tell()
    assert report_on(story.evidence(), pinned(story)).lines()[-1].endswith("no end of it is here")
