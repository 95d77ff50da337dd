"""At every start: the hub and the international registry are participants like all others.

1. What is missing is registered: the two codes, and the hub's own keys at its first start.
2. A signer that is somebody else's key is refused, and so is a new one nobody was told of, and one
   that was revoked or has ended.
3. Hub processes that start together each find some of it done by another: then they look again.
"""

import contextlib
from datetime import datetime, timedelta

from hub.protocol.signed_objects import SigningKeys
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act, AdministrationError
from hub.services.administration.participants import add_participant
from hub.services.load_facts import HubIdentity
from hub.services.own_keys import fault_of_key, remedy_for, setting_of
from hub.services.start_errors import StartError
from hub.store import reference
from hub.store.database import Database
from hub.store.reference import ParticipantRow
from keys.public_keys import KeyRecord, PublicKey


def ensure(
    database: Database,
    identity: HubIdentity,
    keys: SigningKeys,
    now: datetime,
    clock_skew: timedelta,
) -> None:
    """Register what is missing; the hub's keys are valid from ``clock_skew`` ago on.

    Raises StartError for a signer the hub may not sign with.
    """
    for _ in (*keys.signers, "the hub", "the international registry"):
        with contextlib.suppress(AdministrationError):
            return _register(database, identity, keys, now, clock_skew)
    return _register(database, identity, keys, now, clock_skew)


def _register(
    database: Database,
    identity: HubIdentity,
    keys: SigningKeys,
    now: datetime,
    clock_skew: timedelta,
) -> None:
    """Register what is missing. Raises AdministrationError if another process was faster."""
    administration = Administration(database, identity)
    act = Act(actor=identity.hub, reason="the hub's own start", at=now)
    with database.reading() as connection:
        known = {row.code for row in reference.participants(connection)}
        registered = reference.key_records(connection)
    records = [
        KeyRecord.of(PublicKey.from_der(identity.hub, signer.public_key_der), now - clock_skew)
        for signer in keys.signers
    ]
    _refuse_others_keys(records, registered, known, identity.hub)
    _refuse_ended_keys(keys, registered, identity.hub, now)
    if identity.hub not in known:
        row = _central(identity.hub, "hub", "ITMO Hub", now)
        administration.do_at_start(add_participant(row, records), act)
    if identity.international_registry not in known:
        row = _central(
            identity.international_registry,
            "international_registry",
            "International registry",
            now,
        )
        administration.do_at_start(add_participant(row, []), act)


def _refuse_others_keys(
    own: list[KeyRecord], registered: list[KeyRecord], known: set[str], hub_code: str
) -> None:
    """Raise StartError for a signer that is somebody else's key, or a new one nobody announced."""
    owners = {record.public_key_der: record.participant for record in registered}
    for record in own:
        owner = owners.get(record.public_key_der)
        if owner not in (None, hub_code):
            raise StartError(
                f"a signer is the key of {owner}; the hub needs a key of its own, which nobody "
                "else holds"
            )
        if owner is None and hub_code in known:
            raise StartError(
                f"the key {record.key_id} is not registered for {hub_code}, which has other keys. "
                "If it is the next one, register it first: `itmo-hub participant key-add "
                "NAME.proof.jws --reason ...`; participants must learn of it before it signs"
            )


def _refuse_ended_keys(
    keys: SigningKeys, registered: list[KeyRecord], hub_code: str, now: datetime
) -> None:
    """Raise StartError for a signer that was revoked or has ended: nobody would believe it."""
    known = {record.key_id: record for record in registered}
    for signer in keys.signers:
        if signer.key_id not in known:
            continue  # it is registered in a moment
        if (fault := fault_of_key(known[signer.key_id], hub_code, now)) is not None:
            setting = setting_of(keys, signer.key_id)
            raise StartError(
                f"`{setting}` names the key {signer.key_id}, which {fault}: the hub does not sign "
                f"with it. {remedy_for(hub_code, setting)}."
            )


def _central(code: str, kind: str, name: str, now: datetime) -> ParticipantRow:
    return ParticipantRow(
        code=code,
        party=code[:3],
        kind=kind,
        name=name,
        state="active",
        delivery_mode="pull",
        endpoint=None,
        binding="json",
        suites=(),
        added_at=now,
        last_seen_at=None,
    )
