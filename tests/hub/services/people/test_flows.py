"""Steps: used once, over in time, and never so many that they fill the disk."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.services.people import flows
from hub.services.people.flows import LASTS, FlowOverError, Flows, Kind, TooManyFlowsError
from tests.hub.services.people.people_world import PeopleWorld


def test_of_two_who_take_a_step_at_once_one_has_it(people: PeopleWorld) -> None:
    """Neither two sessions of one code, nor two people of one way back."""
    steps = Flows(people.database)
    token = steps.begin(Kind.PROVIDER, None, {"a": 1}, people.now)

    def take(_: int) -> bool:
        try:
            return steps.take(token, Kind.PROVIDER, people.now).data == {"a": 1}
        except FlowOverError:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(8))) == 1


@pytest.mark.parametrize("kind", Kind)
def test_a_step_is_of_its_kind_and_over_in_time(people: PeopleWorld, kind: Kind) -> None:
    """A challenge of one page is none of another."""
    steps = Flows(people.database)
    token = steps.begin(kind, None, {}, people.now)
    for other in set(Kind) - {kind}:
        with pytest.raises(FlowOverError):
            steps.take(token, other, people.now)
    assert steps.find(token, kind, people.now).kind is kind
    with pytest.raises(FlowOverError):
        steps.take(token, kind, people.now + LASTS[kind])


def test_steps_do_not_fill_the_disk(people: PeopleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once; those that are over make room."""
    monkeypatch.setattr(flows, "FLOWS_MAX", 3)
    steps = Flows(people.database)
    for _ in range(3):
        steps.begin(Kind.PASSKEY, None, {}, people.now)
    with pytest.raises(TooManyFlowsError):
        steps.begin(Kind.PASSKEY, None, {}, people.now)
    steps.begin(Kind.PASSKEY, None, {}, people.now + LASTS[Kind.PASSKEY])


def test_one_person_takes_no_place_from_the_others(
    people: PeopleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins again and again ends their own oldest step; other kinds and people stay."""
    monkeypatch.setattr(flows, "FLOWS_OF_PERSON_MAX", 2)
    monkeypatch.setattr(flows, "FLOWS_MAX", 5)
    steps = Flows(people.database)
    ana, ben = people.add("ana"), people.add("ben")
    kept = [
        (steps.begin(Kind.FACTOR, ana, {}, people.now), Kind.FACTOR),
        (steps.begin(Kind.CODES, ben, {}, people.now), Kind.CODES),
    ]
    begun = []
    for _ in range(10):
        people.pass_time(seconds=1)
        begun.append(steps.begin(Kind.CODES, ana, {}, people.now))
    for token, kind in (*kept, *((token, Kind.CODES) for token in begun[-2:])):
        assert steps.find(token, kind, people.now).kind is kind
    for token in begun[:-2]:
        with pytest.raises(FlowOverError):
            steps.find(token, Kind.CODES, people.now)
