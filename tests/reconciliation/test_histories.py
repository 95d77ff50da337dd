"""Random histories: no false finding, none missed, exact serials, views, kinds and causes."""

import pytest

from reconciliation.discrepancies import FindingKind
from tests.reconciliation.histories import play

STEP = 200
SLOW_COUNT = 20_000


@pytest.mark.parametrize("start", range(0, 2_000, STEP))
def test_findings_of_random_histories_are_exactly_what_differs(start: int) -> None:
    """Splits, merges, live traffic and faults of every kind: the oracle counts the same."""
    for seed in range(start, start + STEP):
        play(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_findings_of_many_more_histories_are_exactly_what_differs() -> None:
    """The same over ten times as many, which no other run has seen."""
    for seed in range(10_000_000, 10_000_000 + SLOW_COUNT):
        play(seed)


def test_random_histories_hold_every_kind_of_finding_and_every_way_to_it() -> None:
    """What the histories never showed, they could not prove."""
    verdicts = [play(seed) for seed in range(400)]
    kinds = {kind for verdict in verdicts for kind in verdict.kinds}
    assert kinds == set(FindingKind)
    assert {v.outcome.basis.value for v in verdicts} == {"digests", "explanation", "blocks"}
    assert any(verdict.outcome.awaited for verdict in verdicts)
    assert any(verdict.outcome.question_count > 6 for verdict in verdicts)


def test_histories_without_faults_agree_after_one_question() -> None:
    """Equal books cost one question however their blocks are cut and whatever goes on."""
    quiet = [v for v in (play(seed) for seed in range(300)) if not v.history.faults]
    assert len(quiet) > 50
    for verdict in quiet:
        assert verdict.outcome.agreed
        assert verdict.outcome.question_count == 1
        assert verdict.outcome.findings == ()
