"""The hub asks a running registry about its book: answers, refusals and results, in both bindings.

The hub's part is taken here by the comparison itself, over the ledger that the trade makes.
"""

from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.party_registry.connector import Connector
from connectors.party_registry.simulator import SimulatedConnector
from connectors.party_registry.simulator_faults import ANSWER_FAULTS, Fault, FaultPlan
from hub.protocol.envelopes import OpenEnvelope
from keys.errors import KeyFileError
from message_schemas.json_codec import compose_notice
from message_schemas.messages import reconciliation as messages
from reconciliation.digests import EdgeHasher, total_of
from reconciliation.link_keys import key_of_year
from reconciliation.owned import OWNED, Block, Series
from tests.connectors.fake_hub import HUB
from tests.connectors.party_registry.conftest import Registry, Trade, bindings, make_config
from tests.connectors.party_registry.test_trade import is_state, propose
from tests.connectors.session.conftest import until

SECRET = bytes(range(32))
SERIES = Series("CA0001", "THA01", "THA", 2022)
LATER = "2026-11-23T02:00:00.000Z"
OWNED_HELD = (
    *("held", "yes", "GHG", "Emission reductions", "TH-2022-001", "1", "Transportation"),
    *(None, None, "AR5", None, None, None),
)
in_both = bindings("json", "xml")


def link_secret(folder: Path, code: str = "CHE01") -> Path:
    """Write the secret of a link as the hub's operator hands it over."""
    path = folder / f"{code}.link"
    path.write_text(f"itmo-hub-link-secret/1 {code} {SECRET.hex()}\n")
    path.chmod(0o600)
    return path


def ask(trade: Trade, type_: str, body: object) -> None:
    """Put a question into the mailbox of CHE01."""
    trade.hub.post_item("CHE01", notices=(compose_notice(type_, body),))


def cut(trade: Trade, number: int = 1, **changes: Any) -> messages.ReconciliationCut:
    """Return the question that begins a session now."""
    index = max(1, trade.hub.log_index)
    fields: dict[str, Any] = {
        "session": f"CHE01-{index}",
        "number": number,
        "log_index": index,
        "key_id": f"CHE01-{trade.hub.clock().year}",
        "owned": OWNED,
        "answer_by": LATER,
    }
    return messages.ReconciliationCut(**{**fields, **changes})


def said(trade: Trade) -> list[tuple[str, Any]]:
    """Return type and body of what CHE01 said to the hub about its book."""
    return [
        (opened.message.type, opened.body)
        for envelope in trade.hub.seen
        if _is_to_hub(envelope)
        for opened in envelope.messages
        if opened.message.type.startswith("reconciliation.")
    ]


def _is_to_hub(envelope: OpenEnvelope) -> bool:
    return (envelope.envelope.sender, envelope.envelope.recipient) == ("CHE01", HUB)


async def answer(trade: Trade, type_: str, body: object) -> tuple[str, Any]:
    """Ask CHE01 something and return its answer."""
    before = len(said(trade))
    ask(trade, type_, body)
    await until(lambda: len(said(trade)) > before)
    return said(trade)[-1]


async def traded(trade: Trade, **changes: Any) -> Registry:
    """Let CHE01 acquire 100 units of THA01; return CHE01."""
    seller = await trade.seller()
    buyer = await trade.buyer(auto_accept=True, **changes)
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "completed"))
    return buyer


def root_of(trade: Trade, *blocks: Block) -> str:
    """Return the digest that these blocks have under this year's key."""
    hasher = EdgeHasher(key_of_year(SECRET, "CHE01", trade.hub.clock().year).secret)
    return f"{total_of(hasher.chunks_of(blocks, 63)):032x}"


@in_both
async def test_a_cut_is_answered_with_the_digest_of_what_the_hub_told_of(trade: Trade) -> None:
    """As of the item of the question; the digest is that of the ledger's blocks, however cut."""
    await traded(trade, reconciliation_secret=link_secret(trade.folder))
    type_, body = await answer(trade, "reconciliation.cut", question := cut(trade))
    assert (type_, body.session, body.number) == ("reconciliation.cut_ack", question.session, 1)
    assert body.applied_to == question.log_index
    halves = [Block(SERIES, 1, 40, OWNED_HELD), Block(SERIES, 41, 100, OWNED_HELD)]
    assert body.digest == root_of(trade, *halves)


@in_both
async def test_the_questions_behind_a_cut_are_answered_from_the_same_book(trade: Trade) -> None:
    """Digests of chunks, then blocks with their values, then totals."""
    await traded(trade, reconciliation_secret=link_secret(trade.folder))
    question = cut(trade)
    await answer(trade, "reconciliation.cut", question)
    names = SERIES._asdict()
    asked = messages.ReconciliationDigestsAsked(session=question.session, number=2, shift=63)
    _, digests = await answer(trade, "reconciliation.digests_asked", asked)
    (row,) = digests.chunks
    assert row.digests == (f"0:{root_of(trade, Block(SERIES, 1, 100, OWNED_HELD))}",)
    windows = (messages.SeriesWindows(**names, windows=("50-60",)),)
    wanted = messages.ReconciliationBlocksAsked(session=question.session, number=3, windows=windows)
    _, blocks = await answer(trade, "reconciliation.blocks_asked", wanted)
    assert blocks.blocks == (messages.SeriesBlocks(**names, blocks=("50-60:0",)),)
    values: dict[str, Any] = {
        name: value for name, value in zip(OWNED, OWNED_HELD, strict=True) if value
    }
    assert blocks.owned == (messages.OwnedValues(**values),)
    totals = messages.ReconciliationTotalsAsked(
        session=question.session,
        number=4,
        log_index=question.log_index,
        owned=OWNED,
        answer_by=LATER,
    )
    _, told = await answer(trade, "reconciliation.totals_asked", totals)
    assert told.units[0].totals[0].quantity == 100


@in_both
async def test_without_the_secret_of_the_link_a_cut_is_refused_and_blocks_are_told(
    trade: Trade,
) -> None:
    """The reason names the key; totals and blocks need none."""
    await traded(trade)
    type_, body = await answer(trade, "reconciliation.cut", cut(trade))
    assert (type_, body.code) == ("reconciliation.refused", "key_unknown")
    totals = messages.ReconciliationTotalsAsked(
        session="CHE01-9", number=1, log_index=9, owned=OWNED, answer_by=LATER
    )
    type_, body = await answer(trade, "reconciliation.totals_asked", totals)
    assert (type_, body.units[0].totals[0].quantity) == ("reconciliation.totals", 100)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key_id": "CHE01-1999"}, "key_unknown"),
        ({"key_id": "THA01-2026"}, "key_unknown"),
        ({"owned": OWNED[:-1]}, "other_attributes"),
    ],
    ids=["another year", "another registry", "another list"],
)
async def test_what_cannot_be_compared_is_refused_with_the_reason(
    trade: Trade, changes: dict[str, Any], code: str
) -> None:
    """Sums under another key, or of other things, are never told; the exchange goes on."""
    await trade.buyer(reconciliation_secret=link_secret(trade.folder))
    type_, body = await answer(trade, "reconciliation.cut", cut(trade, **changes))
    assert (type_, body.code) == ("reconciliation.refused", code)
    type_, _ = await answer(trade, "reconciliation.cut", cut(trade, number=2))
    assert type_ == "reconciliation.cut_ack"


async def test_a_connector_without_a_book_says_so_or_leaves_it_to_the_registry(
    trade: Trade,
) -> None:
    """By default refused; with `reconciliation_by_api` the registry itself submits the answer."""
    await trade.start("CHE01", book=False)
    type_, body = await answer(trade, "reconciliation.cut", cut(trade))
    assert (type_, body.code) == ("reconciliation.refused", "not_implemented")


async def test_the_registry_behind_the_api_may_answer_for_itself(trade: Trade) -> None:
    """It reads the question from the inbox and submits its own answer."""
    outer = await trade.start("CHE01", book=False, reconciliation_by_api=True)
    question = cut(trade)
    ask(trade, "reconciliation.cut", question)

    async def asked() -> bool:
        return bool((await outer.call("GET", "/v1/inbox"))["items"])

    await until(asked)
    assert said(trade) == []
    body = {"session": question.session, "number": 1, "applied_to": 7, "digest": "0" * 32}
    message = {"recipient": HUB, "type": "reconciliation.cut_ack", "body": body}
    await outer.call("POST", "/v1/messages", message)
    await until(lambda: len(said(trade)) == 1)
    assert said(trade)[0][1].applied_to == 7


@in_both
async def test_records_of_transfers_that_moved_nothing_are_told_in_pages(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By transfer id, those that ended behind one index and up to another, with their states."""
    monkeypatch.setattr("connectors.party_registry.record_answers.PAGE", 2)
    seller, buyer = await trade.seller(), await trade.buyer()
    for number in range(3):
        first, last = (f"CA0001-THA01-THA-{10 * number + n}-2022" for n in (1, 1 + number))
        ranges = [{"first_id": first, "last_id": last}]
        transfer_id = await propose(
            seller, adjustment_method="averaging", quantity=None, ranges=ranges
        )
        await until(partial(is_state, buyer, transfer_id, "proposed"))
        decision = "reject" if number == 1 else "accept"
        reasons = {"reasons": ["no"]} if number == 1 else {}
        await buyer.call("POST", f"/v1/transfers/{transfer_id}/{decision}", reasons)
        state = "rejected" if number == 1 else "completed"
        await until(partial(is_state, buyer, transfer_id, state))
    index = trade.hub.log_index
    asked: dict[str, Any] = {
        "session": "CHE01-9",
        "log_index": index,
        "after": 0,
        "answer_by": LATER,
    }
    page = messages.ReconciliationRecordsAsked(**asked, number=1)
    _, first = await answer(trade, "reconciliation.records_asked", page)
    found = [(one.transfer_id, one.state, one.quantity) for one in first.transfers]
    assert found == [("THA01-000001", "completed", 1), ("THA01-000002", "rejected", 2)]
    assert first.more
    page = messages.ReconciliationRecordsAsked(**asked, number=2, after_transfer="THA01-000002")
    _, rest = await answer(trade, "reconciliation.records_asked", page)
    assert [one.transfer_id for one in rest.transfers] == ["THA01-000003"]
    assert not rest.more
    later = messages.ReconciliationRecordsAsked(**{**asked, "after": index}, number=3)
    _, none = await answer(trade, "reconciliation.records_asked", later)
    assert none.transfers == ()


def test_a_secret_of_another_link_or_open_to_others_is_refused(
    tmp_path: Path, trade: Trade
) -> None:
    """Before anything starts, with the file named."""
    other = link_secret(tmp_path, "GHA01")
    config = make_config(trade.folder, trade.hub, "CHE01", reconciliation_secret=other)
    with pytest.raises(KeyFileError, match="of GHA01, not of CHE01"):
        Connector(config)
    mine = link_secret(tmp_path)
    mine.chmod(0o644)
    with pytest.raises(KeyFileError, match="0644"):
        Connector(config.model_copy(update={"reconciliation_secret": mine}))


# --- results, words, the command line -------------------------------------------------------------


def result(trade: Trade, **changes: Any) -> messages.ReconciliationResult:
    """Return how a session ended: unless said otherwise, ten units are missing here."""
    missing = messages.ReconciliationFinding(
        **SERIES._asdict(),
        kind="lost_message",
        first_serial=11,
        last_serial=20,
        quantity=10,
        ledger=(messages.OwnedValues(status="held", first_transferred="yes"),),
        registry=(),
        cause_index=7,
        reference="THA01-000001",
        case_id="2026-11-23/1",
        frozen=True,
    )
    fields: dict[str, Any] = {
        "session": "CHE01-9",
        "log_index": 9,
        "as_of": 9,
        "agreed": False,
        "basis": "explanation",
        "finding_count": 1,
        "findings": (missing,),
        "opened_cases": ("2026-11-23/1",),
    }
    return messages.ReconciliationResult(**{**fields, **changes})


async def results_of(registry: Registry) -> list[dict[str, Any]]:
    """Return the results that were kept."""
    found: list[dict[str, Any]] = (await registry.call("GET", "/v1/reconciliation/results"))[
        "results"
    ]
    return found


@in_both
async def test_a_result_is_kept_and_one_with_findings_raises_an_alarm(trade: Trade) -> None:
    """The operator sees what differs, in plain words, with the command that puts it right."""
    buyer = await trade.buyer()
    good = result(
        trade, agreed=True, basis="digests", finding_count=0, findings=(), opened_cases=()
    )
    ask(trade, "reconciliation.result", good)
    ask(trade, "reconciliation.result", result(trade, session="CHE01-10"))

    async def both() -> bool:
        return len(await results_of(buyer)) == 2

    await until(both)
    assert [one["agreed"] for one in await results_of(buyer)] == [False, True]
    assert await buyer.alarms() == ["reconciliation-differs"]
    shown = await buyer.call("GET", "/v1/reconciliation/results/last")
    words = "\n".join(shown["words"])
    assert "book correct completion THA01-000001" in words
    assert "2026-11-23/1" in words
    shown = await buyer.call("GET", "/v1/reconciliation/results/CHE01-9")
    assert shown["words"] == ["CHE01-9, as of log index 9: the book and the ledger agree."]
    await buyer.call("GET", "/v1/reconciliation/results/CHE01-1", status=404)


async def test_the_status_says_how_to_get_the_secret(trade: Trade) -> None:
    """Without a secret there is a remedy; with one, the key of the sums and the last answer."""
    without = await trade.start("GHA01")
    status = await without.call("GET", "/v1/reconciliation")
    assert (status["answered_by"], status["has_secret"]) == ("book", False)
    assert "itmo-hub reconcile secret" in status["remedy"]
    buyer = await trade.buyer(reconciliation_secret=link_secret(trade.folder))
    await answer(trade, "reconciliation.cut", question := cut(trade))
    status = await buyer.call("GET", "/v1/reconciliation")
    assert status["sums"]["key_id"] == question.key_id
    assert status["last_question"]["answer"] == "reconciliation.cut_ack"
    assert (await buyer.call("GET", "/v1/check"))["sound"] is True


@in_both
async def test_an_explanation_reaches_the_hub(trade: Trade) -> None:
    """With the wish for a new comparison."""
    buyer = await trade.buyer()
    body = {"case_id": "2026-11-23/1", "text": "the completion was lost", "corrected": True}
    await buyer.call("POST", "/v1/reconciliation/explanations", body)
    await until(lambda: len(said(trade)) == 1)
    type_, told = said(trade)[0]
    assert (type_, told.case_id, told.corrected) == (
        "reconciliation.explanation",
        "2026-11-23/1",
        True,
    )


async def test_a_correction_of_a_running_registry_needs_a_reason(trade: Trade) -> None:
    """Refused without one; done with one, and kept."""
    buyer = await traded(trade)
    ranges = [{"first_id": "CA0001-THA01-THA-1-2022", "last_id": "CA0001-THA01-THA-9-2022"}]
    wanted = {"kind": "value", "ranges": ranges, "name": "gwp_values", "value": "AR4"}
    await buyer.call("POST", "/v1/book/corrections", wanted, status=422)
    reason = {"reason": "as the authorization says", "case_id": "2026-11-23/1"}
    done = await buyer.call("POST", "/v1/book/corrections", {**wanted, **reason})
    assert done["quantity"] == 9
    (kept,) = (await buyer.call("GET", "/v1/book/corrections"))["corrections"]
    assert (kept["reason"], kept["quantity"]) == (reason["reason"], 9)
    assert await buyer.check() == []
    again = await buyer.call("POST", "/v1/book/corrections", {**wanted, **reason}, status=409)
    assert "nothing to put right" in again["detail"]


@pytest.mark.parametrize("fault", ANSWER_FAULTS)
async def test_a_simulated_registry_lies_about_its_book(trade: Trade, fault: Fault) -> None:
    """Each lie is what it says, and is kept among the incidents."""
    secret = link_secret(trade.folder)
    config = make_config(
        trade.folder, trade.hub, "CHE01", auto_accept=True, reconciliation_secret=secret
    )
    plan = FaultPlan(1, {fault: 1.0})
    liar = await trade.stack.enter_async_context(
        SimulatedConnector(config, plan, clock=trade.hub.clock)
    )
    client = await trade.stack.enter_async_context(aiohttp.ClientSession())
    buyer = Registry(liar, client)
    await buyer.call("POST", "/v1/accounts", {"account": "CH-100-1"})
    seller = await trade.seller()
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "completed"))
    ask(trade, "reconciliation.cut", question := cut(trade))
    await until(lambda: plan.incidents)
    assert [incident.fault for incident in plan.incidents] == [fault]
    if fault is Fault.ANSWER_NOT:
        return
    await until(lambda: said(trade))
    (_, told) = said(trade)[0]
    true = root_of(trade, Block(SERIES, 1, 100, OWNED_HELD))
    assert (told.digest == true) is (fault is not Fault.LIE_DIGEST)
    assert (told.applied_to == question.log_index) is (fault is not Fault.LIE_APPLIED_TO)
