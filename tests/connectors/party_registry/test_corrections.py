"""Each damage of a drill is found by comparing with the ledger, and put right by its correction."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from connectors.party_registry import book_commands, commands, corrections, damage
from connectors.party_registry.check_book import check_book
from connectors.party_registry.commands import CommandError
from connectors.party_registry.kept_sums import KeptSums
from connectors.party_registry.reconciliation_commands import report
from connectors.party_registry.requests import (
    CorrectionRequest,
    IssueRequest,
    RangeRequest,
    ReportRequest,
    TransferRequest,
    UseRequest,
)
from connectors.party_registry.schema_steps import guard_serials
from connectors.party_registry.units import Series, Span
from hub.store.database import Database
from reconciliation.link_keys import key_of_year
from tests.connectors.party_registry.beside_ledger import CODES, SECRET, BookKeeper, differences
from tests.hub.world import World
from tests.integration.hub_process import register
from tests.integration.peers import approach, authorization

SERIES = Series("CA0001", "THA01", "THA", 2022)
KEY = key_of_year(SECRET, "CHE01", 2026)
REASON = "the hub is right"


@dataclass
class Trio:
    """A hub, a seller and a buyer after two transfers, and a use of ten units."""

    world: World
    seller: BookKeeper
    buyer: BookKeeper
    sums: KeptSums
    transfer_id: str = ""
    second: str = ""
    action_id: str = ""

    def sell(self, quantity: int) -> str:
        """Let the seller sell the next units to the buyer; return the transfer's id."""
        offer = TransferRequest(
            recipient="CHE01",
            cooperative_approach="CA0001",
            from_account="TH-1",
            to_account="CH-1",
            quantity=quantity,
        )
        transfer = self.seller.do(lambda t: commands.propose(t, offer))
        self.settle()
        return transfer.transfer_id

    def use(self, first: int, last: int) -> str:
        """Let the buyer use units towards its NDC; return the action's id."""
        request = UseRequest(
            account="CH-1",
            cooperative_approach="CA0001",
            calendar_year=2025,
            ranges=ranges(first, last),
        )
        action = self.buyer.do(lambda t: book_commands.use_units(t, request))
        self.settle()
        return action.action_id

    def settle(self) -> None:
        """Deliver everything."""
        for keeper in (self.seller, self.buyer) * 3:
            keeper.settle()

    def differs(self, keeper: BookKeeper | None = None) -> list[Any]:
        """Return the runs in which the buyer's book (or another) is not the ledger's."""
        one = keeper or self.buyer
        return differences(one.ledger(), one.compared())

    def digest_is_of_the_book(self) -> bool:
        """Tell whether the kept sums are those of the blocks as they lie."""
        return self.buyer.root_and_faults(self.sums, KEY)[1] == 0

    def hurt(self, use: Callable[[Connection], int], keeper: BookKeeper | None = None) -> int:
        """Damage a book."""
        return (keeper or self.buyer).do(lambda t: use(t.connection))

    def correct(self, keeper: BookKeeper | None = None, **members: Any) -> dict[str, Any]:
        """Put a book right."""
        request = CorrectionRequest(reason=REASON, case_id="2026-11-23/1", **members)
        return (keeper or self.buyer).do(lambda t: corrections.correct(t, request))


@pytest.fixture(scope="module")
def hub_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with the registries."""
    path = tmp_path_factory.mktemp("corrected") / "hub.db"
    register(f"sqlite:///{path}", dict.fromkeys(CODES, "party_registry"))
    return path


def trade(world: World, seller: BookKeeper, buyer: BookKeeper) -> Trio:
    """Let the buyer acquire 100 units and 50, and use ten; both books are the ledger's."""
    made = Trio(world, seller, buyer, KeptSums())
    for said in (approach(), authorization()):
        seller.submit(*said)
    seller.send()
    issue = IssueRequest(
        account="TH-1",
        authorization="TH-2022-001",
        vintage=2022,
        quantity=500,
        activity_type="Transport",
    )
    seller.do(lambda t: book_commands.issue(t, issue))
    made.digest_is_of_the_book()  # builds the sums, so that all that follows is folded
    made.transfer_id = made.sell(100)
    made.second = made.sell(50)
    made.action_id = made.use(91, 100)
    assert made.differs() == made.differs(seller) == []
    return made


@pytest.fixture
def trio(hub_file: Path, tmp_path: Path) -> Iterator[Trio]:
    """Return a hub and two registries that traded; their books are the ledger's."""
    shutil.copy(hub_file, tmp_path / "hub.db")
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    world = World(database)
    seller = BookKeeper(world, "THA01", tmp_path)
    buyer = BookKeeper(world, "CHE01", tmp_path, auto=True)
    yield trade(world, seller, buyer)
    for keeper in (seller, buyer):
        keeper.close()
    database.dispose()


def ranges(first: int, last: int, vintage: int = 2022) -> list[RangeRequest]:
    """Return serials of Thailand's units as a request names them."""
    return [
        RangeRequest(
            first_id=f"CA0001-THA01-THA-{first}-{vintage}",
            last_id=f"CA0001-THA01-THA-{last}-{vintage}",
        )
    ]


def span(first: int, last: int) -> Span:
    """Return serials of Thailand's units."""
    return Span(SERIES, first, last)


Hurt = Callable[[Trio], Callable[[Connection], int]]
DRILLS: dict[str, tuple[Hurt, list[tuple[int, int]], dict[str, Any]]] = {
    "a lost use": (
        lambda trio: lambda c: damage.lose_use(c, trio.action_id),
        [(91, 100)],
        {"kind": "action", "reference": "action"},
    ),
    "a doubled credit": (
        lambda trio: lambda c: damage.double_credit(c, trio.transfer_id),
        [(1, 90), (91, 100)],
        {"kind": "doubled", "ranges": ranges(1, 100)},
    ),
    "a flipped vintage": (
        lambda _: lambda c: damage.flip_vintage(c, span(11, 20), 2023),
        [(11, 20), (11, 20)],
        {"kind": "vintage", "ranges": ranges(11, 20, 2023), "vintage": 2022},
    ),
    "a use here alone": (
        lambda _: lambda c: damage.use_here(c, span(11, 20)),
        [(11, 20)],
        {"kind": "value", "ranges": ranges(11, 20), "name": "status", "value": "held"},
    ),
    "another metric": (
        lambda _: lambda c: damage.flip_value(c, span(5, 6), "metric", "non-GHG"),
        [(5, 6)],
        {"kind": "value", "ranges": ranges(5, 6), "name": "metric", "value": "GHG"},
    ),
    "an underlying unit too many": (
        lambda _: lambda c: damage.flip_value(c, span(5, 6), "underlying_first", "VCS-1"),
        [(5, 6)],
        {"kind": "value", "ranges": ranges(5, 6), "name": "underlying_first"},
    ),
    "a first transfer forgotten": (
        lambda _: lambda c: damage.flip_value(c, span(7, 7), "first_transferred", "no"),
        [(7, 7)],
        {"kind": "value", "ranges": ranges(7, 7), "name": "first_transferred", "value": "yes"},
    ),
    "a block dropped behind the journal": (
        lambda _: lambda c: damage.drop(c, span(30, 49), behind_the_journal=True),
        [(30, 49)],
        {"kind": "restore", "ranges": ranges(30, 49)},
    ),
    "a vintage flipped behind the journal": (
        lambda _: lambda c: damage.flip_vintage(c, span(2, 3), 2024, behind_the_journal=True),
        [(2, 3), (2, 3)],
        {"kind": "vintage", "ranges": ranges(2, 3, 2024), "vintage": 2022},
    ),
}


@pytest.mark.parametrize("name", DRILLS)
def test_a_damage_shows_its_serials_alone_and_its_correction_leaves_no_difference(
    trio: Trio, name: str
) -> None:
    """The sums follow the blocks both ways; journal and guard of serials are whole again."""
    hurt, serials, correction = DRILLS[name]
    assert trio.hurt(hurt(trio)) > 0
    assert [(run.first, run.last) for _, run in trio.differs()] == serials
    assert trio.digest_is_of_the_book()
    members = {**correction}
    if "reference" in members:
        members["reference"] = trio.action_id
    done = trio.correct(**members)
    assert done["quantity"] > 0
    assert trio.differs() == []
    assert trio.digest_is_of_the_book()
    assert trio.buyer.read(check_book) == []
    assert trio.buyer.read(guard_serials)
    (kept,) = trio.buyer.read(corrections.list_corrections)
    assert (kept["reason"], kept["case_id"]) == (REASON, "2026-11-23/1")
    with pytest.raises(CommandError):  # there is nothing left to put right in this way
        trio.correct(**members)
    trio.settle()
    assert trio.differs() == []


def test_a_lost_completion_is_given_its_effect_again_at_either_end(trio: Trio) -> None:
    """The acquirer credits the stored proposal, the initiator debits what is still reserved."""
    transfer_id = trio.second
    for keeper in (trio.buyer, trio.seller):
        assert trio.hurt(lambda c: damage.lose_completion(c, transfer_id), keeper) == 50
        assert keeper.read(check_book) == []  # the book is at one with itself, and wrong
    assert [(run.first, run.last) for _, run in trio.differs()] == [(101, 150)]
    assert trio.digest_is_of_the_book()
    for keeper in (trio.buyer, trio.seller):
        trio.correct(keeper, kind="completion", reference=transfer_id)
        assert trio.differs(keeper) == []
        assert keeper.read(check_book) == []
        with pytest.raises(CommandError, match="nothing was lost"):
            trio.correct(keeper, kind="completion", reference=transfer_id)
    assert trio.digest_is_of_the_book()


def test_a_use_that_never_reached_the_hub_is_reported_late(trio: Trio) -> None:
    """The hub records it, the book stays as it is, and both sides are one."""
    trio.hurt(lambda c: damage.use_here(c, span(11, 20)))
    request = ReportRequest(
        act="use", ranges=ranges(11, 20), reason="the line was down", calendar_year=2025
    )
    action = trio.buyer.do(lambda t: report(t, request))
    assert action.quantity == 10
    assert {one.outcome for one in trio.buyer.send()} == {"accepted"}
    trio.settle()
    assert trio.differs() == []
    assert trio.buyer.read(check_book) == []
    again = ReportRequest(act="cancellation", ranges=ranges(11, 20), reason="no, cancelled")
    with pytest.raises(CommandError, match="not all cancelled"):
        trio.buyer.do(lambda t: report(t, again))


def test_units_that_a_correction_of_the_ledger_gave_and_took_are_entered_and_removed(
    trio: Trio,
) -> None:
    """What administrators do at the hub is followed here by hand, with the reason."""
    trio.correct(kind="take_out", ranges=ranges(1, 10))
    assert [(run.first, run.last) for _, run in trio.differs()] == [(1, 10)]
    attributes = {
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "sector": "Transportation",
        "activity_type": "Transport",
    }
    members: dict[str, Any] = {"kind": "put_in", "ranges": ranges(1, 10), "account": "CH-1"}
    with pytest.raises(CommandError, match="attributes"):
        trio.correct(**members)
    trio.correct(**members, attributes=attributes)
    assert trio.differs() == []
    assert trio.buyer.read(check_book) == []
    with pytest.raises(CommandError, match="here already"):
        trio.correct(**members, attributes=attributes)


def test_units_in_a_transfer_are_left_alone(trio: Trio) -> None:
    """A correction waits for the end of the transfer, and leaves no trace when it is refused."""
    offer = TransferRequest(
        recipient="GHA01",
        cooperative_approach="CA0001",
        from_account="CH-1",
        to_account="GH-1",
        ranges=ranges(1, 5),
    )
    trio.buyer.do(lambda t: commands.propose(t, offer))
    asked: list[dict[str, Any]] = [
        {"kind": "value", "name": "metric", "value": "non-GHG"},
        {"kind": "take_out"},
        {"kind": "restore"},
    ]
    for members in asked:
        with pytest.raises(CommandError, match="that ends first"):
            trio.correct(**members, ranges=ranges(4, 8))
    assert trio.buyer.read(corrections.list_corrections) == []
