"""The table of all deeds: by kind, the shape of the parameters, how it is done, who must agree.

What stops something takes one administrator: an emergency does not wait for a second one. What
lets go, gives power or ends for good takes two, and so does whatever changes who they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NotRequired, TypedDict

import msgspec

from hub.services.administration import (
    accounts,
    administrators,
    comparing,
    corrections,
    holdings_statements,
    log_losses,
    participants,
    people,
    suspensions,
)
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.doing import Doing
from hub.services.log_standing import LOSS_ACCEPTED
from hub.services.reconciliation.cases import case_acts
from keys.key_ids import is_key_id, participant_of


class _Key(TypedDict):
    key_id: str
    algorithm: str
    public_key: str
    valid_from: str
    valid_until: str | None


class _Participant(TypedDict):
    party: str
    kind: str
    name: str
    state: str
    delivery_mode: str
    endpoint: str | None
    binding: str
    suites: list[str]
    keys: list[_Key]


class _KeyAdded(TypedDict):
    participant: str
    keys: Annotated[list[_Key], msgspec.Meta(min_length=1, max_length=1)]


class _AdministratorAdded(_KeyAdded):
    role: NotRequired[str]
    person: NotRequired[str]


class _KeyRevoked(TypedDict):
    key_id: str


class _State(TypedDict):
    state: str


class _Delivery(TypedDict):
    mode: str
    endpoint: str | None


class _Binding(TypedDict):
    binding: str


class _Account(TypedDict):
    type: int
    party: str
    entity: str | None
    cooperative_approach: str | None
    metric: str
    status: str


class _Status(TypedDict):
    status: str


class _Suspension(TypedDict):
    level: str
    subject: str


class _Units(TypedDict):
    units: str


class _Correction(TypedDict):
    from_registry: str
    to_registry: str
    account: str | None
    case: NotRequired[str]


class _Loss(TypedDict):
    up_to: int


class _Mode(TypedDict):
    mode: str


class _Statement(TypedDict):
    sha256: str
    as_of: int
    applied_to: int
    compared: list[str]
    rows: int
    units: int


class _Name(TypedDict):
    name: str


class _Person(TypedDict):
    display_name: str
    role: str


class _Role(TypedDict):
    role: str


class _Link(TypedDict):
    administrator: str | None


def _always(deed: Deed, hub: str) -> bool:
    del deed, hub
    return True


def _never(deed: Deed, hub: str) -> bool:
    del deed, hub
    return False


def _is_hubs_key(deed: Deed, hub: str) -> bool:
    """A participant's key is stopped by one; without its own, nobody believes the hub."""
    return is_key_id(deed.subject) and participant_of(deed.subject) == hub


def _is_whole_hub(deed: Deed, hub: str) -> bool:
    del hub
    return bool(deed.parameters["level"] == "hub")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of deed: its parameters, its effect, and whether it takes two administrators."""

    shape: Any
    do: Callable[[Doing, Deed], None]
    takes_two: Callable[[Deed, str], bool] = _never


KINDS: Final[Mapping[str, Kind]] = {
    "participant.add": Kind(_Participant, participants.do_add_participant, _always),
    "participant.activate": Kind(_State, participants.do_change_state),
    "participant.suspend": Kind(_State, participants.do_change_state),
    "participant.close": Kind(_State, participants.do_change_state, _always),
    "participant.delivery": Kind(_Delivery, participants.do_set_delivery),
    "participant.binding": Kind(_Binding, participants.do_set_binding),
    "key.add": Kind(_KeyAdded, participants.do_add_key, _always),
    "key.revoke": Kind(_KeyRevoked, participants.do_revoke_key, _is_hubs_key),
    "account.open": Kind(_Account, accounts.do_open_account),
    "account.status": Kind(_Status, accounts.do_set_account_status),
    "suspension.place": Kind(_Suspension, suspensions.do_place_suspension),
    "suspension.lift": Kind(_Suspension, suspensions.do_lift_suspension, _is_whole_hub),
    "block.hold": Kind(_Units, suspensions.do_hold_block),
    "block.release": Kind(_Units, suspensions.do_release_block, _always),
    corrections.CORRECTED: Kind(_Correction, corrections.do_correct_ledger, _always),
    comparing.SET_MODE: Kind(_Mode, comparing.do_set_mode),
    holdings_statements.TAKEN: Kind(_Statement, holdings_statements.do_take_statement),
    case_acts.ACKNOWLEDGE: Kind(case_acts.CasesNamed, case_acts.do_acknowledge),
    case_acts.ASSIGN: Kind(case_acts.CaseAssigned, case_acts.do_assign),
    case_acts.NOTE: Kind(case_acts.CaseNoted, case_acts.do_note),
    case_acts.DUE: Kind(case_acts.CaseDue, case_acts.do_set_due),
    case_acts.BEGIN_CORRECTION: Kind(case_acts.CaseCorrection, case_acts.do_begin_correction),
    case_acts.ASK_RERUN: Kind(case_acts.CasesNamed, case_acts.do_ask_rerun),
    LOSS_ACCEPTED: Kind(_Loss, log_losses.do_accept_loss, _always),
    administrators.ADDED: Kind(_AdministratorAdded, administrators.do_add_administrator, _always),
    administrators.REMOVED: Kind(_Name, administrators.do_remove_administrator, _always),
    people.ADD: Kind(_Person, people.do_add_person, people.gives_power),
    people.SET_ROLE: Kind(_Role, people.do_set_role, people.gives_power),
    people.DISABLE: Kind(_Name, people.do_disable_person),
    people.ENABLE: Kind(_Name, people.do_enable_person),
    people.RESET: Kind(_Name, people.do_reset_person),
    people.LINK: Kind(_Link, people.do_link_administrator, people.gives_power),
}


def kind_of(deed: Deed) -> Kind:
    """Return the kind of a deed whose parameters have their shape. Raises AdministrationError."""
    kind = KINDS.get(deed.kind)
    if kind is None:
        raise AdministrationError(f"there is no act {deed.kind[:50]!r}: {', '.join(KINDS)}")
    try:
        msgspec.convert(deed.parameters, kind.shape)
    except msgspec.ValidationError as error:
        raise AdministrationError(f"{deed.kind} has other parameters: {error}") from error
    return kind
