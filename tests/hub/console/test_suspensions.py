"""Suspensions from the pages: at every level, placed and lifted, looked at before they are done."""

import re
from html import unescape

import pytest

from hub.store import acts, reference
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.registry_world import MARKUP, open_swiss_account, trouble
from tests.hub.console.test_registries import hidden

UNITS = "CA0001-THA01-THA-60-2022..CA0001-THA01-THA-69-2022"


@pytest.mark.parametrize(
    ("level", "typed", "subject", "told"),
    [
        ("hub", {}, "*", "registries are told"),
        ("participant", {"subject": "CHE01"}, "CHE01", "with the reason: CHE01."),
        ("pair", {"first": "THA01", "second": "CHE01"}, "CHE01/THA01", "CHE01, THA01"),
        ("message_type", {"subject": "action.use"}, "action.use", "registries are told"),
        ("account", {"subject": "CH-2"}, "XIR01/CH-2", "with the reason: CHE01."),
        ("block", {"subject": UNITS}, UNITS, "with the reason: CHE01."),
    ],
)
async def test_something_of_each_level_is_suspended_and_lifted(
    console: ConsoleWorld, level: str, typed: dict[str, str], subject: str, told: str
) -> None:
    """The first form does nothing, the second does it; the list has it until it is lifted."""
    open_swiss_account(console.world, "CH-2")
    before = _newest(console)
    form = {"level": level, "reason": "a claim", **typed}
    page = await console.post("/suspensions/place", form, as_="operator")
    assert page.status == 200, page.text
    assert told in unescape(page.text)
    assert _newest(console) == before
    done = await console.post("/acts", hidden(page.text), as_="operator")
    assert (done.status, done.headers["Location"]) == (303, "/suspensions"), done.text
    text = (await console.get("/suspensions", as_="operator")).text
    assert "a claim" in text
    again = await console.post("/suspensions/place", form, as_="operator")
    assert again.status == 400
    assert re.search("is suspended already|are on hold already", again.text)
    (address,) = re.findall(r'href="(/suspensions/lift\?[^"]+)"', text)
    assert (await console.get(unescape(address), as_="operator")).status == 200
    lift = {"level": level, "subject": subject, "reason": "settled"}
    page = await console.post("/suspensions/lift", lift, as_="operator")
    assert page.status == 200, page.text
    assert (await console.post("/acts", hidden(page.text), as_="operator")).status == 303
    text = (await console.get("/suspensions", as_="operator")).text
    assert "/suspensions/lift?" not in text
    assert ("settled" in text) is (level != "block"), "of units the log tells, not the history"
    assert (await console.post("/suspensions/lift", lift, as_="operator")).status == 400


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({"level": "pair", "first": "CHE01", "second": "CHE01"}, "two different participants"),
        ({"level": "pair", "first": "CHE01"}, "second"),
        ({"level": "participant", "subject": "PER01"}, "is not a participant"),
        ({"level": "participant", "subject": MARKUP}, "At most 5 characters"),
        ({"level": "account", "subject": "NO-1"}, "there is no account"),
        ({"level": "message_type", "subject": "transfer.x"}, "no message type"),
        ({"level": "block", "subject": "1..2"}, "1..2"),
        ({"level": "hub", "reason": ""}, "error-reason"),
    ],
)
async def test_what_cannot_be_suspended_is_said_beside_what_was_typed(
    console: ConsoleWorld, form: dict[str, str], named: str
) -> None:
    """400, the level stays chosen, the reason stays typed, and nothing was changed."""
    before = _newest(console)
    typed = {"reason": f"because {MARKUP}", **form}
    page = await console.post("/suspensions/place", typed, as_="operator")
    assert page.status == 400
    assert named in unescape(page.text)
    assert f'name="level" value="{form["level"]}"' in page.text
    assert typed["reason"] in unescape(page.text)
    assert "<script>alert" not in page.text
    assert _newest(console) == before


async def test_a_level_that_is_none_is_refused(console: ConsoleWorld) -> None:
    """Of an address and of a form."""
    for path in ("/suspensions/place?level=planet", "/suspensions/lift?level=planet&subject=x"):
        assert (await console.get(path, as_="operator")).status == 400
    form = {"level": "planet", "subject": "x", "reason": "r"}
    for path in ("/suspensions/place", "/suspensions/lift"):
        assert (await console.post(path, form, as_="operator")).status == 400
        assert (await console.post(path, form, as_="officer")).status == 403


async def test_the_history_is_paged_and_a_wrong_place_is_refused(console: ConsoleWorld) -> None:
    """A place of the history is one that a page gave."""
    trouble(console.world)
    assert (await console.get("/suspensions?before=nowhere")).status == 400
    place = "2020-01-01T00:00:00+00:00~2020-01-01T00:00:00+00:00~hub~*"
    page = await console.get(f"/suspensions?before={place.replace('+', '%2B')}")
    assert page.status == 200
    assert "Nothing was lifted yet" in page.text


async def test_a_suspended_registry_is_among_what_is_stopped(console: ConsoleWorld) -> None:
    """A state stops as a suspension does; it is lifted by activating."""
    page = await console.post("/registries/GHA01/suspend", {"reason": "why"}, as_="operator")
    await console.post("/acts", hidden(page.text), as_="operator")
    with console.database.reading() as connection:
        states = {row.code: row.state for row in reference.participants(connection)}
    assert states["GHA01"] == "suspended"
    text = (await console.get("/suspensions", as_="operator")).text
    assert "/registries/GHA01/activate" in text
    assert "/activate" not in (await console.get("/suspensions", as_="viewer")).text


def _newest(console: ConsoleWorld) -> int:
    with console.database.reading() as connection:
        return acts.newest(connection, 1)[0].log_index
