"""Reference data: what is written is what is read, with its types and in a stable order."""

from dataclasses import replace
from datetime import timedelta

from hub.international_registry.accounts import Account, AccountStatus
from hub.international_registry.authorizations import AuthorizationUsage
from hub.store import reference
from hub.store.database import Database
from hub.store.reference import IssuanceRow, ParticipantRow, RecordRow, SuspensionRow
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.store.samples import AT, rolled_back
from tests.integration.peers import seeded_signer

PERU = ParticipantRow(
    code="PER01",
    party="PER",
    kind="party_registry",
    name="Registro Nacional — Perú",
    state="registered",
    delivery_mode="push",
    endpoint="https://registry.example/itmo",
    binding="json",
    suites=("ES256", "Ed25519+ML-DSA-65"),
    added_at=AT,
    last_seen_at=None,
)
ACCOUNT = Account(
    account_id="CHE-100-1",
    registry="XIR01",
    type=100,
    party="CHE",
    entity=None,
    cooperative_approach="CA0001",
    metric="GHG",
    status=AccountStatus.OPEN,
)


def test_a_participant_comes_back_and_changes_field_by_field(shared_database: Database) -> None:
    """State, delivery and last sign of life are written each on its own."""
    with rolled_back(shared_database) as connection:
        reference.add_participant(connection, PERU)

        def read() -> ParticipantRow:
            rows = {row.code: row for row in reference.participants(connection)}
            assert list(rows) == sorted(rows)
            return rows["PER01"]

        assert read() == PERU
        reference.set_participant_state(connection, "PER01", "active")
        reference.set_delivery(connection, "PER01", mode="pull", endpoint=None)
        reference.note_seen(connection, ["PER01"], AT)
        assert read() == replace(
            PERU, state="active", delivery_mode="pull", endpoint=None, last_seen_at=AT
        )


def test_a_key_keeps_its_window_and_its_revocation(shared_database: Database) -> None:
    """The first revocation stands; a rotated key has an end; other keys are not touched."""
    first, second = (
        KeyRecord.of(PublicKey.from_der("PER01", seeded_signer("PER01", salt).public_key_der), AT)
        for salt in ("one", "two")
    )
    with rolled_back(shared_database) as connection:
        reference.add_participant(connection, PERU)
        reference.add_key(connection, first)
        reference.add_key(connection, replace(second, valid_until=AT + timedelta(days=9)))
        reference.end_key(connection, first.key_id, AT + timedelta(days=1))
        reference.revoke_key(connection, second.key_id, AT + timedelta(days=2))
        reference.revoke_key(connection, second.key_id, AT + timedelta(days=3))
        found = {one.key_id: one for one in reference.key_records(connection)}
    assert found[first.key_id] == replace(first, valid_until=AT + timedelta(days=1))
    assert found[second.key_id] == replace(
        second, valid_until=AT + timedelta(days=9), revoked_at=AT + timedelta(days=2)
    )


def test_an_account_comes_back_and_says_whether_it_exists(shared_database: Database) -> None:
    """A status is written to an account that is there, and only to that."""
    with rolled_back(shared_database) as connection:
        reference.add_account(connection, ACCOUNT, AT)
        assert reference.accounts(connection) == [ACCOUNT]
        assert reference.set_account_status(connection, "XIR01", "CHE-100-1", "closed")
        assert not reference.set_account_status(connection, "XIR01", "CHE-100-2", "closed")
        assert [one.status for one in reference.accounts(connection)] == ["closed"]


def test_a_lifted_suspension_stays_on_record(shared_database: Database) -> None:
    """In force until lifted; afterwards only the full list shows it."""
    row = SuspensionRow("participant", "CHE01", AT, "a broken key", None)
    with rolled_back(shared_database) as connection:
        reference.place_suspension(connection, row)
        assert reference.suspensions(connection) == [row]
        later = AT + timedelta(days=1)
        assert reference.lift_suspension(connection, "participant", "CHE01", later) == 1
        assert reference.lift_suspension(connection, "participant", "CHE01", later) == 0
        assert reference.suspensions(connection) == []
        assert reference.suspensions(connection, open_only=False) == [replace(row, lifted_at=later)]


def test_records_come_oldest_version_first(shared_database: Database) -> None:
    """So that the last one read is the one in force."""
    rows = [
        RecordRow("authorization", "THA", "TH-1", version, f'{{"version":{version}}}', version)
        for version in (1, 2, 10)
    ]
    with rolled_back(shared_database) as connection:
        for row in reversed(rows):
            reference.add_record(connection, row)
        assert reference.records(connection) == rows


def test_an_issuance_counts_what_was_pushed_of_it(shared_database: Database) -> None:
    """Its counters are written together, its notice never again; unknown ids are left out."""
    row = IssuanceRow("XMR01-1", "{}", 5, 0, 0, 0)
    counted = replace(row, sop_done=5, omge_done=2, forwarded=93)
    changed = replace(counted, authorized_later=40, sop_later=2, omge_later=1)
    with rolled_back(shared_database) as connection:
        reference.add_issuance(connection, row)
        reference.update_issuance(connection, replace(changed, body="", log_index=0))
        found = reference.issuances(connection, ["XMR01-1", "XMR01-2"])
        assert found == {"XMR01-1": changed}
        assert reference.issuances(connection, []) == {}


def test_usage_is_written_and_written_again(shared_database: Database) -> None:
    """By Party and authorization; the largest quantity there can be fits."""
    key, largest = ("THA", "TH-1"), 2**63 - 2
    with rolled_back(shared_database) as connection:
        usage = AuthorizationUsage(first_transferred=1, reserved=2)
        reference.write_usages(connection, {key: usage}, known=())
        usage = AuthorizationUsage(first_transferred=largest, reserved=0)
        reference.write_usages(connection, {key: usage}, known={key})
        assert reference.usages(connection, [key, ("CHE", "TH-1")]) == {key: usage}
        assert reference.usages(connection, []) == {}
