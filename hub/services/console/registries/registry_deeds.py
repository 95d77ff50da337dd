"""Deeds about registries from what was typed, checked one by one so that a form names the place.

The services check all of this again when the act is done; here a person hears of it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.protocol.signed_objects import Binding
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.participants import (
    ENDPOINT_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    TRANSITIONS,
    add_key,
    add_participant,
    change_state,
    check_endpoint,
    revoke_key,
    set_binding,
    set_delivery,
)
from hub.services.console.registries.registry_keys import Proof
from hub.services.console.registries.registry_list import CONNECTED
from hub.store.reconciliation.links import MODES
from hub.store.reference import ParticipantRow
from keys.algorithms import SUITES
from keys.key_ids import is_participant

__all__ = [
    "BINDINGS",
    "DELIVERY_MODES",
    "ENDPOINT_CHARACTERS_MAX",
    "KINDS_ADDED",
    "MODES",
    "NAME_CHARACTERS_MAX",
    "SUITE_NAMES",
    "TRANSITIONS",
    "Typed",
    "TypedError",
    "add_key",
    "change_state",
    "check_delivery",
    "new_participant",
    "revoke_key",
    "set_binding",
    "set_delivery",
]

KINDS_ADDED: Final = CONNECTED
BINDINGS: Final = tuple(str(one) for one in Binding)
DELIVERY_MODES: Final = ("pull", "push")
SUITE_NAMES: Final = tuple(sorted(SUITES))


class TypedError(AdministrationError):
    """What was typed in one field cannot be; ``field`` is its name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed of a new participant."""

    code: str
    kind: str
    name: str
    delivery_mode: str
    endpoint: str | None
    binding: str
    suites: tuple[str, ...]


def new_participant(typed: Typed, proofs: Sequence[Proof], known: bool, now: datetime) -> Deed:
    """Return the deed that registers a participant with its first keys. Raises TypedError.

    ``known`` tells that the code is registered already.
    """
    if not is_participant(typed.code):
        raise TypedError("code", "a code is three capital letters and two digits, such as THA01")
    if known:
        raise TypedError("code", f"{typed.code} is registered already")
    check_delivery(typed.delivery_mode, typed.endpoint)
    unknown = set(typed.suites) - SUITES
    if unknown:
        raise TypedError("suite", f"suites are among {', '.join(SUITE_NAMES)}")
    for proof in proofs:
        if proof.record.participant != typed.code:
            message = (
                f"{proof.record.key_id} is a key of {proof.record.participant}, not of {typed.code}"
            )
            raise TypedError("keys", message)
    row = ParticipantRow(
        code=typed.code,
        party=typed.code[:3],
        kind=typed.kind,
        name=typed.name,
        state="registered",
        delivery_mode=typed.delivery_mode,
        endpoint=typed.endpoint,
        binding=typed.binding,
        suites=typed.suites,
        added_at=now,
        last_seen_at=None,
    )
    return add_participant(row, [proof.record for proof in proofs])


def check_delivery(mode: str, endpoint: str | None) -> None:
    """Raise TypedError unless deliveries can go like this."""
    if mode == "push" and endpoint is None:
        raise TypedError("endpoint", "push needs an address, such as https://tha.example/itmo")
    try:
        check_endpoint(endpoint)
    except AdministrationError as error:
        raise TypedError("endpoint", str(error)) from error
