"""Who is told of a first transfer: every event, wherever it happens, under every definition.

The table is 4/CMA.6 paras 11 to 17 with 2/CMA.3 a.2: a row is what happens, in one or two steps; a
column is what Thailand authorized its units for. A cell names the step that is the first transfer,
and its event. Whom that step must be told to stands in the row: the registries of Thailand that did
not say it themselves. All others, and all other steps, tell nobody.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from hub.checks.facts import Policy
from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.services.administration.participants import add_key
from hub.services.handlers import first_transfers
from hub.store.database import Database
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.services.handlers.test_article64 import ISSUANCE
from tests.hub.world import HUB, World, accepted, act, notices_to
from tests.integration.hub_process import register
from tests.integration.peers import (
    Peer,
    Said,
    acceptance,
    approach,
    authorization,
    block,
    now,
    proposal,
    seeded_signer,
)
from tests.integration.worlds import rejection

CODES = {
    "THA01": "party_registry",
    "THA02": "party_registry",
    "CHE01": "party_registry",
    "GHA01": "party_registry",
    "XMR01": "mechanism_registry",
}
CENTRAL = "XIR01"
ACCOUNTS = {"THA-1": (100, "THA"), "CHE-1": (100, "CHE"), "AF-1": (100, "XAF")}
OMGE_ACCOUNT = ("OMGE-1", 300, "XIR")
COLUMNS = ("NDC", "authorization", "issuance", "use", "NDC or use", "NDC or issuance")
TERMS: Mapping[str, tuple[str, str | None]] = {
    "NDC": ("NDC", None),
    "authorization": ("OIMP", "authorization"),
    "issuance": ("OIMP", "issuance"),
    "use": ("OIMP", "use_or_cancellation"),
    "NDC or use": ("NDC and OIMP", "use_or_cancellation"),
    "NDC or issuance": ("NDC and OIMP", "issuance"),
}
QUANTITY = 4
MOVE, USE, END = "international_transfer", "use", "cancellation"
FUND, OMGE = "adaptation_fund", "omge"
Cell: TypeAlias = tuple[int, str] | None


@dataclass(slots=True)
class Stage:
    """A hub in one column of the table, and the names it gives to what happens."""

    world: World
    column: str
    cell: Cell
    mechanism: bool = False
    step: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def purposes(self) -> str:
        """What Thailand authorized."""
        return TERMS[self.column][0]

    @property
    def event(self) -> str | None:
        """What the present step is the first transfer by, if it is one."""
        return self.cell[1] if self.cell is not None and self.cell[0] == self.step else None

    def name(self, sender: str) -> str:
        """Return the natural id of the present step."""
        self.names.append(f"{sender}-{self.step + 100}")
        return self.names[-1]

    def units(self) -> list[dict[str, Any]]:
        """Return two blocks that do not touch."""
        blocks = [block(1, 2), block(4, 5)]
        if self.mechanism:
            for one in blocks:
                for end in ("first_id", "last_id"):
                    one[end] = one[end].replace("-THA01-", "-XMR01-")
        return blocks


Step: TypeAlias = Callable[[Stage], str]
"""Does what happens, and returns the registry that it happens in."""


def move(
    sender: str,
    recipient: str,
    account: str = "CH-1",
    *,
    action: str | None = None,
    notified: bool = False,
    ending: str = "accept",
) -> Step:
    """Return a transfer, answered by its acquirer."""

    def do(stage: Stage) -> str:
        world, name = stage.world, stage.name(sender)
        named = "first_transfer" if stage.event in {MOVE, FUND} else "transfer"
        changes: dict[str, Any] = {
            "action": action or named,
            "acquiring_account": account,
            "purpose": "NDC" if stage.column == "NDC" else "OIMP",
            "transferring_account": "THA-1" if sender == CENTRAL else "TH-1",
        }
        type_, body = proposal(name, *stage.units(), **changes)
        if notified:
            type_, body = "transfer.notification", body | {"adjustment_method": "averaging"}
            body = {key: value for key, value in body.items() if value is not None}
        digest = accepted(world.say(sender, recipient, (type_, body)))["envelope_sha256"]
        if recipient != CENTRAL:
            said = acceptance(name, digest) if ending == "accept" else rejection(name, digest)
            if notified:
                said = ("transfer.recognition", said[1] | {"decision": "recognize"})
            accepted(world.say(recipient, sender, said))
        return sender

    return do


def use(sender: str, party: str, **changes: Any) -> Step:
    """Return a use towards what the column allows."""

    def do(stage: Stage) -> str:
        towards_ndc = stage.column == "NDC" or changes.get("purpose") == "NDC"
        body = {
            "action_id": stage.name(sender),
            "cooperative_approach": "CA0001",
            "purpose": "NDC" if towards_ndc else "IMP",
            "using_party": party,
            "quantity": QUANTITY,
            "blocks": stage.units(),
        } | ({"calendar_year": 2025} if towards_ndc else {"oimp_purpose": "CORSIA"})
        said = ("action.use", of_mechanism(stage, body) | changes)
        accepted(stage.world.say(sender, HUB, said))
        return sender

    return do


def cancel(sender: str, party: str, kind: str = "voluntary") -> Step:
    """Return a cancellation."""

    def do(stage: Stage) -> str:
        body = {
            "action_id": stage.name(sender),
            "cooperative_approach": "CA0001",
            "kind": kind,
            "cancelling_party": party,
            "quantity": QUANTITY,
            "blocks": stage.units(),
        }
        said = ("action.cancellation", of_mechanism(stage, body))
        accepted(stage.world.say(sender, HUB, said))
        return sender

    return do


def of_mechanism(stage: Stage, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as the mechanism registry says it of its own units."""
    where = {"issuance_id": "XMR01-6", "account": "A64-CHE-1", "account_party": "CHE"}
    return body | (where if stage.mechanism else {})


def push(kind: str, account: str) -> Step:
    """Return a push of A6.4ERs into an account of the international registry."""

    def do(stage: Stage) -> str:
        body = {
            "first_transfer_id": stage.name("XMR01"),
            "kind": kind,
            "issuance_id": "XMR01-6",
            "activity_id": "A64-TH-0001",
            "cooperative_approach": "CA0001",
            "acquiring_account": account,
            "authorization_status": "authorized",
            "quantity": QUANTITY,
            "blocks": stage.units(),
        }
        accepted(stage.world.say("XMR01", HUB, ("a64.first_transfer", body)))
        return "XMR01"

    return do


def cells(*found: Cell) -> dict[str, Cell]:
    """Return the cells of a row, in the order of COLUMNS."""
    return dict(zip(COLUMNS, found, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """What happens, and which registries of Thailand each step must be told to if it counts."""

    steps: Sequence[Step]
    told: Sequence[str]
    cells: Mapping[str, Cell]
    mechanism: bool = False
    share: str = ""


OTHER, BOTH = "THA02", "THA01 THA02"
FIRST = (0, MOVE)
EARLY, ISSUED = (0, "authorization"), (0, "issuance")
MOVED = cells(FIRST, EARLY, ISSUED, None, FIRST, ISSUED)
# Of units authorized for an NDC alone the ledger never hears before they move.
ENDED = {
    "authorization": EARLY,
    "issuance": ISSUED,
    "use": (0, END),
    "NDC or use": (0, END),
    "NDC or issuance": ISSUED,
}
ABROAD = move("THA01", "CHE01")
AT_HOME = move("THA01", "THA02", "TH-2")
TO_CENTRAL = move("THA01", CENTRAL, "THA-1")
TABLE: Mapping[str, Row] = {
    # --- a Party's own registry moves its units ---
    "a transfer to another Party": Row([ABROAD], [OTHER], MOVED),
    "a notified transfer to another Party": Row(
        [move("THA01", "CHE01", notified=True)], [OTHER], MOVED
    ),
    "a transfer into another Party's account": Row(
        [move("THA01", CENTRAL, "CHE-1")], [OTHER], MOVED
    ),
    "a rejected transfer": Row(
        [move("THA01", "CHE01", ending="reject", action="first_transfer")],
        [OTHER],
        {"NDC": None, "NDC or use": None},
    ),
    "a second transfer": Row([ABROAD, move("CHE01", "GHA01", "GH-1")], [OTHER, BOTH], MOVED),
    "a transfer within the Party": Row(
        [AT_HOME], ["", ""], cells(None, EARLY, ISSUED, None, None, ISSUED)
    ),
    "a transfer abroad by the Party's other registry": Row(
        [AT_HOME, move("THA02", "CHE01")],
        ["", "THA01"],
        cells((1, MOVE), EARLY, ISSUED, None, (1, MOVE), ISSUED),
    ),
    # --- in the international registry ---
    "a transfer abroad out of the Party's account": Row(
        [TO_CENTRAL, move(CENTRAL, "CHE01")],
        [OTHER, BOTH],
        cells((1, MOVE), EARLY, ISSUED, None, (1, MOVE), ISSUED),
    ),
    "a transfer between accounts of two Parties": Row(
        [TO_CENTRAL, move(CENTRAL, CENTRAL, "CHE-1")],
        [OTHER, BOTH],
        cells((1, MOVE), EARLY, ISSUED, None, (1, MOVE), ISSUED),
    ),
    "a first transfer to the Adaptation Fund": Row(
        [move("THA01", CENTRAL, "AF-1")],
        [OTHER],
        cells((0, FUND), EARLY, ISSUED, (0, FUND), (0, FUND), ISSUED),
    ),
    "the same called a transfer": Row(
        [move("THA01", CENTRAL, "AF-1", action="transfer")],
        [BOTH],
        {"NDC": (0, FUND), "use": (0, FUND), "NDC or use": (0, FUND)},
    ),
    "a transfer to the Adaptation Fund by who acquired the units": Row(
        [ABROAD, move("CHE01", CENTRAL, "AF-1")],
        [OTHER, BOTH],
        cells(FIRST, EARLY, ISSUED, (1, FUND), FIRST, ISSUED),
    ),
    # --- ends ---
    "a use by who acquired the units": Row(
        [ABROAD, use("CHE01", "CHE")],
        [OTHER, BOTH],
        cells(FIRST, EARLY, ISSUED, (1, USE), FIRST, ISSUED),
    ),
    "a use in the Party's own registry": Row(
        [use("THA01", "THA")],
        [OTHER],
        {"authorization": EARLY, "issuance": ISSUED, "use": (0, USE), "NDC or use": (0, USE)},
    ),
    "a use in the Party's other registry": Row(
        [AT_HOME, use("THA02", "THA")],
        ["", "THA01"],
        {"authorization": EARLY, "issuance": ISSUED, "use": (1, USE), "NDC or use": (1, USE)},
    ),
    "a cancellation by who acquired the units": Row(
        [ABROAD, cancel("CHE01", "CHE")],
        [OTHER, BOTH],
        cells(FIRST, EARLY, ISSUED, (1, END), FIRST, ISSUED),
    ),
    "a cancellation in the Party's own registry": Row(
        [cancel("THA01", "THA")],
        [OTHER],
        ENDED,
    ),
    "a cancellation for OMGE by who acquired the units": Row(
        [ABROAD, cancel("CHE01", "CHE", OMGE)],
        [OTHER, BOTH],
        cells(FIRST, EARLY, ISSUED, (1, OMGE), FIRST, ISSUED),
    ),
    "a cancellation for OMGE in the Party's own registry": Row(
        [cancel("THA01", "THA", OMGE)],
        [OTHER],
        cells((0, OMGE), EARLY, ISSUED, (0, OMGE), (0, OMGE), ISSUED),
    ),
    # --- the mechanism registry ---
    "a forwarding of A6.4ERs": Row(
        [push("forwarding", "CHE-1")],
        [BOTH],
        cells(FIRST, EARLY, ISSUED, FIRST, FIRST, ISSUED),
        mechanism=True,
    ),
    "a share of proceeds": Row(
        [push("sop_adaptation", "AF-1")],
        [BOTH],
        cells((0, FUND), EARLY, ISSUED, (0, FUND), (0, FUND), ISSUED),
        mechanism=True,
        share="sop",
    ),
    "a share for OMGE": Row(
        [push("omge", "OMGE-1")],
        [BOTH],
        cells((0, OMGE), EARLY, ISSUED, (0, OMGE), (0, OMGE), ISSUED),
        mechanism=True,
        share="omge",
    ),
    "a retirement of A6.4ERs for another Party's NDC": Row(
        [use("XMR01", "CHE", purpose="NDC")],
        [BOTH],
        {"NDC": FIRST, "NDC or use": FIRST, "NDC or issuance": ISSUED},
        mechanism=True,
    ),
    "a use of A6.4ERs in the mechanism registry": Row(
        [use("XMR01", "CHE")],
        [BOTH],
        {"authorization": EARLY, "issuance": ISSUED, "use": (0, USE), "NDC or use": (0, USE)},
        mechanism=True,
    ),
    "a cancellation of A6.4ERs in the mechanism registry": Row(
        [cancel("XMR01", "CHE")],
        [BOTH],
        ENDED,
        mechanism=True,
    ),
}


@pytest.fixture(scope="module")
def stage_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with two registries of Thailand, and accounts of three Parties."""
    path = tmp_path_factory.mktemp("first_transfers") / "hub.db"
    register(f"sqlite:///{path}", CODES)
    world = World(Database(f"sqlite:///{path}"))
    key = PublicKey.from_der(CENTRAL, seeded_signer(CENTRAL).public_key_der)
    world.administration.do(add_key(KeyRecord.of(key, now())), act())
    for name, (kind, party) in {**ACCOUNTS, OMGE_ACCOUNT[0]: OMGE_ACCOUNT[1:]}.items():
        account = Account(name, CENTRAL, kind, party, None, None, "GHG", AccountStatus.OPEN)
        world.administration.do(open_account(account), act())
    world.database.dispose()
    return path


def stage_of(path: Path, folder: Path, name: str, column: str) -> Stage:
    """Return a hub with Thailand's authorization as the column has it, set for a row."""
    row = TABLE[name]
    shutil.copy(path, folder / "hub.db")
    # The shares of an issuance would be first transfers of their own.
    policy = Policy(sop_share_per_mille=0, omge_share_per_mille=0)
    world = World(Database(f"sqlite:///{folder}/hub.db"), policy=policy)
    for code in ("THA02", CENTRAL):
        world.peers[code] = Peer(code, "", world.peers["THA01"].http)
    purposes, definition = TERMS[column]
    type_, body = authorization()
    body |= {"purposes": purposes}
    if definition is not None:
        body |= {"first_transfer_definition": definition, "oimp_authorized": "CORSIA"}
    said: list[Said] = [approach(), (type_, body)]
    accepted(world.say("THA01", HUB, *said))
    if row.mechanism:
        kind, issuance = ISSUANCE
        shares = {f"{one}_quantity": QUANTITY if row.share == one else 0 for one in ("sop", "omge")}
        accepted(world.say("XMR01", HUB, (kind, issuance | shares)))
    return Stage(world, column, row.cells[column], row.mechanism)


def told(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return the notices of first transfers by who has them."""
    found = {
        code: [body for type_, body in notices_to(world, code) if type_ == "first_transfer.notice"]
        for code in CODES
    }
    return {code: notices for code, notices in found.items() if notices}


PLACES = [(name, column) for name, row in TABLE.items() for column in row.cells]


@pytest.mark.parametrize(("name", "column"), PLACES, ids=[f"{a}: {b}" for a, b in PLACES])
def test_whoever_must_adjust_is_told_once_and_nobody_else(
    stage_file: Path, tmp_path: Path, name: str, column: str
) -> None:
    """One notice for the event, to each registry that did not say it; none before or after."""
    row = TABLE[name]
    cell = row.cells[column]
    stage = stage_of(stage_file, tmp_path, name, column)
    places = []
    for number, step in enumerate(row.steps):
        stage.step = number
        places.append(step(stage))
    expected = {}
    if cell is not None:
        at, event = cell
        expected = {
            code: [(event, places[at], stage.names[at], QUANTITY, 2)]
            for code in row.told[at].split()
        }
    found = {
        code: [
            (one["event"], one["registry"], one["reference"], one["quantity"], len(one["ranges"]))
            for one in notices
        ]
        for code, notices in told(stage.world).items()
    }
    assert found == expected
    stage.world.prove()
    stage.world.database.dispose()


def test_who_says_it_again_tells_nobody_again(stage_file: Path, tmp_path: Path) -> None:
    """A repeated envelope and a repeated message change nothing that was told."""
    stage = stage_of(stage_file, tmp_path, "a use by who acquired the units", "use")
    ABROAD(stage)
    stage.step = 1
    body = {
        "action_id": "CHE01-7",
        "cooperative_approach": "CA0001",
        "purpose": "IMP",
        "oimp_purpose": "CORSIA",
        "using_party": "CHE",
        "quantity": QUANTITY,
        "blocks": stage.units(),
    }
    raw = stage.world.envelope("CHE01", HUB, ("action.use", body))
    stage.world.post(raw)
    before = told(stage.world)
    assert {code: len(notices) for code, notices in before.items()} == {"THA01": 1, "THA02": 1}
    stage.world.post(raw)
    (again,) = stage.world.say("CHE01", HUB, ("action.use", body))["outcomes"]
    assert again["outcome"] == "duplicate-of"
    assert told(stage.world) == before
    stage.world.database.dispose()


def test_more_ranges_than_a_notice_holds_come_in_several(
    stage_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own part of the units; together they are all."""
    monkeypatch.setattr(first_transfers, "RANGES_MAX", 1)
    stage = stage_of(stage_file, tmp_path, "a transfer to another Party", "NDC")
    ABROAD(stage)
    found = told(stage.world)["THA02"]
    assert [(one["quantity"], len(one["ranges"])) for one in found] == [(2, 1), (2, 1)]
    stage.world.database.dispose()
