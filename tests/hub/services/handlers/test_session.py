"""Messages about the connection: hello, keys, notes."""

from datetime import timedelta

from hub.protocol.response_codes import ResponseCode
from hub.services.administration.participants import set_delivery
from hub.store import alerts, reference
from keys.possession import sign_possession
from message_schemas import code_lists, timestamps
from tests.hub.world import HUB, World, accepted, act, codes_of, notices_to
from tests.integration.peers import Said, now, payload_of, seeded_signer


def hello(mode: str, binding: str = "json") -> Said:
    """Return a hello that asks for a way of delivery, in a binding."""
    body = {
        "software": "tests",
        "protocol_versions": ["itmo-exchange/1"],
        "binding": binding,
        "delivery_mode": mode,
    }
    return "participant.hello", body


def rotation(salt: str, *, starts_in: timedelta, holder: str = "CHE01") -> Said:
    """Return the announcement of a new key of CHE01."""
    at = now() + starts_in
    document = sign_possession(seeded_signer(holder, salt), holder, valid_from=at)
    body = {
        "key_document": document.decode(),
        "starts_at": timestamps.render(at),
        "overlap_seconds": 604_800,
    }
    return "key.rotate", body


def test_a_hello_is_answered_with_what_the_hub_goes_by(world: World) -> None:
    """Its time, rulebook, code lists and limits; the way of delivery changes with it."""
    world.administration.do(set_delivery("CHE01", "pull", "https://ch.example/in"), act())
    (outcome,) = accepted(world.say("CHE01", HUB, hello("push")))["outcomes"]
    assert outcome["result"]["code_lists"] == code_lists.CURRENT
    assert outcome["result"]["limits"] == world.limits.document()
    with world.database.reading() as connection:
        modes = {row.code: row.delivery_mode for row in reference.participants(connection)}
    assert modes["CHE01"] == "push"
    refused = world.say("THA01", HUB, hello("push"))
    assert codes_of(refused) == [ResponseCode.CONDITIONAL_FIELD_MISSING]
    world.prove()


def binding_of_deliveries(world: World, code: str) -> str:
    """Return in which binding a participant's deliveries are written, as everybody is told."""
    world.receiver.look_again()
    return world.receiver.data.rows[code].binding


def test_a_hello_says_in_which_binding_deliveries_come(xml_world: World) -> None:
    """In force with the receipt, for this participant alone; the last one of a batch counts."""
    accepted(xml_world.say("CHE01", HUB, hello("pull", "xml")))
    assert binding_of_deliveries(xml_world, "CHE01") == "xml"
    assert binding_of_deliveries(xml_world, "THA01") == "json"
    accepted(xml_world.say("CHE01", HUB, hello("pull", "xml"), hello("pull", "json")))
    assert binding_of_deliveries(xml_world, "CHE01") == "json"
    xml_world.prove()


def test_a_binding_the_hub_cannot_write_is_refused_with_the_remedy(
    world: World, xml_world: World
) -> None:
    """No key for XML at the hub; or a participant whose suites leave out ES256."""
    for hub, why in ((world, "xml_signer"), (strict(xml_world), "ES256 alone")):
        receipt = hub.say("CHE01", HUB, hello("pull", "xml"))
        assert codes_of(receipt) == [ResponseCode.BINDING_NOT_AVAILABLE]
        assert why in receipt["outcomes"][0]["findings"][0]["text"]
        assert binding_of_deliveries(hub, "CHE01") == "json"


def strict(world: World) -> World:
    """Return the world with CHE01 bound to Ed25519."""
    with world.database.writing() as connection:
        connection.exec_driver_sql("UPDATE participant SET suites = 'Ed25519' WHERE code = 'CHE01'")
    return World(world.database, keys=world.keys)


def test_a_new_key_is_announced_to_everyone_and_overlaps_the_old_one(world: World) -> None:
    """The old key gets its end, the new one its beginning; all partners are told."""
    accepted(world.say("CHE01", HUB, rotation("new", starts_in=timedelta(hours=2))))
    with world.database.reading() as connection:
        records = {r.key_id: r for r in reference.key_records(connection)}
    old, new = seeded_signer("CHE01").key_id, seeded_signer("CHE01", "new").key_id
    ends = records[old].valid_until
    assert ends is not None
    assert records[new].valid_from < ends
    for partner in ("THA01", "GHA01", "XMR01"):
        (told,) = [body for type_, body in notices_to(world, partner) if type_ == "key.changed"]
        assert (told["participant"], told["key_id"], told["change"]) == ("CHE01", new, "added")
    world.prove()


def test_a_key_change_that_cannot_be_is_refused_with_its_own_code(world: World) -> None:
    """A start in the past, a key of somebody else, a revocation of a stranger's key."""
    stranger = seeded_signer("THA01").key_id
    for said in (
        rotation("new", starts_in=timedelta(hours=-2)),
        rotation("new", starts_in=timedelta(hours=2), holder="THA01"),
        ("key.revoke", {"key_id": stranger, "reason": "mischief"}),
    ):
        receipt = world.say("CHE01", HUB, said)
        assert codes_of(receipt) == [ResponseCode.KEY_CHANGE_REFUSED]
    with world.database.reading() as connection:
        assert all(record.revoked_at is None for record in reference.key_records(connection))


def test_a_note_goes_to_the_partner_or_to_the_secretariat(world: World) -> None:
    """To the hub it raises an alert; to a partner it is delivered as it is."""
    note: Said = ("administrator.note", {"subject": "Maintenance", "text": "On Sunday."})
    accepted(world.say("THA01", HUB, note))
    accepted(world.say("THA01", "CHE01", note))
    with world.database.reading() as connection:
        (alert,) = alerts.newest(connection)
    assert (alert.kind, alert.detail) == ("note", "Maintenance")
    (delivery,) = world.maker.prepare(world.database, ["CHE01"], now())
    assert delivery.body is not None
    (item,) = payload_of(delivery.body, "itmo-delivery+jws")["items"]
    assert payload_of(item["envelope"].encode(), "itmo-envelope+jws")["sender"] == "THA01"
    assert [one["outcome"] for one in item["verdicts"]] == ["accepted"]
