"""Accounts of the international registry: their kinds as data, what each may receive and give.

The numbers come from the common nomenclatures (table T52). Only one label was published with them,
200 = use towards NDC; all others are OURS until the list is, so the kinds are a mapping that an
operator can replace, and each entry says where its label comes from.

What a provisional account may do is not published either. Our default: receive and hold; giving
needs the operator's consent.

Units for the Adaptation Fund lie in a holding account of the Party code ``XAF``: ours too, from the
range of codes that ISO 3166-1 leaves to its users.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hub.international_registry.units import Series

ADAPTATION_FUND_PARTY: Final = "XAF"


class AccountKind(StrEnum):
    """What an account is for."""

    HOLDING = "holding"
    USE_TOWARDS_NDC = "use_towards_ndc"
    USE_TOWARDS_OIMP = "use_towards_oimp"
    CANCELLATION_OMGE = "cancellation_omge"
    CANCELLATION_VOLUNTARY = "cancellation_voluntary"
    CANCELLATION_OIMP = "cancellation_oimp"
    CANCELLATION_OTHER = "cancellation_other"


class AccountStatus(StrEnum):
    """How far the opening of an account has come, and whether it still is open."""

    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    PROVISIONAL = "provisional"
    OPEN = "open"
    SUSPENDED = "suspended"
    CLOSED = "closed"


RECEIVING_STATUSES: Final = frozenset({AccountStatus.PROVISIONAL, AccountStatus.OPEN})


@dataclass(frozen=True, slots=True)
class AccountType:
    """One number of the list: its kind, and whether the label is published or ours."""

    code: int
    kind: AccountKind
    label: str
    label_is_ours: bool

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing ever leaves it (7/CMA.4 annex I para 45; 2/CMA.3 a.21(e))."""
        return self.kind is not AccountKind.HOLDING


AccountTypes = Mapping[int, AccountType]


def _types(*types: AccountType) -> AccountTypes:
    return MappingProxyType({type_.code: type_ for type_ in types})


ACCOUNT_TYPES: Final = _types(
    AccountType(100, AccountKind.HOLDING, "Holding", True),
    AccountType(200, AccountKind.USE_TOWARDS_NDC, "Use towards NDC", False),
    AccountType(210, AccountKind.USE_TOWARDS_OIMP, "Use towards OIMP", True),
    AccountType(300, AccountKind.CANCELLATION_OMGE, "Cancellation for OMGE", True),
    AccountType(310, AccountKind.CANCELLATION_VOLUNTARY, "Voluntary cancellation", True),
    AccountType(320, AccountKind.CANCELLATION_OIMP, "Cancellation for OIMP", True),
    AccountType(330, AccountKind.CANCELLATION_OTHER, "Other cancellation", True),
)
"""The account types as we read them today; an operator's settings may hold another mapping."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account in a registry section of ``party``, perhaps of an entity that Party authorized.

    ``type`` is a code of the account types. ``cooperative_approach`` and ``metric`` bind the
    account; None binds it to none. A non-GHG metric has accounts of its own (2/CMA.3 a.9).
    """

    account_id: str
    registry: str
    type: int
    party: str
    entity: str | None
    cooperative_approach: str | None
    metric: str
    status: AccountStatus


def is_open(account: Account) -> bool:
    """Tell whether the account is open, provisionally or fully."""
    return account.status in RECEIVING_STATUSES


def is_holding(account: Account, types: AccountTypes = ACCOUNT_TYPES) -> bool:
    """Tell whether the account is one that units are transferred from and to."""
    account_type = types.get(account.type)
    return account_type is not None and not account_type.is_terminal


def may_receive(account: Account, types: AccountTypes = ACCOUNT_TYPES) -> bool:
    """Tell whether a transfer may credit the account: open, and of a holding type.

    Purpose accounts (use, cancellation) are credited by uses and cancellations only.
    """
    return is_open(account) and is_holding(account, types)


def may_give(
    account: Account, types: AccountTypes = ACCOUNT_TYPES, *, provisional_may_send: bool = False
) -> bool:
    """Tell whether units may leave the account (7/CMA.4 annex I para 45).

    A provisional account receives and holds; it gives only if the operator says so.
    """
    if account.status is AccountStatus.PROVISIONAL and not provisional_may_send:
        return False
    return may_receive(account, types)


def is_bound_to(account: Account, series: Series) -> bool:
    """Tell whether units of the series may lie here: accounts serve one cooperative approach."""
    return account.cooperative_approach in {None, series.cooperative_approach}
