"""Registries in trouble, for tests of their pages: failures, keys that end, suspensions, markup."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.retry_schedule import RetrySchedule
from hub.services import deliver
from hub.services.administration import suspensions
from hub.services.administration.accounts import open_account
from hub.services.administration.participants import add_key, add_participant, set_delivery
from hub.store.reference import ParticipantRow
from keys.local_signer import LocalSigner
from keys.possession import sign_possession
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.world import World, act
from tests.integration.peers import now, seeded_signer

MARKUP: Final = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
"""What somebody could type, or a registry's endpoint answer, to run in a reader's browser."""


def proof(code: str, days: int | None = None, seed: str = "next") -> str:
    """Return the document of a new key, signed by itself, as the registry sends it."""
    signer = signer_of(code, seed)
    until = None if days is None else now() + timedelta(days=days)
    return sign_possession(signer, code, valid_from=now(), valid_until=until).decode()


def signer_of(code: str, seed: str = "next") -> LocalSigner:
    """Return another signer of a participant, the same for the same seed."""
    return seeded_signer(code, seed)


def trouble(world: World) -> None:
    """Give THA01 a failing endpoint, an ending key, a reason with markup; stop some things."""
    administration = world.administration
    administration.do(set_delivery("THA01", "push", "https://tha.example/itmo?a=<b>"), act())
    world.maker.prepare(world.database, ["THA01"], now())
    for _ in range(6):
        deliver.note_failure(
            world.database,
            "THA01",
            error=f"500 {MARKUP}",
            schedule=RetrySchedule(),
            jitter=0.5,
            now=now(),
        )
    key = PublicKey.from_der("CHE01", signer_of("CHE01").public_key_der)
    record = KeyRecord.of(key, now() - timedelta(days=1), now() + timedelta(days=5))
    administration.do(add_key(record), act(f"rotated {MARKUP}"))
    for level, subject in (
        ("participant", "GHA01"),
        ("pair", "CHE01/THA01"),
        ("message_type", "transfer.proposal"),
        ("account", "XIR01/CH-1"),
    ):
        administration.do(suspensions.place_suspension(level, subject), act(f"look {MARKUP}"))
    administration.do(suspensions.lift_suspension("pair", "CHE01/THA01"), act("again"))
    open_swiss_account(world, "CH-1")


def open_swiss_account(world: World, account_id: str) -> None:
    """Open an account of Switzerland in the international registry."""
    account = Account(
        account_id=account_id,
        registry="XIR01",
        type=100,
        party="CHE",
        entity=f"E {MARKUP}",
        cooperative_approach=None,
        metric="GHG",
        status=AccountStatus.OPEN,
    )
    world.administration.do(open_account(account), act())


def add_many(world: World, codes: Sequence[str], name: str = "A registry") -> None:
    """Register participants without keys, as rows of the list."""
    for code in codes:
        row = ParticipantRow(
            code=code,
            party=code[:3],
            kind="party_registry",
            name=name,
            state="registered",
            delivery_mode="pull",
            endpoint=None,
            binding="json",
            suites=(),
            added_at=now(),
            last_seen_at=None,
        )
        world.administration.do(add_participant(row, []), act())
