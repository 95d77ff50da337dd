"""Pushing over real HTTP with real keys and files: each line once, whatever happens between."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from connectors.mechanism_registry.feeds.example import example_rows, write_feed
from connectors.mechanism_registry.feeds.files import FeedChangedError
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.reports.report import Report
from connectors.mechanism_registry.runs.push import PushStoppedError
from connectors.mechanism_registry.runs.run import Order, StrictError, push
from connectors.mechanism_registry.settings import load_settings
from connectors.mechanism_registry.store import count_waiting, list_feeds
from connectors.session.session import open_database
from hub.protocol.signed_objects import Binding, binding_of
from keys.errors import SignerError
from message_schemas.messages.participants import ParticipantHello
from tests.connectors.mechanism_registry.hub import (
    MECHANISM,
    MechanismHub,
    signers,
    write_settings,
)
from tests.connectors.mechanism_registry.rows import (
    block,
    change,
    half_authorized,
    whole_issuance,
    write_lines,
)
from tests.connectors.worlds import XML_LABEL


@pytest.fixture
async def hub() -> AsyncIterator[MechanismHub]:
    """Return a running hub."""
    async with MechanismHub() as running:
        yield running


def make_order(hub: MechanismHub, feed: Path, *, strict: bool = False, **changes: Any) -> Order:
    """Return the order to push a feed to a hub."""
    return Order(
        path=feed,
        settings=load_settings(write_settings(hub, feed.parent, **changes)),
        console=Console(file=io.StringIO()),
        refusals_path=feed.with_name(f"{feed.name}.refusals.jsonl"),
        strict=strict,
    )


async def push_feed(hub: MechanismHub, feed: Path, **changes: Any) -> Report:
    """Push a feed and return the report."""
    return await push(make_order(hub, feed, **changes), signers())


def refusals(feed: Path) -> list[dict[str, Any]]:
    """Return the lines of a feed's refusal file."""
    path = feed.with_name(f"{feed.name}.refusals.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_a_good_feed_is_accepted_whole(hub: MechanismHub, tmp_path: Path) -> None:
    """Every line arrives once, the shares before the forwarding, and the sums are the feed's."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    report = await push_feed(hub, feed)
    assert (report.accepted, report.duplicates, report.waiting) == (4, 0, 0)
    assert report.complete
    assert report.quantity_by_kind == {"forwarding": 930, "omge": 20, "sop_adaptation": 50}
    assert report.quantity_by_vintage == {"2022": 1000}
    assert hub.kinds_of("XMR01-1") == ["issuance", "sop_adaptation", "omge", "forwarding"]
    assert refusals(feed) == []


async def test_a_feed_travels_in_xml(tmp_path: Path) -> None:
    """With one ES256 key and the binding set; another key is refused before anything is sent."""
    async with MechanismHub(xml=(MECHANISM,)) as hub:
        feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
        order = make_order(hub, feed, binding="xml")
        with pytest.raises(SignerError, match="one ES256 key"):
            await push(order, signers())
        assert not hub.posts
        report = await push(order, signers(XML_LABEL))
        assert (report.accepted, report.complete) == (4, True)
        assert {binding_of(raw) for raw in hub.posts} == {Binding.XML}


async def test_a_second_run_sends_nothing(hub: MechanismHub, tmp_path: Path) -> None:
    """The same feed again ends with the same report and without an envelope."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    first = await push_feed(hub, feed)
    post_count = len(hub.posts)
    assert await push_feed(hub, feed) == first
    assert len(hub.posts) == post_count


async def test_a_run_that_takes_deliveries_says_hello_first_and_once(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """The hub learns that deliveries are fetched, and by what; a run without them is silent."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed, database="silent.sqlite")
    assert hellos(hub) == []
    hub.seen.clear()
    for _ in range(2):
        report = await push_feed(hub, feed, delivery_mode="pull")
        assert report.complete
    (hello,) = hellos(hub)
    assert hello.delivery_mode == "pull"
    assert hello.software.startswith("itmo-hub connector")
    said = [opened.message.type for one in hub.seen for opened in one.messages]
    assert next(type_ for type_ in said if type_ != "mailbox.fetch") == "participant.hello"


def hellos(hub: MechanismHub) -> list[ParticipantHello]:
    """Return every hello the hub was told."""
    bodies = [opened.body for one in hub.seen for opened in one.messages]
    return [body for body in bodies if isinstance(body, ParticipantHello)]


async def test_contribution_units_of_one_feed_do_not_leave_by_another(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """A page is a feed too. Once authorized later they leave; a second time is refused."""
    later = change(1, first_serial=536, last_serial=545, quantity=10)
    begun = half_authorized()[:-1]  # nothing is forwarded yet
    assert (await push_feed(hub, write_lines(tmp_path / "1.jsonl", begun))).complete
    wrong = write_lines(tmp_path / "2.jsonl", [block(540, 541, first_transfer_id="XMR01-901")])
    await push_feed(hub, wrong)
    assert [one["name"] for one in refusals(wrong)] == ["A64_UNIT_NOT_AUTHORIZED"]
    right = [later, block(540, 541, first_transfer_id="XMR01-902")]
    assert (await push_feed(hub, write_lines(tmp_path / "3.jsonl", right))).complete
    again = later | {"change_id": "XMR01-2"}
    twice = write_lines(tmp_path / "4.jsonl", [again])
    await push_feed(hub, twice)
    assert [one["name"] for one in refusals(twice)] == ["BLOCKS_OVERLAP_IN_MESSAGE"]


async def test_a_lost_database_gets_duplicates_from_the_hub(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """Natural ids come from the feed: the hub knows them again, and nothing is lost."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed)
    report = await push_feed(hub, feed, database="another.sqlite")
    assert (report.accepted, report.duplicates) == (0, 4)
    assert report.complete


async def test_refusals_name_line_block_rule_and_remedy(hub: MechanismHub, tmp_path: Path) -> None:
    """Those found here and those of the hub stand in one file, in the order of the lines."""
    lines = whole_issuance()
    lines[3] = block(71, 500, acquiring_account="CLOSED-1")
    lines += [block(501, 600, quantity=7), block(601, 1000)]
    feed = write_lines(tmp_path / "feed.jsonl", lines)
    hub.refused_accounts = {"CLOSED-1"}
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here, report.refused_by_hub) == (4, 1, 1)
    assert report.refused_by_rule == {"3010 QUANTITY_NOT_RANGE": 1, "5102 ACCOUNT_NOT_OPEN": 1}
    assert not report.complete
    by_hub, here = refusals(feed)
    assert (by_hub["line"], by_hub["source"], by_hub["rule"]) == (4, "hub", 5102)
    assert by_hub["block"]["first_id"] == "CA0001-XMR01-THA-71-2022"
    assert by_hub["text"] == "The account is closed."
    assert (here["line"], here["source"], here["field"]) == (5, "feed", "quantity")
    assert here["remedy"]
    assert here["paragraph"]


async def test_a_corrected_feed_sends_only_what_was_not_accepted(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """Good lines are known again, refused ones go again under the same id."""
    lines = [*whole_issuance()[:3], block(71, 500), block(501, 1000, quantity=7)]
    lines[3]["acquiring_account"] = "CLOSED-1"
    hub.refused_accounts = {"CLOSED-1"}
    await push_feed(hub, write_lines(tmp_path / "first.jsonl", lines))
    lines[3]["acquiring_account"] = "OPEN-1"
    lines[4]["quantity"] = 500
    report = await push_feed(hub, write_lines(tmp_path / "second.jsonl", lines))
    assert (report.accepted, report.duplicates, report.complete) == (2, 3, True)
    assert set(hub.taken.values()) == {1}


async def test_a_strict_run_sends_nothing_if_a_line_is_refused(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """All or nothing, decided before the first envelope."""
    feed = write_lines(tmp_path / "feed.jsonl", [*whole_issuance(), block(1, 5)])
    with pytest.raises(StrictError, match="1 lines refused"):
        await push_feed(hub, feed, strict=True)
    assert hub.posts == []
    assert len(refusals(feed)) == 1


async def test_another_file_of_the_same_name_is_refused(hub: MechanismHub, tmp_path: Path) -> None:
    """A changed beginning is noticed before anything is sent; the advice is in the error."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed)
    feed.write_text(feed.read_text().replace("CHE-HOLDING-1", "CHE-HOLDING-2"))
    with pytest.raises(FeedChangedError, match="give a corrected feed another name"):
        await push_feed(hub, feed)
    feed.write_text("")
    with pytest.raises(FeedChangedError, match="shorter"):
        await push_feed(hub, feed)


async def test_a_feed_may_grow(hub: MechanismHub, tmp_path: Path) -> None:
    """Lines added behind what was pushed are pushed by the next run, also after a cut-off line."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance()[:3])
    rest = json.dumps(whole_issuance()[3])
    with feed.open("a") as file:
        file.write(rest[:40])
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here) == (3, 1)
    with feed.open("a") as file:
        file.write(rest[40:])
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here) == (4, 0)
    with feed.open("a") as file:
        file.write("\n\n" + json.dumps(block(71, 80)) + "\n")
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here) == (4, 1)
    assert [refusal["line"] for refusal in refusals(feed)] == [6]
    assert set(hub.taken.values()) == {1}


@pytest.mark.parametrize("fault", ["500", "503", "html-200", "drop", "receipt-wrong-digest"])
async def test_a_fault_on_the_way_repeats_nothing(
    hub: MechanismHub, tmp_path: Path, fault: str
) -> None:
    """The same bytes go again until there is a receipt; the hub takes each line once."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    hub.faults.extend([fault, "", fault])
    report = await push_feed(hub, feed, messages_per_envelope_max=2)
    assert (report.accepted, report.duplicates) == (4, 0)
    assert set(hub.taken.values()) == {1}
    assert len(set(hub.posts)) == 2


async def test_a_final_answer_stops_the_run(hub: MechanismHub, tmp_path: Path) -> None:
    """An envelope that never passes is parked; what follows waits behind it."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    hub.faults.append("problem-401")
    with pytest.raises(PushStoppedError, match="1004 SIGNATURE_INVALID"):
        await push_feed(hub, feed)
    assert hub.taken == {}


async def test_reading_pauses_while_enough_waits(hub: MechanismHub, tmp_path: Path) -> None:
    """A hub that is away does not make the outbox hold the whole feed."""
    feed = tmp_path / "feed.csv"
    with feed.open("w", encoding="utf-8") as file:
        write_feed(example_rows(2_000, 5), FeedFormat.CSV, file)
    hub.faults.extend(["500"] * 10_000)
    order = make_order(hub, feed, messages_waiting_max=600)
    task = asyncio.create_task(push(order, signers()))
    await hub.posted_at_least(1)
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # One step of 500 lines stays below the limit, the second goes above it; there is no third.
    with closing(open_database(order.settings.database)) as database:
        (feed_state,) = database.read_now(list_feeds, 10)
        assert database.read_now(count_waiting, feed_state.feed_id) == 1_000
    hub.faults.clear()
    report = await push(order, signers())
    assert report.complete
    assert report.accepted == len(hub.taken)
    assert set(hub.taken.values()) == {1}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_stopped_at_any_envelope_and_started_again_nothing_is_lost_or_repeated(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """However often a run ends before its time, the feed arrives whole, once, and in order."""
    folder = tmp_path_factory.mktemp("feed")
    feed = folder / "feed.jsonl"
    count = data.draw(st.integers(1, 60), label="blocks")
    with feed.open("w", encoding="utf-8") as file:
        lines = write_feed(
            example_rows(count, data.draw(st.integers(1, 9))), FeedFormat.JSON_LINES, file
        )
    async with MechanismHub() as hub:
        order = make_order(
            hub, feed, messages_per_envelope_max=data.draw(st.integers(1, 20), label="envelope")
        )
        for _ in range(data.draw(st.integers(0, 3), label="stops")):
            posts = hub.arrived_count + data.draw(st.integers(0, 4), label="posts before the stop")
            hub.faults.extend(data.draw(st.lists(st.sampled_from(["", "drop", "500"]), max_size=4)))
            await _stop_after(order, hub, posts)
        hub.faults.clear()
        report = await push(order, signers())
        assert report.complete
        assert sum(hub.taken.values()) == len(hub.taken) == lines
        for issuance in {name for name, _ in hub.order}:
            kinds = hub.kinds_of(issuance)
            assert kinds == [
                kind
                for kind in ("issuance", "sop_adaptation", "omge", "forwarding")
                if kind in kinds
            ]


async def _stop_after(order: Order, hub: MechanismHub, posts: int) -> None:
    """Start a run and cancel it as soon as the hub saw so many posts (or it is done)."""
    task = asyncio.create_task(push(order, signers()))
    reached = asyncio.create_task(hub.posted_at_least(posts))
    await asyncio.wait([task, reached], return_when=asyncio.FIRST_COMPLETED)
    for one in (task, reached):
        one.cancel()
    await asyncio.gather(task, reached, return_exceptions=True)
