"""Deeds about accounts of the international registry."""

import re
from typing import Any

from hub.international_registry.accounts import ACCOUNT_TYPES, Account, AccountStatus
from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.store import reference
from message_schemas import code_lists


def open_account(account: Account) -> Deed:
    """Open an account."""
    _check_account(account)
    parameters: dict[str, Any] = {
        "type": account.type,
        "party": account.party,
        "entity": account.entity,
        "cooperative_approach": account.cooperative_approach,
        "metric": account.metric,
        "status": str(account.status),
    }
    return Deed("account.open", f"{account.registry}/{account.account_id}", parameters)


def set_account_status(registry: str, account_id: str, status: str) -> Deed:
    """Change an account's status (a value of AccountStatus)."""
    return Deed("account.status", f"{registry}/{account_id}", {"status": str(status)})


def do_open_account(doing: Doing, deed: Deed) -> None:
    """Open an account that is not there yet."""
    registry, _, account_id = deed.subject.partition("/")
    given = dict(deed.parameters)
    status = _status(given.pop("status"))
    account = Account(account_id=account_id, registry=registry, status=status, **given)
    require_same(open_account(account), deed)
    if (registry, account_id) in doing.data.accounts:
        raise AdministrationError(f"account {account_id} exists already")
    reference.add_account(doing.connection, account, doing.at)


def do_set_account_status(doing: Doing, deed: Deed) -> None:
    """Change the status of an account that is there."""
    registry, _, account_id = deed.subject.partition("/")
    status = _status(deed.parameters["status"])
    require_same(set_account_status(registry, account_id, status), deed)
    if not reference.set_account_status(doing.connection, registry, account_id, status):
        raise AdministrationError(f"no account {account_id} at {registry}")


def _status(text: str) -> AccountStatus:
    try:
        return AccountStatus(text)
    except ValueError:
        known = ", ".join(AccountStatus)
        raise AdministrationError(f"the status {text!r} is not one of {known}") from None


def _check_account(account: Account) -> None:
    """Raise AdministrationError if no message could name an account like this."""
    if account.type not in ACCOUNT_TYPES:
        known = ", ".join(map(str, sorted(ACCOUNT_TYPES)))
        raise AdministrationError(f"account type {account.type} is not one of {known}")
    for what, pattern, value in (
        ("account id", r"[A-Za-z0-9][A-Za-z0-9-]{0,49}", account.account_id),
        ("Party", r"[A-Z]{3}", account.party),
        ("cooperative approach", r"CA[0-9]{4}", account.cooperative_approach),
        ("entity", r".{1,100}", account.entity),
    ):
        if value is not None and not re.fullmatch(pattern, value):
            raise AdministrationError(f"the {what} {value[:60]!r} is not of the form {pattern}")
    if not code_lists.contains("metric", account.metric):
        known = ", ".join(map(str, code_lists.values("metric")))
        raise AdministrationError(f"the metric {account.metric[:60]!r} is not one of {known}")
