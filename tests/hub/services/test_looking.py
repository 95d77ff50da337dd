"""Who sees what, as a matrix: who asks, and what there is; and the rows are those of the schema."""

from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from hub.checks.facts import MessageContext
from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.accounts import open_account
from hub.services.looking import Looking
from message_schemas import schema_files
from message_schemas.json_codec import decode_body
from tests.hub.world import HUB, World, accepted, act
from tests.integration.peers import Body, block, proposal

ASKERS = ("THA01", "CHE01", "GHA01", "XMR01", "XIR01")
CENTRAL = "XIR01"
PAGE = {"items_max": 100}
COMMON = schema_files.DOCUMENTS["common"]
REGISTRY: Any = Registry().with_resource(COMMON["$id"], Resource.from_contents(COMMON))


def sound(name: str, item: Any) -> None:
    """Fail unless an item is what the common definition says; the answers share it."""
    schema = {"$ref": f"{COMMON['$id']}#/$defs/{name}"}
    jsonschema.Draft202012Validator(schema, registry=REGISTRY).validate(item)


def look(world: World, asker: str, type_: str, **body: Any) -> Any:
    """Return the result that an asker gets, or the code of the refusal."""
    context = MessageContext(
        sender=asker,
        recipient=HUB,
        message_id="m",
        type=type_,
        version=1,
        body=decode_body(type_, 1, body),
        log_index=0,
        position=0,
        envelope_sha256="",
        received_at=datetime.now(UTC),
    )
    looking = Looking(
        world.database, world.receiver.refresh, identity=world.identity, limits=world.limits
    )
    outcome = looking.look(context)
    return outcome.code if outcome.result is None else outcome.result


@pytest.fixture
def ledger(either_world: World) -> World:
    """Give a ledger with units in every kind of hands.

    1-9 went from Thailand to Switzerland's registry, 20-29 are on their way there; 40-44 went to
    Switzerland's account at the international registry, 50-54 to Ghana's.
    """
    for account_id in ("CHE-100-1", "GHA-100-1"):
        account = Account(
            account_id, CENTRAL, 100, account_id[:3], None, None, "GHG", AccountStatus.OPEN
        )
        either_world.administration.do(open_account(account), act())
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    either_world.propose("THA01-2", 20, 29)
    for number, first, account_id in ((3, 40, "CHE-100-1"), (4, 50, "GHA-100-1")):
        said = proposal(f"THA01-{number}", block(first, first + 4), acquiring_account=account_id)
        accepted(either_world.say("THA01", CENTRAL, said))
    return either_world


HELD: dict[str, list[tuple[str, int, int]]] = {
    "THA01": [("THA01", 20, 29)],
    "CHE01": [("CHE01", 1, 9), (CENTRAL, 40, 44)],
    "GHA01": [(CENTRAL, 50, 54)],
    "XMR01": [],
    "XIR01": [(CENTRAL, 40, 44), (CENTRAL, 50, 54)],
}
TOLD: dict[str, set[tuple[str, int]]] = {
    # THA first transferred them all; the others see what came to them, or to their accounts.
    "THA01": {("introduced", 1), ("introduced", 20), ("introduced", 40), ("introduced", 50)},
    "CHE01": {("moved", 1), ("moved", 40)},
    "GHA01": {("moved", 50)},
    "XMR01": set(),
    "XIR01": {("moved", 40), ("moved", 50)},
}
ENDS: dict[str, frozenset[str]] = {
    "THA01-1": frozenset({"THA01", "CHE01"}),
    "THA01-2": frozenset({"THA01", "CHE01"}),
    "THA01-3": frozenset({"THA01", "XIR01", "CHE01"}),
    "THA01-4": frozenset({"THA01", "XIR01", "GHA01"}),
}


@pytest.mark.parametrize("asker", ASKERS)
def test_holdings_are_the_askers_own_and_its_partys_accounts(ledger: World, asker: str) -> None:
    """Never another's; every row is a ``holdings_item``, without members that do not apply."""
    items = look(ledger, asker, "holdings.query", **PAGE)["items"]
    found = [(one["registry"], one["first_serial"], one["last_serial"]) for one in items]
    assert found == HELD[asker]
    for item in items:
        sound("holdings_item", item)
        assert None not in item.values()
    for other in ASKERS:
        narrowed = look(ledger, asker, "holdings.query", registry=other, **PAGE)["items"]
        assert [one["registry"] for one in narrowed] == [
            registry for registry, _, _ in HELD[asker] if registry == other
        ]


@pytest.mark.parametrize("asker", ASKERS)
def test_histories_are_of_units_the_asker_had_to_do_with(ledger: World, asker: str) -> None:
    """By serials: what it or its Party's account gave or got, and all of its Party's own units."""
    whole = block(1, 60)
    wanted: Body = {"first_id": whole["first_id"], "last_id": whole["last_id"]}
    items = look(ledger, asker, "history.query", range=wanted, **PAGE)["items"]
    for item in items:
        sound("history_item", item)
    found = {(one["kind"], one["first_serial"]) for one in items}
    assert TOLD[asker] <= found
    if asker != "THA01":
        assert {serial for _, serial in found} == {serial for _, serial in TOLD[asker]}


@pytest.mark.parametrize("asker", ASKERS)
def test_a_transfer_is_shown_to_its_ends_and_to_the_party_of_its_account(
    ledger: World, asker: str
) -> None:
    """A Party whose account the international registry keeps is an end as well."""
    for transfer_id, ends in ENDS.items():
        for type_, more in (("history.query", PAGE), ("transfer.status", {})):
            found = look(ledger, asker, type_, transfer_id=transfer_id, **more)
            if asker in ends:
                assert not isinstance(found, int), (transfer_id, found)
            else:
                assert found == ResponseCode.NOT_PARTY_TO_TRANSFER


def test_an_act_under_the_id_of_a_transfer_is_no_part_of_the_transfers_history(
    ledger: World,
) -> None:
    """Ids of transfers and of actions are counted apart: the other end sees its transfer alone."""
    use: Body = {
        "action_id": "CHE01-1",
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "CHE",
        "calendar_year": 2022,
        "quantity": 2,
        "blocks": [block(1, 2)],
    }
    accepted(ledger.say("CHE01", HUB, ("action.use", use)))
    accepted(ledger.say("CHE01", "THA01", proposal("CHE01-1", block(3, 4), action="transfer")))
    cancelled: Body = {
        "action_id": "THA01-1",
        "cooperative_approach": "CA0001",
        "kind": "omge",
        "cancelling_party": "THA",
        "quantity": 5,
        "blocks": [block(200, 204)],
    }
    accepted(ledger.say("THA01", HUB, ("action.cancellation", cancelled)))
    for asker, transfer_id, shown in (
        ("THA01", "CHE01-1", [("reserved", 3)]),
        ("CHE01", "THA01-1", [("introduced", 1), ("reserved", 1), ("moved", 1)]),
    ):
        items = look(ledger, asker, "history.query", transfer_id=transfer_id, **PAGE)["items"]
        assert [(one["kind"], one["first_serial"]) for one in items] == shown
