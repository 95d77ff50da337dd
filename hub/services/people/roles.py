"""The roles of people, and what each may see and do: one table for pages, forms and signatures.

1. A right is what a page or a form needs; a role has rights. Nobody has the right to everything: an
   auditor sees all and does nothing, an officer works cases, an operator runs the exchange.
2. A kind of act needs one right, whoever asks for it and from where. A signature of an officer's
   key counts for acts on cases and for nothing else, at the command line too.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is at the hub."""

    VIEWER = "viewer"
    OFFICER = "officer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What a page or an act needs."""

    SIGNED_IN = "signed in"
    """One's own account: password, second factor, keys, sessions."""
    LOOK = "look"
    """Nights, cases, transfers, registries, ledger, log."""
    READ_MESSAGES = "read messages"
    """Signed messages as they came, and evidence to take away."""
    READ_ACTS = "read acts"
    """Who did what at the hub, who signed in, what waits for a second person."""
    WORK_CASES = "work cases"
    """Acknowledge, assign, note, ask, propose entries, compare again."""
    OPERATE = "operate"
    """Deliver now, suspend and resume, registries and their keys, accounts."""
    ADMINISTER = "administer"
    """People, administrators and their keys."""


_LOOKING: Final = frozenset({Right.SIGNED_IN, Right.LOOK})
_READING: Final = _LOOKING | {Right.READ_MESSAGES}

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.VIEWER: _LOOKING,
    Role.AUDITOR: _READING | {Right.READ_ACTS},
    Role.OFFICER: _READING | {Right.READ_ACTS, Right.WORK_CASES},
    Role.OPERATOR: _READING | {Right.READ_ACTS, Right.OPERATE},
    Role.ADMINISTRATOR: frozenset(Right),
}

RIGHT_OF_KIND: Final[Mapping[str, Right]] = {
    "case": Right.WORK_CASES,
    "ledger.correct": Right.WORK_CASES,
    "administrator": Right.ADMINISTER,
    "person": Right.ADMINISTER,
    "log": Right.ADMINISTER,
}
"""By kind of act, or by its first word; all other kinds need ``OPERATE``."""


def right_for(kind: str) -> Right:
    """Return the right that an act of a kind needs."""
    family = kind.partition(".")[0]
    return RIGHT_OF_KIND.get(kind, RIGHT_OF_KIND.get(family, Right.OPERATE))


def may(role: Role | str, right: Right) -> bool:
    """Tell whether a role has a right. Raises ValueError for what is no role."""
    return right in RIGHTS[Role(role)]


def may_sign(role: str, kind: str) -> bool:
    """Tell whether the signature of a role counts for a kind of act; no role's never does."""
    return role in set(Role) and may(role, right_for(kind))
