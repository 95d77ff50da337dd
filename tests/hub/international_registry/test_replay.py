"""Tests of the journal's replay: what may follow what."""

from dataclasses import replace
from typing import Any

import pytest

from hub.international_registry.postings import Posting, PostingKind
from hub.international_registry.replay import RULES, JournalError, SeriesReplay
from hub.international_registry.units import BlockStatus, FirstTransferEvent
from tests.hub.international_registry.samples import (
    ATTRIBUTES,
    INTERNATIONAL,
    OTHER_ATTRIBUTES,
    SERIES,
)

INTRODUCED = Posting(
    PostingKind.INTRODUCED,
    SERIES,
    1,
    10,
    ATTRIBUTES,
    None,
    None,
    "GHA01",
    None,
    "GHA01-1",
    status=BlockStatus.AUTHORIZED,
)
RESERVED = Posting(
    PostingKind.RESERVED, SERIES, 1, 10, ATTRIBUTES, "GHA01", None, "GHA01", None, "GHA01-1"
)
MOVED = replace(RESERVED, kind=PostingKind.MOVED, to_registry="CHE01", first_transfer=INTERNATIONAL)
AT_CHE = replace(RESERVED, from_registry="CHE01", to_registry="CHE01", reference="CHE01-1")
USED = replace(AT_CHE, kind=PostingKind.USED)
HELD = replace(AT_CHE, kind=PostingKind.HELD, reference="case-1")
FLAGGED = replace(
    RESERVED,
    kind=PostingKind.FIRST_TRANSFERRED,
    first_transfer=FirstTransferEvent.AUTHORIZATION,
)


def played(*postings: Posting) -> SeriesReplay:
    """Return a replay of the postings."""
    replay = SeriesReplay()
    for posting in postings:
        replay.apply(posting)
    return replay


def test_every_kind_of_posting_has_a_rule() -> None:
    """Introduction starts from nothing; every other kind is in the table."""
    assert set(RULES) == set(PostingKind) - {PostingKind.INTRODUCED}


def test_a_transfer_is_played_to_its_end() -> None:
    """The units arrive as the window left them."""
    replay = played(INTRODUCED, RESERVED, MOVED)
    (span,) = replay
    assert (span.first, span.last) == (1, 10)
    assert (span.standing.registry, span.standing.status) == ("CHE01", BlockStatus.ITMO)
    assert span.standing.first_transfer is INTERNATIONAL
    assert replay.balance == 10


def test_held_units_stay_when_their_transfer_fails_and_leave_with_the_hold() -> None:
    """Released, not withdrawn; then on nobody's word, so that they leave with the hold."""
    held = replace(RESERVED, kind=PostingKind.HELD, reference="case-1")
    released = replace(RESERVED, kind=PostingKind.RELEASED)
    unheld = replace(held, kind=PostingKind.UNHELD)
    leaving = replace(held, kind=PostingKind.WITHDRAWN, to_registry=None)
    replay = played(INTRODUCED, RESERVED, held, released)
    (span,) = replay
    assert (span.standing.hold, span.standing.status) == ("case-1", BlockStatus.AUTHORIZED)
    assert span.standing.reserved_by is span.standing.introduced_by is None
    with pytest.raises(JournalError, match="kept for a hold now lifted"):
        replay.apply(leaving)
    replay.apply(unheld)
    replay.apply(leaving)
    assert (list(replay), replay.balance) == ([], 0)


def test_a_withdrawal_leaves_nothing() -> None:
    """Units and balance are as before the introduction."""
    withdrawn = replace(RESERVED, kind=PostingKind.WITHDRAWN, to_registry=None)
    replay = played(INTRODUCED, RESERVED, withdrawn)
    assert list(replay) == []
    assert replay.balance == 0


@pytest.mark.parametrize(
    ("history", "posting", "reason"),
    [
        ([INTRODUCED], replace(INTRODUCED, first=10, last=12), "in the ledger"),
        ([], replace(INTRODUCED, status=None), "without a holder or a status"),
        ([], RESERVED, "serial 1 is not in the ledger"),
        ([INTRODUCED], replace(RESERVED, last=11), "serial 11 is not in the ledger"),
        (
            [INTRODUCED, replace(INTRODUCED, first=15, last=20)],
            replace(RESERVED, last=20),
            "serial 11 is not in the ledger",
        ),
        ([INTRODUCED], replace(RESERVED, from_registry="THA01"), "held by GHA01"),
        ([INTRODUCED], replace(RESERVED, attributes=OTHER_ATTRIBUTES), "other attributes"),
        ([INTRODUCED], replace(RESERVED, to_registry=None), "without a holder"),
        ([INTRODUCED, RESERVED], RESERVED, "units free"),
        ([INTRODUCED], MOVED, "reserved by the reference"),
        ([INTRODUCED, RESERVED], replace(MOVED, reference="GHA01-2"), "reserved by the reference"),
        (
            [INTRODUCED, RESERVED],
            replace(RESERVED, kind=PostingKind.RELEASED),
            "reserved, not introduced",
        ),
        ([INTRODUCED, RESERVED, MOVED, USED], AT_CHE, "units free"),
        ([INTRODUCED, RESERVED, MOVED, USED], USED, "units free"),
        ([INTRODUCED, RESERVED, MOVED, HELD], AT_CHE, "units free"),
        ([INTRODUCED, RESERVED, MOVED, HELD], HELD, "not held"),
        (
            [INTRODUCED, RESERVED, MOVED],
            replace(HELD, kind=PostingKind.UNHELD),
            "held by the reference",
        ),
        ([INTRODUCED, FLAGGED], FLAGGED, "not first transferred"),
        ([INTRODUCED, FLAGGED, RESERVED], MOVED, "first transferred before"),
    ],
)
def test_a_posting_that_cannot_follow_is_refused(
    history: list[Posting], posting: Posting, reason: str
) -> None:
    """With the reason, and with the units left as they were."""
    replay = played(*history)
    before = list(replay)
    with pytest.raises(JournalError, match=reason):
        replay.apply(posting)
    assert list(replay) == before


CORRECTED = replace(
    AT_CHE, kind=PostingKind.CORRECTED, to_registry="THA01", reference="C:7", first=3, last=5
)


def test_a_correction_is_played_with_its_flag_kept() -> None:
    """The units change hands and nothing else."""
    spans = list(played(INTRODUCED, RESERVED, MOVED, CORRECTED))
    assert [(span.first, span.standing.registry) for span in spans] == [
        (1, "CHE01"),
        (3, "THA01"),
        (6, "CHE01"),
    ]
    assert {span.standing.first_transfer for span in spans} == {INTERNATIONAL}


@pytest.mark.parametrize(
    "before",
    [
        (INTRODUCED,),
        (INTRODUCED, RESERVED),
        (INTRODUCED, RESERVED, MOVED, HELD),
        (INTRODUCED, RESERVED, MOVED, USED),
        (INTRODUCED, RESERVED, MOVED, replace(AT_CHE, kind=PostingKind.RESERVED)),
    ],
    ids=["introduced", "proposed", "held", "used", "reserved"],
)
def test_a_correction_of_what_is_not_free_and_first_transferred_does_not_follow(
    before: tuple[Posting, ...],
) -> None:
    """The second opinion refuses what the window refuses."""
    holder = before[-1].to_registry
    replay = played(*before)
    with pytest.raises(JournalError, match="units free and first transferred"):
        replay.apply(replace(CORRECTED, from_registry=holder))


TOLD = replace(MOVED, was_status=BlockStatus.AUTHORIZED, was_first_transferred=False)


def test_what_an_effect_tells_of_before_is_how_the_units_stood() -> None:
    """The postings from before it was told go on being played."""
    for moved in (MOVED, TOLD):
        (span,) = played(INTRODUCED, RESERVED, moved)
        assert span.standing.registry == "CHE01"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"was_status": BlockStatus.ITMO}, "itmo, not first transferred"),
        ({"was_first_transferred": True}, "authorized, first transferred"),
        ({"was_status": None}, "None, not first transferred"),
        (
            {"underlying_first": "u1", "underlying_last": "u2"},
            "authorized, not first transferred, made from u1 to u2",
        ),
    ],
)
def test_an_effect_that_tells_it_wrongly_is_found(changes: dict[str, Any], told: str) -> None:
    """Kept digests are folded from what it tells, so a wrong word there would be believed."""
    replay = played(INTRODUCED, RESERVED)
    reason = f"says that units were {told}; they were authorized, not first transferred"
    with pytest.raises(JournalError, match=reason):
        replay.apply(replace(TOLD, **changes))
    assert len(list(replay)) == 1
