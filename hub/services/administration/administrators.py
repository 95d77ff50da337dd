"""Deeds about administrators themselves: who may sign acts, from when until when.

1. An administrator has one name and one key, neither ever used twice. The key is made under the
   hub's code and is in nobody's list of message keys: it signs acts and opens no door.
2. The last administrator cannot be removed: acts would again need no signature.
"""

from hub.services.administration.deeds import (
    ACTOR_CHARACTERS_MAX,
    AdministrationError,
    Deed,
    is_line,
    require_same,
)
from hub.services.administration.doing import Doing
from hub.services.administration.key_forms import key_form, key_of_form
from hub.store import administrators
from hub.store.administrators import AdministratorRow
from keys.algorithms import signs_messages
from keys.public_keys import KeyRecord


def add_administrator(name: str, key: KeyRecord) -> Deed:
    """Register an administrator with the key they sign acts with."""
    if not is_line(name, ACTOR_CHARACTERS_MAX):
        raise AdministrationError(
            f"an administrator's name is one line of 1 to {ACTOR_CHARACTERS_MAX} characters"
        )
    if key.valid_until is not None:
        raise AdministrationError(
            f"the key {key.key_id} ends by itself; an administrator's key ends when it is removed. "
            "Make one without --valid-until"
        )
    if not signs_messages(key.algorithm):
        raise AdministrationError(f"{key.algorithm} cannot sign acts; take Ed25519 or ES256")
    return Deed(
        "administrator.add", name, {"participant": key.participant, "keys": [key_form(key)]}
    )


def remove_administrator(name: str) -> Deed:
    """End an administrator's time; what they signed before stays good."""
    return Deed("administrator.remove", name, {"name": name})


def do_add_administrator(doing: Doing, deed: Deed) -> None:
    """Register an administrator whose name and key nobody has or had."""
    (form,) = deed.parameters["keys"]
    key = key_of_form(deed.parameters["participant"], form)
    require_same(add_administrator(deed.subject, key), deed)
    hub = doing.identity.hub
    if key.participant != hub:
        raise AdministrationError(
            f"{key.key_id} is made for {key.participant}; an administrator's key is made with "
            f"`itmo-hub keys generate --participant {hub}`"
        )
    if key.valid_from > doing.at:
        raise AdministrationError(f"the key {key.key_id} is not valid yet")
    for row in administrators.every(doing.connection):
        if row.name == deed.subject:
            raise AdministrationError(f"there is or was an administrator {row.name}")
        if row.key.public_key_der == key.public_key_der:
            raise AdministrationError(
                f"{key.key_id} is or was the key of {row.name}; nobody signs under two names"
            )
    for record in doing.data.trust.records():
        if record.public_key_der == key.public_key_der:
            raise AdministrationError(
                f"{key.key_id} signs messages of {record.participant}; an administrator needs a "
                "key of their own"
            )
    administrators.add(
        doing.connection, AdministratorRow(deed.subject, key.public_key, doing.at, None)
    )


def do_remove_administrator(doing: Doing, deed: Deed) -> None:
    """Remove an administrator, unless it is the last one."""
    require_same(remove_administrator(deed.subject), deed)
    names = [row.name for row in administrators.active(doing.connection)]
    if deed.subject not in names:
        raise AdministrationError(f"{deed.subject[:60]} is no administrator")
    if len(names) == 1:
        raise AdministrationError(
            f"{deed.subject} is the last administrator, and acts would need no signature again; "
            "add another one first"
        )
    administrators.remove(doing.connection, deed.subject, doing.at)
