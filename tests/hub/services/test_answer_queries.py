"""Questions: a Party sees what is its own and nothing else, page by page."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.accounts import open_account
from hub.services.administration.suspensions import place_suspension
from hub.services.answer_queries import Questions
from hub.services.news import News
from hub.store import head as heads
from message_schemas import timestamps
from tests.hub.world import HUB, World, accepted, act, codes_of
from tests.integration.peers import Body, Said, approach, block, now, payload_of, proposal


def questions(world: World, news: News | None = None) -> Questions:
    """Return the use case on a world."""
    return Questions(
        world.database,
        world.receiver,
        world.maker,
        identity=world.identity,
        limits=world.limits,
        clock=now,
        run_blocking=asyncio.to_thread,
        wait_for_news=(news or News()).wait,
    )


async def ask(world: World, sender: str, *said: Said, **changes: Any) -> Any:
    """Ask, and return the payload of the signed answer."""
    raw = world.envelope(sender, HUB, *said, **changes)
    (opened,) = world.receiver.open_batch([raw], world.receiver.data.trust, now())
    assert isinstance(opened, OpenEnvelope)
    answer = payload_of(await questions(world).answer(opened), "itmo-receipt+jws")
    assert answer["log_index"] is None
    return answer


async def result(world: World, sender: str, type_: str, **body: Any) -> Any:
    """Return the result of one question that must be answered."""
    return accepted(await ask(world, sender, (type_, body)))["outcomes"][0]["result"]


async def code(world: World, sender: str, type_: str, **body: Any) -> int:
    """Return the code with which one question is answered."""
    return codes_of(await ask(world, sender, (type_, body)))[0]


def wire_range(first: int, last: int) -> Body:
    """Return serials of Thailand's series."""
    whole = block(first, last)
    return {"first_id": whole["first_id"], "last_id": whole["last_id"]}


def held(answer: Any) -> list[tuple[str, int, int]]:
    """Return (registry, first, last) of each row of a holdings list."""
    return [(row["registry"], row["first_serial"], row["last_serial"]) for row in answer["items"]]


async def test_a_registry_sees_its_own_holdings_only(either_world: World) -> None:
    """Each end sees what it holds; a third sees nothing, also when it asks for the others."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    either_world.propose("THA01-2", 10, 19)
    assert held(await result(either_world, "CHE01", "holdings.query", items_max=10)) == [
        ("CHE01", 1, 9)
    ]
    own = await result(either_world, "THA01", "holdings.query", items_max=10)
    assert held(own) == [("THA01", 10, 19)]
    assert own["items"][0]["reserved_by"] == "THA01-2"
    assert "cursor" not in own
    for registry in ("CHE01", "THA01", "XIR01"):
        told = await result(
            either_world, "GHA01", "holdings.query", items_max=10, registry=registry
        )
        assert told["items"] == []


async def test_a_registry_sees_its_partys_accounts_in_the_international_registry(
    either_world: World,
) -> None:
    """Pull and view: Switzerland's account is shown to Switzerland, and not to Thailand."""
    account = Account("CHE-100-1", "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)
    either_world.administration.do(open_account(account), act())
    either_world.begin()
    said = proposal("THA01-1", block(1, 9), acquiring_account="CHE-100-1")
    accepted(either_world.say("THA01", "XIR01", said))
    seen = await result(either_world, "CHE01", "holdings.query", items_max=10, registry="XIR01")
    assert held(seen) == [("XIR01", 1, 9)]
    for stranger in ("THA01", "GHA01"):
        told = await result(either_world, stranger, "holdings.query", items_max=10)
        assert told["items"] == []


async def test_holdings_come_in_pages_that_miss_and_repeat_nothing(either_world: World) -> None:
    """Page by page with the cursor given out, the whole list; filters narrow it."""
    either_world.begin()
    for number in range(5):
        either_world.propose(f"THA01-{number}", 10 * number + 1, 10 * number + 5)
    rows: list[tuple[str, int, int]] = []
    cursor = None
    for _ in range(10):
        more: Body = {} if cursor is None else {"cursor": cursor}
        page = await result(either_world, "THA01", "holdings.query", items_max=2, **more)
        assert len(page["items"]) <= 2
        rows += held(page)
        if (cursor := page.get("cursor")) is None:
            break
    assert rows == [("THA01", 10 * n + 1, 10 * n + 5) for n in range(5)]
    for narrow, count in (
        ({"vintage": 2021}, 0),
        ({"vintage": 2022, "status": "authorized", "cooperative_approach": "CA0001"}, 5),
    ):
        page = await result(either_world, "THA01", "holdings.query", items_max=9, **narrow)
        assert len(page["items"]) == count


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "-1",
        "1-",
        "1-2-3",
        f"{2**63}-0-0123456789abcdef",
        "1 OR 1=1",
        "٣",
        "9" * 19,
        "0x10",
        "1e3",
        "' --",
        " 1",
    ],
)
async def test_a_cursor_nobody_gave_out_is_refused(world: World, cursor: str) -> None:
    """In either query; never an error of ours, never rows by another order."""
    asked: dict[str, Body] = {
        "holdings.query": {"items_max": 5, "cursor": cursor},
        "history.query": {"items_max": 5, "cursor": cursor, "range": wire_range(1, 9)},
    }
    for type_, body in asked.items():
        found = await code(world, "THA01", type_, **body)
        assert found in {ResponseCode.CURSOR_INVALID, ResponseCode.SCHEMA_VIOLATED}


async def test_a_cursor_is_of_one_asker_and_one_question(world: World) -> None:
    """Another filter, another question or another asker: refused, never a wrong page."""
    world.begin()
    for number in range(3):
        world.propose(f"THA01-{number}", 10 * number + 1, 10 * number + 5)
    page = await result(world, "THA01", "holdings.query", items_max=1, vintage=2022)
    good = {"items_max": 9, "vintage": 2022, "cursor": page["cursor"]}
    assert len((await result(world, "THA01", "holdings.query", **good))["items"]) == 2
    history = {"items_max": 5, "range": wire_range(1, 9), "cursor": page["cursor"]}
    for asker, type_, body in (
        ("CHE01", "holdings.query", good),
        ("THA01", "holdings.query", good | {"vintage": 2021}),
        ("THA01", "history.query", history),
    ):
        assert await code(world, asker, type_, **body) == ResponseCode.CURSOR_INVALID


async def test_the_history_of_a_transfer_is_for_its_two_ends(either_world: World) -> None:
    """Initiator and acquirer see its postings; a third is refused, an unknown id too."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    for end in ("THA01", "CHE01"):
        told = await result(either_world, end, "history.query", transfer_id="THA01-1", items_max=10)
        assert [row["kind"] for row in told["items"]] == ["introduced", "reserved", "moved"]
        assert {row["reference"] for row in told["items"]} == {"THA01-1"}
    for type_, more in (("history.query", {"items_max": 9}), ("transfer.status", {})):
        stranger = await code(either_world, "GHA01", type_, transfer_id="THA01-1", **more)
        assert stranger == ResponseCode.NOT_PARTY_TO_TRANSFER
        unknown = await code(either_world, "GHA01", type_, transfer_id="THA01-9", **more)
        assert unknown in {ResponseCode.TRANSFER_UNKNOWN, ResponseCode.OK}


async def test_the_history_of_an_action_is_not_shown_to_a_stranger(world: World) -> None:
    """An action's id in the place of a transfer's does not open its postings to anybody."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    use = {
        "action_id": "CHE01-7",
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "CHE",
        "calendar_year": 2025,
        "quantity": 4,
        "blocks": [wire_range(1, 4)],
    }
    said: Said = ("action.use", use | {"blocks": [block(1, 4)]})
    accepted(world.say("CHE01", HUB, said))
    answer = await ask(
        world, "GHA01", ("history.query", {"transfer_id": "CHE01-7", "items_max": 9})
    )
    (outcome,) = answer["outcomes"]
    assert (outcome.get("result") or {}).get("items", []) == []


async def test_the_history_of_serials_follows_units_that_were_ever_ours(
    either_world: World,
) -> None:
    """The first transferring Party and every holder see it; a third Party sees nothing."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    asked = {"range": wire_range(5, 20), "items_max": 10}
    assert len((await result(either_world, "THA01", "history.query", **asked))["items"]) == 3
    swiss = (await result(either_world, "CHE01", "history.query", **asked))["items"]
    assert [row["kind"] for row in swiss] == ["moved"]
    assert (await result(either_world, "GHA01", "history.query", **asked))["items"] == []


async def test_history_comes_in_pages_in_the_order_it_was_written(world: World) -> None:
    """One posting a page, with the cursor given out, is the whole journal in order."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    kinds: list[str] = []
    more: Body = {}
    for _ in range(10):
        page = await result(
            world, "THA01", "history.query", range=wire_range(1, 9), items_max=1, **more
        )
        kinds += [row["kind"] for row in page["items"]]
        if "cursor" not in page:
            break
        more = {"cursor": page["cursor"]}
    assert kinds == ["introduced", "reserved", "moved"]


async def test_the_status_of_a_transfer_is_answered_anew_each_time(world: World) -> None:
    """The same envelope asked twice shows what became of it meanwhile; nothing is recorded."""
    world.begin()
    world.propose("THA01-1", 1, 9)
    with world.database.reading() as connection:
        before = heads.read(connection)
    for sender in ("THA01", "CHE01"):
        told = await result(world, sender, "transfer.status", transfer_id="THA01-1")
        assert (told["state"], told["quantity"]) == ("proposed", 9)
    with world.database.reading() as connection:
        assert heads.read(connection) == before


async def test_a_question_out_of_its_time_is_refused(world: World) -> None:
    """A recorded question cannot be asked again by somebody who kept its bytes."""
    for seconds, refusal in (
        (-301, ResponseCode.SENT_AT_TOO_OLD),
        (320, ResponseCode.SENT_AT_IN_FUTURE),
    ):
        sent_at = timestamps.render(now() + timedelta(seconds=seconds))
        answer = await ask(world, "THA01", ("holdings.query", {"items_max": 1}), sent_at=sent_at)
        assert codes_of(answer) == [refusal]


async def test_a_suspended_registry_can_still_look_and_catch_up(world: World) -> None:
    """A suspension stops what has effect; what only asks is answered, so that it can mend."""
    world.administration.do(place_suspension("participant", "THA01"), act())
    for type_, body in (
        ("holdings.query", {"items_max": 1}),
        ("mailbox.fetch", {"after_sequence": 0, "wait_seconds": 0}),
    ):
        assert await code(world, "THA01", type_, **body) == ResponseCode.OK


async def test_one_faulty_question_does_not_spoil_the_others(world: World) -> None:
    """Each message of a read-only envelope has its own answer."""
    answer = await ask(
        world,
        "THA01",
        ("holdings.query", {"items_max": 0}),
        ("holdings.query", {"items_max": 1}),
    )
    assert codes_of(answer) == [ResponseCode.SCHEMA_VIOLATED, 0]


async def test_a_fetch_gives_the_next_delivery_and_says_how_much_waits(world: World) -> None:
    """Empty at first; then the delivery, the same one until it is acknowledged."""
    empty = await result(world, "CHE01", "mailbox.fetch", after_sequence=0, wait_seconds=0)
    assert empty == {"delivery": None, "waiting": 0}
    world.say("THA01", HUB, approach())
    first = await result(world, "CHE01", "mailbox.fetch", after_sequence=0, wait_seconds=0)
    again = await result(world, "CHE01", "mailbox.fetch", after_sequence=0, wait_seconds=0)
    assert first == again
    assert first["waiting"] == 0
    payload = payload_of(first["delivery"].encode(), "itmo-delivery+jws")
    assert payload["recipient"] == "CHE01"


async def test_a_long_fetch_ends_with_the_first_item(world: World) -> None:
    """Who waits is answered when something comes, long before the time is over."""
    waiting = asyncio.create_task(
        result(world, "CHE01", "mailbox.fetch", after_sequence=0, wait_seconds=30)
    )
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await asyncio.to_thread(world.say, "THA01", HUB, approach())
    told = await asyncio.wait_for(waiting, 5)
    assert told["delivery"] is not None
