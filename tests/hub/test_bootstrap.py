"""Putting the hub together: its own keys and participants, its database, its handlers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub import bootstrap
from hub.checks import rulebook
from hub.config import Settings
from hub.protocol.signed_objects import Binding, SigningKeys
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import add_key, revoke_key
from hub.services.start_errors import StartError
from hub.store import mailboxes, reference
from hub.store.database import Database
from hub.store.tables import envelope
from keys.errors import KeysError
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from keys.signer import Signer
from tests.hub.commands.test_retention import old_world
from tests.integration.hub_process import hub_key_variable
from tests.integration.peers import now, seeded_signer, seeded_xml_signer


def own(database: Database) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the kind of each participant, and its key ids."""
    with database.reading() as connection:
        kinds = {row.code: row.kind for row in reference.participants(connection)}
        keys: dict[str, list[str]] = {}
        for record in reference.key_records(connection):
            keys.setdefault(record.participant, []).append(record.key_id)
    return kinds, keys


def ensure(database: Database, *signers: Signer) -> None:
    """Register the central systems as a start does."""
    settings = Settings()
    bootstrap.ensure_own_participants(database, settings, SigningKeys.of(signers), now())


def test_the_first_start_makes_the_schema_and_the_central_systems(database_url: str) -> None:
    """The hub with its key, the international registry without; a second start adds nothing."""
    database = bootstrap.open_database(Settings(database_url=database_url), create=True)
    hub = seeded_signer("XHB01")
    for _ in range(2):
        ensure(database, hub)
        assert own(database) == (
            {"XHB01": "hub", "XIR01": "international_registry"},
            {"XHB01": [hub.key_id]},
        )
    database.dispose()


def test_a_key_nobody_announced_does_not_become_the_hubs_by_a_start(sqlite_url: str) -> None:
    """A new key is registered first; and a participant's key never is the hub's."""
    database = Database(sqlite_url)
    old, new = seeded_signer("XHB01"), seeded_signer("XHB01", "new")
    ensure(database, old)
    with pytest.raises(StartError, match="participant key-add"):
        ensure(database, new)
    announced = KeyRecord.of(PublicKey.from_der("XHB01", new.public_key_der), now())
    Administration(database).do(add_key(announced), Act("operator", "the next key", now()))
    ensure(database, new)
    assert set(own(database)[1]["XHB01"]) == {old.key_id, new.key_id}
    stolen = seeded_signer("THA01")
    with pytest.raises(StartError, match="the key of THA01"):
        ensure(database, LocalSigner(stolen._key, "XHB01"))
    database.dispose()


def test_a_hub_does_not_start_with_a_key_of_its_own_that_counts_no_more(
    sqlite_url: str, xml_url: str
) -> None:
    """Revoked or ended: the message names the setting, the key, when, and the remedy."""
    signer, xml_signer = seeded_signer("XHB01"), seeded_xml_signer("XHB01")
    database = Database(xml_url)
    settings, both = Settings(), SigningKeys.of([signer], xml_signer)
    bootstrap.ensure_own_participants(database, settings, both, now())
    acts = Administration(database)
    acts.do(revoke_key(xml_signer.key_id), Act("operator", "stolen", now()))
    with pytest.raises(StartError) as refused:
        bootstrap.ensure_own_participants(database, settings, both, now())
    for said in ("`xml_signer`", xml_signer.key_id, "was revoked at", "participant key-add"):
        assert said in str(refused.value)
    ensure(database, signer)  # without the setting the hub starts
    database.dispose()

    database = Database(sqlite_url)
    with database.writing() as connection:
        reference.end_key(connection, signer.key_id, now())
    with pytest.raises(StartError, match=f"`signers` names the key {signer.key_id}, which was val"):
        ensure(database, signer)
    database.dispose()


def test_hub_processes_that_start_together_register_their_own_once(database_url: str) -> None:
    """Whoever comes second finds it done, and starts as well."""
    database = bootstrap.open_database(Settings(database_url=database_url), create=True)
    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(ensure, database, seeded_signer("XHB01")) for _ in range(4)]:
            started.result(30)
    kinds, keys = own(database)
    assert set(kinds) == {"XHB01", "XIR01"}
    assert len(keys["XHB01"]) == 1
    database.dispose()


def test_a_hub_does_not_start_without_a_key_it_can_open(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None named, one that is not there, or one of somebody else's kind: said at the start."""
    with pytest.raises(StartError, match="keys generate"):
        bootstrap.build(Settings(database_url=sqlite_url))
    with pytest.raises(KeysError):
        bootstrap.build(Settings(database_url=sqlite_url, signers=("env:UNSET_KEY",)))
    monkeypatch.setenv("HUB_KEY", "nonsense")
    with pytest.raises(KeysError):
        bootstrap.build(Settings(database_url=sqlite_url, signers=("env:HUB_KEY",)))


def test_the_key_for_xml_is_the_one_named_or_a_lone_key_that_can(
    sqlite_url: str, xml_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ES256 alone signs XML; a new key is registered first, as any next key of the hub."""
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    monkeypatch.setenv("HUB_XML_KEY", hub_key_variable(seeded_xml_signer("XHB01")))
    plain, own = ("env:HUB_KEY",), "env:HUB_XML_KEY"
    keys = bootstrap.open_keys(Settings(database_url=xml_url, signers=plain))
    assert not keys.speaks(Binding.XML)
    lone = bootstrap.open_keys(Settings(database_url=xml_url, signers=("env:HUB_XML_KEY",)))
    assert lone.speaks(Binding.XML)
    assert len(lone.signers) == 1
    process = bootstrap.build(Settings(database_url=xml_url, signers=plain, xml_signer=own))
    assert [one.algorithm for one in process.keys.signers] == ["Ed25519", "ES256"]
    process.database.dispose()
    with pytest.raises(StartError, match="key-add"):
        bootstrap.build(Settings(database_url=sqlite_url, signers=plain, xml_signer=own))
    wrong = Settings(database_url=xml_url, signers=plain, xml_signer="env:HUB_KEY")
    with pytest.raises(StartError, match="--algorithm ES256"):
        bootstrap.build(wrong)


def test_a_certificate_that_is_none_stops_the_start(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are named, before any port is opened."""
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    path = tmp_path / "hub.pem"
    path.write_text("no certificate")
    settings = Settings(
        database_url=sqlite_url, signers=("env:HUB_KEY",), tls_certificate=path, tls_key=path
    )
    with pytest.raises(StartError, match=r"hub\.pem"):
        bootstrap.build(settings)


async def test_a_hub_starts_serves_and_closes_in_one_process(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started on free ports, with the operator's port beside the public one; closed cleanly."""
    import aiohttp

    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    settings = Settings(database_url=sqlite_url, signers=("env:HUB_KEY",), port=0, metrics_port=0)
    process = bootstrap.build(settings)
    await process.start()
    assert process.leadership.leads
    async with (
        aiohttp.ClientSession() as http,
        http.get(process.address + "/health/ready") as response,
    ):
        assert (await response.json())["leads"] is True
        async with http.get(process.address + "/metrics") as public:
            assert public.status == 404
    await process.close()
    assert not process.leadership.leads


async def test_the_hub_that_leads_announces_a_newer_rulebook_and_another_does_not(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process of two tells the participants, within a second of its start."""
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    monkeypatch.setattr(rulebook, "CURRENT", "2027-03-01")
    settings = Settings(database_url=sqlite_url, signers=("env:HUB_KEY",), port=0)
    leader, follower = bootstrap.build(settings), bootstrap.build(settings)
    await leader.start()
    await follower.start()
    deadline = asyncio.get_running_loop().time() + 10
    told: list[str] = []
    while not told and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
        with leader.database.reading() as connection:
            items = mailboxes.items_after(connection, "CHE01", 0, 10)
        told = [one.item.notices or "" for one in items]
    assert len(told) == 1
    assert "rulebook.published" in told[0]
    await leader.close()
    await follower.close()


async def test_the_hub_that_leads_erases_what_is_older_than_the_time_of_retention(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a timed job, beside its other work; without the setting the job does nothing."""
    old_world(sqlite_url)
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    monkeypatch.setattr(bootstrap, "ERASURE_SECONDS", 0.2)
    settings = Settings(database_url=sqlite_url, signers=("env:HUB_KEY",), port=0)

    async def kept_after(seconds: float, settings: Settings) -> int:
        process = bootstrap.build(settings)
        await process.start()
        await asyncio.sleep(seconds)
        with process.database.reading() as connection:
            found = connection.execute(
                select(func.count()).where(envelope.c.body.is_not(None))
            ).scalar_one()
        await process.close()
        return int(found)

    assert await kept_after(0.6, settings) > 3
    assert await kept_after(1.5, settings.model_copy(update={"retention_days": 30})) == 0


def test_the_clock_is_aware_and_in_whole_milliseconds() -> None:
    """The protocol's resolution, from the one place that asks for the time."""
    at = bootstrap.clock()
    assert at.utcoffset() is not None
    assert at.microsecond % 1_000 == 0
