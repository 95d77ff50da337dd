"""Nights with real books: the hub compares, a damage is found and named, put right, and closed."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from connectors.party_registry import damage, reconciliation_commands, reconciliation_log
from connectors.party_registry.check_book import check_book
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import ExplanationRequest, ReportRequest
from connectors.party_registry.result_words import explain_result
from connectors.session.alarms import list_alarms
from hub.services.administration.corrections import correct_ledger
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.store.database import Database
from hub.store.reconciliation import cases
from tests.connectors.party_registry.beside_ledger import BookKeeper
from tests.connectors.party_registry.market import Market
from tests.connectors.party_registry.test_corrections import Trio, ranges, span, trade
from tests.hub.services.reconciliation.run_worlds import MASTER, OWN, RunWorld
from tests.hub.world import act
from tests.integration.hub_process import register

CODES = ("THA01", "CHE01", "GHA01")


class Kept:
    """A registry of a run world whose book is the connector's own."""

    def __init__(self, keeper: BookKeeper) -> None:
        self.keeper = keeper

    def work(self) -> int:
        """Take all mail and say all there is to say; return how much was said."""
        taken = 0
        while self.keeper.receive():
            taken += 1
        return len(self.keeper.send()) + taken

    def result(self) -> dict[str, Any]:
        """Return the last result that the hub told."""
        kept = self.keeper.read(lambda c: reconciliation_log.fetch_result(c, None))
        assert kept is not None
        return kept.body

    def alarms(self) -> list[str]:
        """Return the kinds of the open alarms."""
        found = self.keeper.read(lambda c: list_alarms(c, open_only=True, limit=100))
        return [alarm.kind for alarm in found]


class Away:
    """A registry that is not running."""

    @staticmethod
    def work() -> int:
        """Do nothing."""
        return 0


@pytest.fixture(scope="module")
def hub_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with the registries of three Parties."""
    path = tmp_path_factory.mktemp("nights") / "hub.db"
    register(f"sqlite:///{path}", dict.fromkeys(CODES, "party_registry"))
    return path


@pytest.fixture
def runs(hub_file: Path, tmp_path: Path) -> Iterator[RunWorld]:
    """Return a hub whose three registries keep real books, with nothing in them yet."""
    shutil.copy(hub_file, tmp_path / "hub.db")
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    made = RunWorld(database)
    secrets = LinkSecrets(MASTER, OWN)
    keepers = [
        BookKeeper(made.world, code, tmp_path, auto=True, secret=secrets.secret_of(code))
        for code in CODES
    ]
    made.registries = {one.code: Kept(one) for one in keepers}  # type: ignore[misc]  # a real book in its place
    yield made
    for one in keepers:
        one.close()
    database.dispose()


def kept(runs: RunWorld, code: str) -> Kept:
    """Return a registry with its real book."""
    found: Any = runs.registries[code]
    assert isinstance(found, Kept)
    return found


@pytest.fixture
def trio(runs: RunWorld) -> Trio:
    """Return Thailand and Switzerland after a sale and a use, on the hub that compares them."""
    return trade(runs.world, kept(runs, "THA01").keeper, kept(runs, "CHE01").keeper)


def open_cases(runs: RunWorld) -> list[cases.CaseRow]:
    """Return the cases that are open."""
    with runs.database.reading() as connection:
        return [row for code in CODES for row in cases.open_of(connection, code)]


async def compared(runs: RunWorld) -> dict[str, str]:
    """Compare all registries; return what their newest sessions came to."""
    runs.ask()
    await runs.until_quiet()
    return runs.results()


ALL_AGREE = dict.fromkeys(CODES, "agreed")
Hurt = Callable[[Trio], Callable[[Connection], int]]
DAMAGES: dict[str, tuple[Hurt, str, dict[str, Any]]] = {
    "a doubled credit": (
        lambda trio: lambda c: damage.double_credit(c, trio.second),
        "doubled_message",
        {"kind": "doubled", "ranges": ranges(1, 170)},
    ),
    "a flipped vintage": (
        lambda _: lambda c: damage.flip_vintage(c, span(11, 20), 2023),
        "missing_at_ledger missing_at_registry",  # in two series; one case
        {"kind": "vintage", "ranges": ranges(11, 20, 2023), "vintage": 2022},
    ),
    "a use here alone": (
        lambda _: lambda c: damage.use_here(c, span(11, 20)),
        "used_or_cancelled_on_one_side",
        {"kind": "value", "ranges": ranges(11, 20), "name": "status", "value": "held"},
    ),
    "a lost completion": (
        lambda trio: lambda c: damage.lose_completion(c, trio.second),
        "lost_message",
        {"kind": "completion", "reference": "second"},
    ),
    "a lost use": (
        lambda trio: lambda c: damage.lose_use(c, trio.action_id),
        "lost_message",
        {"kind": "action", "reference": "action"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_night_finds_what_was_damaged_and_a_correction_ends_it(
    runs: RunWorld, trio: Trio, name: str
) -> None:
    """One book is damaged; its registry alone differs, hears it in words and puts it right."""
    assert await compared(runs) == ALL_AGREE
    hurt, _, correction = DAMAGES[name]
    trio.hurt(hurt(trio))
    results = await compared(runs)
    assert {code for code, result in results.items() if result != "agreed"} == {"CHE01"}
    switzerland = kept(runs, "CHE01")
    result = switzerland.result()
    assert not result["agreed"]
    assert switzerland.alarms() == ["reconciliation-differs"]
    words = "\n".join(explain_result(result))
    assert all(case in words for case in result["opened_cases"])
    assert len(open_cases(runs)) == len(result["opened_cases"]) == 1

    members = {**correction}
    if "reference" in members:
        references = {"second": trio.second, "action": trio.action_id}
        members["reference"] = references[members["reference"]]
    trio.correct(**members)
    (case,) = result["opened_cases"]
    said = ExplanationRequest(case_id=case, text="put right", corrected=True)
    trio.buyer.do(lambda t: reconciliation_commands.explain(t, said))
    assert {one.outcome for one in trio.buyer.send()} == {"accepted"}
    assert await compared(runs) == ALL_AGREE
    assert open_cases(runs) == []
    assert trio.buyer.read(check_book) == []


@pytest.mark.parametrize("name", DAMAGES)
async def test_what_went_wrong_since_the_last_good_comparison_is_named(
    runs: RunWorld, trio: Trio, name: str
) -> None:
    """A message lost or taken twice is told as that; another damage as what it is."""
    assert await compared(runs) == ALL_AGREE
    trio.second, trio.action_id = trio.sell(20), trio.use(81, 90)
    hurt, kinds, _ = DAMAGES[name]
    trio.hurt(hurt(trio))
    await compared(runs)
    findings = kept(runs, "CHE01").result()["findings"]
    assert {one["kind"] for one in findings} == set(kinds.split())
    references = {"lost_message": {trio.second, trio.action_id}, "doubled_message": {trio.second}}
    assert {one.get("reference") for one in findings} <= references.get(kinds, {None})


async def test_a_use_that_the_hub_missed_is_reported_over_its_frozen_serials(
    runs: RunWorld, trio: Trio
) -> None:
    """The one message that puts the ledger right goes through; the case closes by comparing."""
    await compared(runs)
    trio.hurt(lambda c: damage.use_here(c, span(11, 20)))
    await compared(runs)
    assert [case.registry for case in open_cases(runs)] == ["CHE01"]
    late = ReportRequest(
        act="use", ranges=ranges(11, 20), reason="the line was down", calendar_year=2025
    )
    trio.buyer.do(lambda t: reconciliation_commands.report(t, late))
    assert {one.outcome for one in trio.buyer.send()} == {"accepted"}
    assert await compared(runs) == ALL_AGREE
    assert open_cases(runs) == []
    assert trio.differs() == []


ATTRIBUTES = {
    "metric": "GHG",
    "mitigation_type": "Emission reductions",
    "authorization_id": "TH-2022-001",
    "authorization_version": 1,
    "sector": "Transportation",
    "activity_type": "Transport",
}


async def test_a_correction_of_the_ledger_is_followed_at_both_ends(
    runs: RunWorld, trio: Trio
) -> None:
    """Each side is told which of its commands follows it; both cases close by comparing."""
    await compared(runs)
    moved = "CA0001-THA01-THA-5-2022..CA0001-THA01-THA-9-2022"
    deed = correct_ledger(moved, "CHE01", "GHA01", None)
    runs.world.administration.do(deed, act("booked to the wrong registry"))
    await compared(runs)
    for code, command in (("CHE01", "take-out"), ("GHA01", "put-in")):
        words = "\n".join(explain_result(kept(runs, code).result()))
        assert f"book correct {command} --block {moved}" in words
        assert "book correct completion" not in words
    ghana, place = kept(runs, "GHA01").keeper, {"account": "GH-1", "attributes": ATTRIBUTES}
    trio.correct(kind="take_out", ranges=ranges(5, 9))
    trio.correct(ghana, kind="put_in", ranges=ranges(5, 9), **place)
    assert await compared(runs) == ALL_AGREE
    assert open_cases(runs) == []


async def test_a_completion_that_could_not_be_followed_gets_its_effect_when_there_is_room(
    runs: RunWorld, trio: Trio
) -> None:
    """The command that the result names refuses while units are in the way, and works then."""
    assert await compared(runs) == ALL_AGREE
    in_the_way = ranges(155, 160)
    trio.correct(kind="put_in", ranges=in_the_way, account="CH-1", attributes=ATTRIBUTES)
    transfer_id = trio.sell(20)
    await compared(runs)
    assert kept(runs, "CHE01").alarms() == ["reconciliation-differs", "book-differs"]
    words = "\n".join(explain_result(kept(runs, "CHE01").result()))
    assert "missing_at_registry" in words or f"completion {transfer_id}" in words
    with pytest.raises(CommandError, match="still has no effect"):
        trio.correct(kind="completion", reference=transfer_id)
    trio.correct(kind="take_out", ranges=in_the_way)
    trio.correct(kind="completion", reference=transfer_id)
    with pytest.raises(CommandError, match="nothing was lost"):
        trio.correct(kind="completion", reference=transfer_id)
    assert trio.buyer.read(check_book) == []
    assert await compared(runs) == ALL_AGREE
    assert open_cases(runs) == []


BROKEN_ROWS = {
    "attributes are no JSON": "attributes = '{'",
    "attributes are a list": "attributes = '[]'",
    "a serial below the first": "first_serial = -5",
    "a serial above the last": "last_serial = 9223372036854775807",
}


@pytest.mark.parametrize("name", BROKEN_ROWS)
async def test_a_row_that_is_none_stops_no_mail_and_is_forgotten_when_it_is_put_back(
    runs: RunWorld, trio: Trio, name: str
) -> None:
    """The registry refuses, or the answer is none; put right, it agrees with nothing done."""
    assert await compared(runs) == ALL_AGREE
    one = "block_id = (SELECT min(block_id) FROM unit_block)"
    with trio.buyer.engine.begin() as connection:
        row = connection.execute(text(f"SELECT * FROM unit_block WHERE {one}")).mappings().one()
        connection.execute(text(f"UPDATE unit_block SET {BROKEN_ROWS[name]} WHERE {one}"))
    results = await compared(runs)
    assert results.pop("CHE01") in {"refused", "failed"}
    assert set(results.values()) == {"agreed"}
    names = ("first_serial", "last_serial", "attributes")
    values = ", ".join(f"{column} = :{column}" for column in names)
    with trio.buyer.engine.begin() as connection:
        connection.execute(text(f"UPDATE unit_block SET {values} WHERE {one}"), dict(row))
    assert await compared(runs) == ALL_AGREE
    assert open_cases(runs) == []


async def test_who_was_away_answers_too_late_without_another_alarm(
    runs: RunWorld, trio: Trio
) -> None:
    """The result says that it was silent; the refusal of its late answer is no news."""
    assert await compared(runs) == ALL_AGREE
    switzerland = kept(runs, "CHE01")
    runs.registries["CHE01"] = Away()  # type: ignore[assignment]  # nobody reads its mail
    runs.ask()
    await runs.until_quiet()
    runs.ahead = timedelta(hours=9)
    await runs.until_quiet()
    assert runs.results()["CHE01"] == "silent"
    runs.registries["CHE01"] = switzerland  # type: ignore[assignment]  # as before
    assert await compared(runs) == ALL_AGREE
    assert switzerland.alarms() == ["reconciliation-differs"]
    assert open_cases(runs) == []


async def test_random_trade_never_makes_a_difference(runs: RunWorld, run_seed: int) -> None:
    """After every few steps the hub compares all three, with mail still under way."""
    market = Market({code: kept(runs, code).keeper for code in CODES}, run_seed)
    for number in range(40):
        market.step()
        if number % 8 == 7:
            assert await compared(runs) == ALL_AGREE, (run_seed, number)
