"""What the verifier proves of a transfer, and that every lie about one is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.evidence.archives import UnusableError
from hub.evidence.bundles import BundleItem, Evidence, erased
from hub.evidence.reports import Report
from keys.algorithms import Algorithm
from keys.documents import format_time
from tests.hub.evidence.made_log import Story, failures, proposal_body, report_on
from tests.hub.evidence.made_trust import BUYER, HUB, SELLER, START, Trusted, seeded_signer

ENDINGS = ("completed", "rejected", "cancelled", "expired", "open")


def pinned(story: Story) -> bytes:
    """Return the anchor of a reader who knows everybody's keys."""
    return story.trusted.anchor(*story.seller, *story.buyer, hub=story.hub)


def texts(report: Report, status: str) -> str:
    """Return the lines of one status."""
    return "\n".join(f"{one.about}: {one.text}" for one in report.findings if one.status == status)


def changed(evidence: Evidence, index: int, change: Callable[[BundleItem], BundleItem]) -> Evidence:
    """Return the evidence with one item changed."""
    items = [change(one) if one.index == index else one for one in evidence.items]
    return replace(evidence, items=items)


def without(evidence: Evidence, *indices: int) -> Evidence:
    """Return the evidence with items left out."""
    return replace(evidence, items=[one for one in evidence.items if one.index not in indices])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_true_bundle_is_proved_however_its_transfer_ended(ending: str) -> None:
    """Each way in which a transfer can end is a story that the verifier knows."""
    story = Story(ending).tell()
    report = report_on(story.evidence(), pinned(story))
    assert (report.verdict, report.outcome, failures(report)) == ("proved", ending, "")


def test_a_proved_transfer_is_told_in_words_with_who_and_where() -> None:
    """The lines name the signers, the place in the log, the witnesses and the units."""
    story = Story().tell()
    proved = texts(report_on(story.evidence(), pinned(story)), "PROVED")
    assert "2 of 3 witnesses confirm the tree of 41: w1 at 2026-11-22T10:10:00Z" in proved
    assert "the log has it at 3 of 41, 2026-11-22T10:00:03.000Z" in proved
    assert "THA01 proposed CHE01 the transfer of 1,900 units" in proved
    assert "CHE01 signed the acceptance of that very proposal" in proved
    assert "the hub told THA01 under its signature: completed" in proved
    assert "CHE01 signed that it has the delivery at 4" in proved


def test_without_pinned_keys_it_says_that_ownership_rests_on_the_hub() -> None:
    """A reader who knows only the log learns whose word the keys rest on."""
    story = Story().tell()
    report = report_on(story.evidence(), story.trusted.policy().encode())
    assert report.verdict == "proved"
    rests = "who holds the keys of CHE01 and THA01: it rests on the hub's statements alone"
    assert rests in texts(report, "NOT PROVED")
    assert "the hub registered it, entry 1" in texts(report, "PROVED")


@pytest.mark.parametrize("classical", [Algorithm.ED25519, Algorithm.ES256])
def test_hybrid_signatures_are_verified_both(classical: Algorithm) -> None:
    """ES256 and Ed25519, each with ML-DSA-65: a bundle of them is proved by both keys."""

    def pair(code: str) -> list[Any]:
        return [seeded_signer(one, code, "pair") for one in (classical, Algorithm.ML_DSA_65)]

    story = Story(seller=pair(SELLER), buyer=pair(BUYER)).tell()
    report = report_on(story.evidence(), pinned(story))
    assert failures(report) == ""
    assert "(ML-DSA-65) is THA01's" in texts(report, "PROVED")


def test_one_wrong_signature_of_two_is_a_failure() -> None:
    """A hybrid envelope whose second key is another one than registered is refused."""
    classical = seeded_signer(participant=SELLER)
    true, false = (seeded_signer(Algorithm.ML_DSA_65, SELLER, seed) for seed in ("a", "b"))
    story = Story(seller=[classical, true], proposing=[classical, false]).tell()
    assert f"{false.key_id} is not known as a key" in failures(
        report_on(story.evidence(), story.trusted.policy().encode())
    )


@pytest.mark.parametrize("swap", ["envelope", "receipt", "delivery", "act", "salt", "entry"])
def test_whatever_is_exchanged_is_found(swap: str) -> None:
    """A content, salt or entry of another leaf is not what the log committed to."""
    story = Story().tell()
    evidence = story.evidence()
    items = {one.index: one for one in evidence.items}
    pairs = {"delivery": (4, 9), "act": (1, 2)}
    here, there = pairs.get(swap, (3, 6))

    def exchange(item: BundleItem) -> BundleItem:
        other = items[there]
        if swap == "salt":
            return replace(item, salt=other.salt)
        if swap == "entry":
            return replace(item, entry=other.entry)
        return replace(item, contents={**item.contents, swap: other.contents[swap]})

    found = failures(report_on(changed(evidence, here, exchange), pinned(story)))
    expected = "it is not entry 3" if swap == "entry" else "is not the one that the log committed"
    assert expected in found


def test_a_forged_envelope_with_its_own_entry_is_in_no_tree() -> None:
    """Rewriting entry and commitment to fit a forgery leads out of the signed tree."""
    true, false = Story().tell(), Story().tell(reasons=["no"])
    at_6 = next(one for one in false.evidence().items if one.index == 6)
    proof = next(one for one in true.evidence().items if one.index == 6).proof
    forged = changed(true.evidence(), 6, lambda _: replace(at_6, proof=proof))
    assert "it is not entry 6 of the log's tree of 41" in failures(report_on(forged, pinned(true)))


def test_an_answer_that_names_another_proposal_is_no_answer() -> None:
    """The acceptance is bound to the bytes of the proposal."""
    story = Story().tell(previous_sha256="0" * 64)
    assert "entry 6 is not bound to the proposal" in failures(
        report_on(story.evidence(), pinned(story))
    )


def test_only_the_acquirer_answers() -> None:
    """An acceptance under the seller's signature ends nothing."""
    story = Story()
    story.answering = story.seller
    story.tell()
    assert "entry 6 is by THA01, who may not say that" in failures(
        report_on(story.evidence(), story.trusted.policy().encode())
    )


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (3, "leaves out entry 3, which was delivered"),
        (6, "leaves out entry 6, which was delivered"),
    ],
)
def test_what_was_delivered_cannot_be_left_out(index: int, said: str) -> None:
    """Dropping the proposal or the answer is found in the deliveries that carried them."""
    story = Story().tell()
    assert said in failures(report_on(without(story.evidence(), index), pinned(story)))


def test_a_shorter_bundle_proves_less_and_says_so() -> None:
    """Without answer and deliveries the transfer is not shown to have ended: never completed."""
    story = Story().tell()
    report = report_on(without(story.evidence(), 6, 7, 9), pinned(story))
    assert report.outcome == "open"
    assert "that the transfer ended: nothing here ends it" in texts(report, "NOT PROVED")
    report = report_on(without(story.evidence(), 3, 4, 6, 7, 9), pinned(story))
    assert (report.outcome, report.verdict) == ("unknown", "proved in part")


def test_two_ends_are_one_too_many() -> None:
    """A transfer that was accepted and expired has no story."""
    story = Story().tell()
    story.note(story.log.act("transfers.expired", "1", {"transfers": ["THA01-17"]}), "expiry")
    assert "ended more than once" in failures(report_on(story.evidence(), pinned(story)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "rejected"}, "which is not what happened"),
        ({"log_index": 3}, "which is not what happened"),
        ({"quantity": 1}, "of another transfer than proposed"),
        ({"acquirer": "GHA01"}, "of another transfer than proposed"),
        ({"previous_sha256": "1" * 64}, "names another envelope"),
    ],
)
def test_a_notice_that_tells_another_story_is_a_failure(change: Any, said: str) -> None:
    """What the hub told a party is compared with what the parties signed."""
    story = Story("completed").tell()
    notice = story.notice(3, 6, **change)
    story.note(story.log.deliver(BUYER, [(6, [notice])]), "false notice")
    assert said in failures(report_on(story.evidence(), pinned(story)))


def test_an_acknowledgement_of_other_bytes_is_a_failure() -> None:
    """A registry that confirms another delivery than was sent shows a fork of its mailbox."""
    story = Story().tell()
    body = {"up_to_sequence": 2, "delivery_sha256": "2" * 64}
    index = story.log.envelope(story.buyer, HUB, "delivery.acknowledgement", body)
    story.note(index, "false acknowledgement")
    assert "acknowledges another delivery" in failures(report_on(story.evidence(), pinned(story)))


def test_a_stranger_anchor_proves_nothing() -> None:
    """Whoever trusts another log learns that this one is not it."""
    story = Story().tell()
    other = Trusted(log_signer=seeded_signer(participant=HUB, seed="stranger"))
    report = report_on(story.evidence(), other.anchor(quorum="quorum none\n"))
    assert "no log of the anchor signed" not in failures(report)  # the ML-DSA key is the same
    other = replace(other, settling=seeded_signer(Algorithm.ML_DSA_44, HUB, "stranger"))
    report = report_on(story.evidence(), other.anchor(quorum="quorum none\n"))
    assert "no log of the anchor signed this tree of 41" in failures(report)


def test_an_unmet_quorum_is_a_failure() -> None:
    """Fewer witnesses than the anchor asks for do not confirm the tree."""
    story = Story().tell()
    report = report_on(story.evidence(cosigners=["w3.example"]), pinned(story))
    assert "1 of 3 witnesses confirm the tree of 41 (w3 at" in failures(report)
    none = report_on(story.evidence(cosigners=[]), story.trusted.anchor(quorum="quorum none\n"))
    assert "that everybody is shown the same log" in texts(none, "NOT PROVED")


def test_a_false_cosignature_is_a_failure() -> None:
    """A line under a witness's name and key id that its key did not make is refused."""
    story = Story().tell()
    evidence = story.evidence()
    text = evidence.checkpoint.decode()
    line = next(one for one in text.split("\n") if "w1.example" in one)
    broken = line[:-3] + ("A" if line[-3] != "A" else "B") + line[-2:]
    forged = replace(evidence, checkpoint=text.replace(line, broken).encode())
    assert report_on(forged, pinned(story)).verdict == "failed"


def test_two_trees_of_one_size_are_a_fork() -> None:
    """A hub that signed two histories is caught by a bundle that holds both."""
    one, two = Story().tell(), Story().tell(reasons=["other"])
    mixed = replace(one.evidence(), checkpoint=two.evidence().checkpoint)
    assert "the log was forked" in failures(report_on(mixed, pinned(one)))


def test_a_key_that_was_revoked_before_it_signed_signs_nothing() -> None:
    """A revocation in the bundle ends the key at the hub's time of it."""

    def revoke(story: Story) -> None:
        story.note(story.log.act("key.revoke", story.seller[0].key_id, {}), "revocation")

    story = Story(before_proposal=revoke).tell()
    assert "had ended at 2026-11-22T10:00:03" in failures(
        report_on(story.evidence(), pinned(story))
    )


def test_a_key_that_ended_by_its_own_window_signs_nothing() -> None:
    """What the bundle's own list of keys says of their windows is kept."""
    story = Story().tell()
    evidence = story.evidence()
    end = format_time(START + timedelta(seconds=5))
    keys = [replace(one, valid_until=end) for one in evidence.keys]
    found = failures(report_on(replace(evidence, keys=keys), pinned(story)))
    assert "entry 5: the key CHE01" in found
    assert "entry 3:" not in found


def test_a_key_of_somebody_else_is_no_key_of_the_sender() -> None:
    """An envelope in one participant's name under another's key fails."""
    stranger = seeded_signer(participant="GHA01")
    story = Story(proposing=[stranger])
    story.before_proposal = lambda it: it.note(it.log.register(stranger), "keys of GHA01")
    story.tell()
    assert "is not known as a key of THA01" in failures(
        report_on(story.evidence(), story.trusted.policy().encode())
    )


def test_a_rotated_key_is_the_participants_own_word() -> None:
    """Pinning the first key is enough: the next one was named under it."""
    first, second = (seeded_signer(participant=SELLER, seed=seed) for seed in ("one", "two"))
    story = Story(seller=[first])

    def rotate(it: Story) -> None:
        it.rotate([first], second)
        it.seller = [second]

    story.before_proposal = rotate
    story.tell()
    evidence = story.evidence()
    known = {first.key_id, *(one.key_id for one in (*story.buyer, *story.log.hub_signers))}
    at = format_time(START + timedelta(seconds=3))
    keys = [one if one.key_id in known else replace(one, valid_from=at) for one in evidence.keys]
    anchor = story.trusted.anchor(first, *story.buyer, hub=story.log.hub_signers)
    report = report_on(replace(evidence, keys=keys), anchor)
    assert failures(report) == ""
    assert "THA01 named it under its key before, entry 3" in texts(report, "PROVED")
    assert "it rests on the hub's statements" not in texts(report, "NOT PROVED")


def test_nobody_names_a_key_of_somebody_else() -> None:
    """A rotation by one participant of another's key is refused, though its signature is right."""
    thief = seeded_signer(participant=BUYER, seed="thief")
    story = Story()
    story.before_proposal = lambda it: it.rotate(it.seller, thief)
    found = failures(report_on(story.tell().evidence(), pinned(story)))
    assert f"THA01 names a key that is not its own: {thief.key_id}" in found


def test_nobody_ends_a_key_of_somebody_else() -> None:
    """A revocation by one participant of another's key changes nothing."""
    story = Story()
    body = {"key_id": story.buyer[0].key_id, "reason": "spite"}
    story.before_proposal = lambda it: it.note(
        it.log.envelope(it.seller, HUB, "key.revoke", body), "revocation"
    )
    assert report_on(story.tell().evidence(), pinned(story)).verdict == "proved"


def test_a_key_that_its_owner_revoked_signs_nothing() -> None:
    """The participant's own word ends its key, from the hub's time of it on."""
    story = Story()
    body = {"key_id": story.seller[0].key_id, "reason": "lost"}
    story.before_proposal = lambda it: it.note(
        it.log.envelope(it.seller, HUB, "key.revoke", body), "revocation"
    )
    found = failures(report_on(story.tell().evidence(), pinned(story)))
    assert f"the key {story.seller[0].key_id} had ended" in found


def test_a_hub_that_completes_alone_is_not_taken_for_the_acquirer() -> None:
    """Completed by the proposal's own receipt: the report says that the acquirer signed nothing."""
    story = Story("open")
    log = story.log
    story.before_proposal = lambda it: it.note(
        log.envelope(
            it.seller, BUYER, "transfer.proposal", proposal_body(), result={"state": "completed"}
        ),
        "proposal",
    )
    evidence = without(story.tell().evidence(), 4, 5, 6)
    report = report_on(evidence, pinned(story))
    assert report.outcome == "completed"
    assert "that CHE01 agreed: it signed nothing of it" in texts(report, "NOT PROVED")


def test_a_pin_is_a_pin() -> None:
    """Who pins keys of a participant accepts none that is not pinned or named under one."""
    story = Story().tell()
    anchor = story.trusted.anchor(seeded_signer(participant=SELLER, seed="real"))
    found = failures(report_on(story.evidence(), anchor))
    assert "is none of the keys of THA01 in the anchor" in found


def test_keys_without_their_registration_are_not_shown_to_be_anybodys() -> None:
    """The bundle's own list of keys vouches for nothing."""
    story = Story().tell()
    report = report_on(without(story.evidence(), 1, 2), story.trusted.policy().encode())
    assert report.verdict == "proved in part"
    assert "its registration is not here" in texts(report, "NOT PROVED")


def test_who_at_the_hub_acted_is_not_claimed_to_be_proved() -> None:
    """An act is the hub's word; where there is none in the bundle, nothing is said of it."""
    story = Story().tell()
    line = "who at the hub acted"
    assert line in texts(report_on(story.evidence(), pinned(story)), "NOT PROVED")
    without_acts = without(story.evidence(), 1, 2)
    assert line not in texts(report_on(without_acts, pinned(story)), "NOT PROVED")


def test_erased_bodies_leave_existence_time_and_parties() -> None:
    """After their time of retention the entries still prove that, when and between whom."""
    story = Story().tell()
    evidence = story.evidence()
    bare = [erased(one) if one.kind != "act" else one for one in evidence.items]
    report = report_on(replace(evidence, items=bare), pinned(story))
    assert (report.verdict, report.outcome, failures(report)) == ("proved in part", "unknown", "")
    proved = texts(report, "PROVED")
    assert "an entry of kind envelope, THA01 to CHE01, told of: CHE01 and THA01" in proved
    assert "at 3 of 41, 2026-11-22T10:00:03.000Z" in proved
    assert "what the envelope of 2026-11-22T10:00:03.000Z says" in texts(report, "NOT PROVED")


def test_the_hubs_notice_still_tells_the_end_of_an_erased_answer() -> None:
    """A delivery that was kept longer than the envelopes says how the transfer ended."""
    story = Story().tell()
    evidence = changed(story.evidence(), 6, erased)
    evidence = changed(evidence, 3, erased)
    report = report_on(evidence, pinned(story))
    assert (report.verdict, report.outcome) == ("proved in part", "completed")
    assert "by whose word it ended" in texts(report, "NOT PROVED")


def test_counts_of_participants_that_go_back_are_a_failure() -> None:
    """Two entries under one number of a participant show a rewritten history."""
    story = Story()

    def recount(it: Story) -> None:
        it.note(it.log.act("participant.activate", SELLER, {}, [SELLER]), "activation")
        it.log.counts[SELLER] = (0, -1)

    story.before_proposal = recount
    story.tell()
    assert "the count of THA01 goes back" in failures(report_on(story.evidence(), pinned(story)))


@pytest.mark.parametrize(
    "anchor",
    [
        b"",
        b"quorum none\n",
        b"{}",
        b'{"format":"itmo-anchor/1","policy":"quorum none"}',
        b"log nonsense\nquorum none\n",
        b"\xff\xfe",
    ],
)
def test_an_anchor_that_names_no_log_is_unusable(anchor: bytes) -> None:
    """Nothing is proved to somebody who trusts nobody."""
    story = Story(filler=0).tell()
    with pytest.raises(UnusableError, match="anchor"):
        report_on(story.evidence(), anchor)
