"""Sessions from the first cut to the result: through real envelopes, on both databases."""

import json
from datetime import timedelta
from typing import Any

import pytest

from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.store import mailboxes
from hub.store.database import Database
from hub.store.reconciliation import cases, links, nights, sessions
from reconciliation.owned import Block
from tests.hub.services.reconciliation.run_worlds import OWN, POLICY, Registry, RunWorld, changed
from tests.hub.world import HUB, accepted, codes_of, receipt_of
from tests.integration.peers import block, proposal

ALL = {"CHE01": "agreed", "GHA01": "agreed", "THA01": "agreed"}


@pytest.fixture
def runs(either: Database) -> RunWorld:
    """Return a hub whose three registries agree with it."""
    made = RunWorld(either)
    made.sold()
    return made


@pytest.fixture
def lite(sqlite: Database) -> RunWorld:
    """Return the same on SQLite alone."""
    made = RunWorld(sqlite)
    made.sold()
    return made


async def test_registries_that_agree_are_asked_one_question_each(runs: RunWorld) -> None:
    """The session is named by the cut's own entry; the result is told; the cut is noted."""
    request = runs.ask()
    await runs.until_quiet()
    assert runs.results() == ALL
    for row in runs.sessions():
        assert row.session == f"{row.registry}-{row.log_index}"
        assert (row.request_id, row.trigger, row.mode) == (request, "request", "digests")
        assert (row.basis, row.question_count, row.as_of) == ("digests", 1, row.log_index)
        registry = runs.registries[row.registry]
        ((type_, body),) = registry.asked
        assert (type_, body["log_index"]) == ("reconciliation.cut", row.log_index)
        (result,) = registry.results
        assert (result["session"], result["agreed"]) == (row.session, True)
    with runs.database.reading() as connection:
        stored = nights.load_request(connection, request)
        assert stored is not None
        assert stored.state == "finished"
        assert {row.registry: row.agreed_to for row in links.load_all(connection)} == {
            row.registry: row.log_index for row in runs.sessions()
        }
    runs.world.prove()


def _lose(held: list[Block]) -> None:
    del held[0]


def _double(held: list[Block]) -> None:
    held.append(held[0])


def _other_sector(held: list[Block]) -> None:
    held[0] = changed(held[0], sector="Waste")


def _lose_one_unit(held: list[Block]) -> None:
    held[0] = changed(held[0], last=held[0].last - 1)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (_lose, "lost_message"),
        (_double, "doubled_message"),
        (_other_sector, "attribute_differs"),
        (_lose_one_unit, "missing_at_registry"),
    ],
    ids=["a lost completion", "a doubled credit", "another sector", "one unit missing"],
)
async def test_what_differs_is_found_to_the_serial_and_opens_a_case(
    runs: RunWorld, damage: Any, kind: str
) -> None:
    """And nothing else does: the other registries agree."""
    damage(runs.registries["CHE01"].book.held)
    runs.ask()
    await runs.until_quiet()
    assert runs.results() == ALL | {"CHE01": "differs"}
    (result,) = runs.registries["CHE01"].results
    assert {one["kind"] for one in result["findings"]} == {kind}
    with runs.database.reading() as connection:
        (case,) = cases.open_of(connection, "CHE01")
    assert case.kind == kind
    assert result["opened_cases"] == [case.case_id]


async def test_a_case_closes_when_the_books_agree_again(runs: RunWorld) -> None:
    """A request for the case asks its registry alone."""
    registry = runs.registries["CHE01"]
    right = list(registry.book.held)
    _lose(registry.book.held)
    runs.ask("CHE01")
    await runs.until_quiet()
    with runs.database.reading() as connection:
        (case,) = cases.open_of(connection, "CHE01")
    registry.book.held = right
    runs.ask("CHE01", case.case_id)
    await runs.until_quiet()
    assert [row.trigger for row in runs.sessions()] == ["request", "case"]
    assert registry.results[-1]["closed_cases"] == [case.case_id]
    with runs.database.reading() as connection:
        assert cases.open_of(connection, "CHE01") == []


async def test_a_session_goes_on_in_another_process_after_every_answer(runs: RunWorld) -> None:
    """Nothing is in memory that the answers do not give again: the same questions, one result."""
    registry = runs.registries["CHE01"]
    registry.book.held = [
        changed(block, sector="Waste") if n % 2 else block
        for n, block in enumerate(registry.book.held)
    ]
    runs.ask("CHE01")
    for _ in range(20):
        await runs.another_worker().turn()
        registry.work()
    assert runs.results() == {"CHE01": "differs"}
    (row,) = runs.sessions()
    assert row.question_count == len(registry.asked)
    assert row.question_count is not None
    assert row.question_count > 1
    assert [body["number"] for _, body in registry.asked] == [*range(1, row.question_count + 1)]
    (result,) = registry.results
    assert {one["kind"] for one in result["findings"]} == {"attribute_differs"}


async def test_a_silent_registry_is_a_case_of_its_own_and_holds_nobody_up(lite: RunWorld) -> None:
    """Until the time is over the session waits; then it is silent, and a late answer is refused."""
    silent = lite.registries["GHA01"]
    silent.answers = False
    request = lite.ask()
    await lite.until_quiet()
    assert lite.results() == ALL | {"GHA01": "asking"}
    lite.ahead = timedelta(seconds=POLICY.answer_seconds + 1)
    await lite.until_quiet()
    assert lite.results() == ALL | {"GHA01": "silent"}
    with lite.database.reading() as connection:
        (case,) = cases.open_of(connection, "GHA01")
        stored = nights.load_request(connection, request)
    assert case.kind == "no_answer"
    assert stored is not None
    assert stored.state == "finished"
    ((_, cut),) = silent.asked
    late = {"applied_to": 1, "digest": "0" * 32} | {n: cut[n] for n in ("session", "number")}
    receipt = lite.world.say("GHA01", HUB, ("reconciliation.cut_ack", late))
    assert codes_of(receipt) == [4017]
    silent.answers = True
    lite.ask("GHA01")
    await lite.until_quiet()
    with lite.database.reading() as connection:
        assert cases.open_of(connection, "GHA01") == []


async def test_an_answer_sent_twice_is_taken_once(lite: RunWorld) -> None:
    """The same envelope gets the same receipt; the same answer in another one is a duplicate."""
    lite.ask("CHE01")
    await lite.until_quiet()
    registry = lite.registries["CHE01"]
    (raw,) = registry.sent
    before = lite.sessions()
    assert receipt_of(lite.world.post(raw))["outcomes"][0]["outcome"] == "accepted"
    with lite.database.reading() as connection:
        (answer,) = sessions.answers(connection, before[0].session)
    again = lite.world.say("CHE01", HUB, (answer.type, json.loads(answer.body)))
    assert again["outcomes"][0]["outcome"] == "duplicate-of"
    await lite.until_quiet()
    assert lite.sessions() == before


def _ahead_of_the_log(_type: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    says = {"session": body["session"], "number": body["number"], "applied_to": 10**9}
    return "reconciliation.cut_ack", says | {"digest": "0" * 32}


def _of_another_kind(_type: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    says = {"session": body["session"], "number": body["number"]}
    lists: dict[str, Any] = {"owned": [], "blocks": [], "rest": []}
    return "reconciliation.blocks", says | lists | {"applied_to": body["log_index"]}


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (_ahead_of_the_log, "the log ends at"),
        (_of_another_kind, "is no answer to the question"),
    ],
    ids=["as of an entry that is not there", "of another kind"],
)
async def test_an_answer_that_cannot_be_true_fails_the_session_with_the_reason(
    lite: RunWorld, says: Any, reason: str
) -> None:
    """The registry is told why, and the others are compared all the same."""
    lite.registries["CHE01"].says = says
    lite.ask()
    await lite.until_quiet()
    assert lite.results() == ALL | {"CHE01": "failed"}
    (result,) = lite.registries["CHE01"].results
    assert reason in result["reason"]


async def test_a_registry_that_lies_in_every_answer_ends_with_findings_or_a_reason(
    lite: RunWorld,
) -> None:
    """Digests of nothing, and then no blocks: all that the ledger has is missing there."""

    def lies(type_: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        says = {"session": body["session"], "number": body["number"]}
        says |= {"applied_to": registry.book.applied_to}
        if type_ == "reconciliation.cut":
            return "reconciliation.cut_ack", says | {"digest": "1" * 32}
        if type_ == "reconciliation.digests_asked":
            return "reconciliation.digests", says | {"chunks": [], "more": False}
        return "reconciliation.blocks", says | {"owned": [], "blocks": [], "rest": []}

    registry = lite.registries["CHE01"]
    registry.says = lies
    lite.ask("CHE01")
    await lite.until_quiet()
    assert lite.results() == {"CHE01": "differs"}
    (result,) = registry.results
    assert sum(one["quantity"] for one in result["findings"]) == 270


@pytest.mark.parametrize("code", ["key_unknown", "not_implemented"])
async def test_a_registry_without_digests_is_asked_for_totals_in_the_same_session(
    runs: RunWorld, code: str
) -> None:
    """The result is as good: what differs is found, and why there were no digests is told."""
    registry = runs.registries["CHE01"]
    answer = registry.answer

    def refuses(type_: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        if type_ != "reconciliation.cut":
            return answer(type_, body)
        says = {"session": body["session"], "number": body["number"]}
        return "reconciliation.refused", says | {"code": code, "reason": "we have none"}

    registry.says = refuses
    registry.book.held[0] = changed(registry.book.held[0], sector="Waste")
    runs.ask("CHE01")
    for _ in range(10):  # each time in a process that knows nothing
        await runs.another_worker().turn()
        registry.work()
    assert runs.results() == {"CHE01": "differs"}
    (row,) = runs.sessions()
    assert (row.mode, row.registry) == ("totals", "CHE01")
    assert [type_ for type_, _ in registry.asked][:2] == [
        "reconciliation.cut",
        "reconciliation.totals_asked",
    ]
    (result,) = registry.results
    assert {one["kind"] for one in result["findings"]} == {"attribute_differs"}
    assert "we have none" in result["reason"]


async def test_a_registry_that_refuses_for_another_reason_is_refused(lite: RunWorld) -> None:
    """It is a case without serials, and the reason is told."""

    def refuses(_type: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        says = {"session": body["session"], "number": body["number"]}
        return "reconciliation.refused", says | {"code": "not_now", "reason": "we move house"}

    lite.registries["THA01"].says = refuses
    lite.ask()
    await lite.until_quiet()
    assert lite.results() == ALL | {"THA01": "refused"}
    (result,) = lite.registries["THA01"].results
    assert "we move house" in result["reason"]
    with lite.database.reading() as connection:
        (case,) = cases.open_of(connection, "THA01")
    assert case.kind == "no_answer"


async def test_a_registry_compared_by_totals_needs_no_secret(either: Database) -> None:
    """The hub sums under a key of its own; another process finds the same."""
    runs = RunWorld(either, has_master=False)
    runs.sold()
    with runs.database.writing() as connection:
        links.set_mode(connection, "CHE01", "totals")
    registry = runs.registries["CHE01"]
    _lose(registry.book.held)
    runs.ask("CHE01")
    for _ in range(10):
        await runs.another_worker().turn()
        registry.work()
    assert runs.results() == {"CHE01": "differs"}
    (result,) = registry.results
    assert {one["kind"] for one in result["findings"]} == {"lost_message"}


async def test_without_a_secret_a_request_is_refused_with_the_remedy(sqlite: Database) -> None:
    """Nobody is asked; whoever asked reads how a secret is made."""
    runs = RunWorld(sqlite, has_master=False)
    runs.sold()
    one, another, unknown = runs.ask(), runs.ask("CHE01"), runs.ask("KEN01")
    await runs.until_quiet()
    with runs.database.reading() as connection:
        rows = [nights.load_request(connection, n) for n in (one, another, unknown)]
    assert [row.state for row in rows if row is not None] == ["refused"] * 3
    details = [row.detail or "" for row in rows if row is not None]
    assert "reconcile secret new --out FILE" in details[0]
    assert details[0] == details[1]
    assert details[2] == "there is no participant KEN01"
    assert runs.sessions() == []


async def test_a_hub_that_does_not_lead_asks_nobody(lite: RunWorld) -> None:
    """The request waits until a process leads."""
    with lite.database.reading() as connection:
        before = mailboxes.items_after(connection, "CHE01", 0, 1_000)
    lite.ask("CHE01")
    with lite.database.reading() as connection:
        assert mailboxes.items_after(connection, "CHE01", 0, 1_000) == before
        (waiting,) = nights.open_requests(connection)
    assert waiting.state == "waiting"


async def test_trading_goes_on_between_question_and_answer(runs: RunWorld) -> None:
    """What moves meanwhile is compared as of the index that the answer names: no difference."""
    runs.ask("CHE01")
    await runs.worker.turn()
    runs.world.transfer("THA01-9", 901, 950)
    registry = runs.registries["CHE01"]
    registry.copy_of_ledger()
    registry.answer_as_of_the_last_item()
    await runs.until_quiet()
    assert runs.results() == {"CHE01": "agreed"}
    (row,) = runs.sessions()
    assert row.as_of is not None
    assert row.as_of > row.log_index


async def test_what_came_of_sessions_is_counted(lite: RunWorld) -> None:
    """Sessions by result, open questions, and how old the last agreement is."""
    lite.registries["GHA01"].answers = False
    lite.ask()
    await lite.until_quiet()
    lite.ahead = timedelta(minutes=2)
    await lite.worker.turn()
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in lite.metrics.registry.collect()
        for sample in metric.samples
    }
    name = "itmo_hub_reconciliation"
    assert told[f"{name}_sessions_total", "agreed"] == 2
    assert told[f"{name}_open_questions",] == 1
    assert 60 < told[f"{name}_agreed_age_seconds", "CHE01"] < 300
    assert (f"{name}_agreed_age_seconds", "GHA01") not in told


def _notified(runs: RunWorld, *ids: str) -> None:
    """Let Thailand notify Switzerland of transfers that move no units; it recognizes them."""
    for n, name in enumerate(ids):
        body = proposal(name, block(5_001 + 10 * n, 5_010 + 10 * n))[1]
        notified = ("transfer.notification", body | {"adjustment_method": "averaging"})
        digest = accepted(runs.world.say("THA01", "CHE01", notified))["envelope_sha256"]
        answer = {"transfer_id": name, "decision": "recognize", "reasons": []}
        said = ("transfer.recognition", answer | {"previous_sha256": digest})
        accepted(runs.world.say("CHE01", "THA01", said))


@pytest.mark.parametrize("lists", ["all", "none"])
async def test_transfers_without_units_are_compared_on_records_in_a_session_of_its_own(
    runs: RunWorld, lists: str
) -> None:
    """Beside that of the units, and with both ends; from another process at each turn."""
    _notified(runs, "THA01-71", "THA01-72")
    for registry in runs.registries.values():
        registry.copy_of_ledger()
        registry.says = _listing(registry, ["THA01-71", "THA01-72"] if lists == "all" else [])
    runs.ask("CHE01")
    for _ in range(10):
        await runs.another_worker().turn()
        runs.registries["CHE01"].work()
    results = {row.mode: sessions.result_of(row) for row in runs.sessions()}
    assert results == {"digests": "agreed", "records": "agreed" if lists == "all" else "differs"}
    with runs.database.reading() as connection:
        kinds = [case.kind for case in cases.open_of(connection, "CHE01")]
    assert kinds == ([] if lists == "all" else ["record_differs"])


def _listing(registry: Registry, ids: list[str]) -> Any:
    """Return the answers of a registry with these transfers on record."""

    def says(type_: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if type_ != "reconciliation.records_asked":
            return registry.answer(type_, body)
        said = {"session": body["session"], "number": body["number"], "more": False}
        listed = [{"transfer_id": one, "state": "completed", "quantity": 10} for one in ids]
        said |= {"applied_to": registry.book.applied_to, "transfers": listed}
        return "reconciliation.records", said

    return says


async def test_who_claims_what_it_never_had_stops_nobody_else(runs: RunWorld) -> None:
    """The claim is a case, and its serials are frozen for who claims them, in both directions."""
    claimant = runs.registries["GHA01"]
    sold = runs.registries["CHE01"].book.held[0]
    claimant.book.held = [sold._replace(first=1, last=10**12)]
    runs.ask("GHA01")
    await runs.until_quiet()
    (found,) = claimant.results[-1]["findings"]
    assert (found["kind"], found["quantity"], found["frozen"]) == (
        "missing_at_ledger",
        10**12,
        True,
    )
    runs.world.transfer("THA01-8", 701, 790)
    to_claimant = proposal("THA01-9", block(801, 890))
    assert codes_of(runs.world.say("THA01", "GHA01", to_claimant)) == [5005]


async def test_a_registry_with_another_secret_agrees_by_its_blocks_and_is_told(
    runs: RunWorld,
) -> None:
    """Else every night would read its whole book, and nobody would know why."""
    registry = runs.registries["CHE01"]
    registry.secrets = LinkSecrets(bytes(32), OWN)
    runs.ask()
    await runs.until_quiet()
    assert runs.results() == ALL
    (result,) = registry.results
    assert (result["agreed"], result["basis"]) == (True, "blocks")
    assert "another link secret" in result["reason"]
    assert "reason" not in runs.registries["THA01"].results[0]


async def test_a_registry_that_stays_behind_is_compared_as_of_there_and_that_is_said(
    lite: RunWorld,
) -> None:
    """It agrees as of what it has applied; what waits for it is counted, night after night."""
    registry = lite.registries["CHE01"]
    stays_at = registry.book.applied_to = 17
    lite.world.transfer("THA01-8", 701, 790)

    def behind(type_: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        registry.book.applied_to = stays_at
        return registry.answer(type_, body)

    registry.says = behind
    lite.ask("CHE01")
    await lite.until_quiet()
    (row,) = lite.sessions()
    assert (row.agreed, row.as_of) == (True, stays_at)
    assert row.reason is not None
    assert "up to log index 17" in row.reason
    assert "1 entry" in row.reason
