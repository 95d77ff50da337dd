"""The deed that puts a mistake in the central ledger right: units go to whom they belong.

1. It compensates: what stands in the journal stays, and one more posting follows it, ``corrected``,
   under the reference ``C:<log index of the act>``. No unit comes or goes.
2. Only ITMOs that nothing is happening to: first transferred, not reserved, not on hold, not used,
   not cancelled, all in the registry that is named as theirs. So no cap and no transfer is touched.
3. At a Party registry the ledger names no account afterwards; at the international registry it
   names one that may hold these units.
4. Serials that a reconciliation case has frozen are moved for that case alone, which is named, and
   is then being corrected: only a comparison closes it.
5. Both sides are told by an ``administrator.note`` of the hub.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hub.international_registry import accounts
from hub.international_registry.block_index import LedgerInvariantError
from hub.international_registry.units import LedgerBlock, Range
from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.services.administration.suspensions import parse_range
from hub.services.reconciliation.cases import case_acts

CORRECTED: Final = "ledger.correct"
NOTE: Final = "administrator.note"


def correct_ledger(
    units: str,
    from_registry: str,
    to_registry: str,
    account: str | None,
    case_id: str | None = None,
) -> Deed:
    """Move units (``FIRST_ID..LAST_ID``) from the registry that has them to another one.

    ``account`` is an account of the international registry, None for a Party registry. ``case_id``
    is the reconciliation case that this puts right, if there is one.
    """
    named = parse_range(units).units
    if from_registry == to_registry:
        raise AdministrationError(
            f"--from and --to are both {to_registry}: a correction is between two registries"
        )
    parameters: dict[str, Any] = {
        "from_registry": from_registry,
        "to_registry": to_registry,
        "account": account,
    }
    if case_id is not None:
        parameters["case"] = case_id
    return Deed(CORRECTED, named, parameters)


def reference_of(log_index: int) -> str:
    """Return the reference under which the journal has the correction of an act."""
    return f"C:{log_index}"


def do_correct_ledger(doing: Doing, deed: Deed) -> None:
    """Move units that are all free, first transferred and where they are said to be."""
    from_registry = deed.parameters["from_registry"]
    to_registry, account = deed.parameters["to_registry"], deed.parameters["account"]
    case_id = deed.parameters.get("case")
    require_same(correct_ledger(deed.subject, from_registry, to_registry, account, case_id), deed)
    asked = parse_range(deed.subject)
    touched = case_acts.cases_touched(doing, asked, (from_registry, to_registry), case_id)
    window = doing.on_ledger(asked).facts.window
    before = window.overlapping(asked.series, asked.first, asked.last)
    _require_given(doing, from_registry, before)
    _require_taken(doing, to_registry, account, before)
    reference = reference_of(doing.log_index)
    try:
        window.correct(asked, reference, from_registry, to_registry, account)
    except LedgerInvariantError as error:
        raise AdministrationError(
            f"{error}: a correction moves units that are all in {from_registry}, first "
            "transferred, neither reserved nor on hold, and neither used nor cancelled "
            "(`itmo-hub transfer list`, `itmo-hub suspension list`)"
        ) from error
    _tell_both(doing, asked, reference, deed.parameters, before)
    moved = f"{asked.units} moved from {from_registry} to {to_registry} ({reference})"
    case_acts.note_compensation(doing, touched, f"{moved}: {doing.act.reason}")


def _require_given(doing: Doing, registry: str, before: Iterable[LedgerBlock]) -> None:
    for block in before:
        _require_unsuspended(doing, registry, block.account)


def _require_taken(
    doing: Doing, registry: str, account_id: str | None, before: Sequence[LedgerBlock]
) -> None:
    """Raise AdministrationError if units cannot lie at this registry, or in this account."""
    known = doing.data.participants.get(registry)
    if known is None or known.state == "closed":
        raise AdministrationError(
            f"{registry[:20]} is not a participant, or is closed: units cannot go there"
        )
    if known.kind == "party_registry":
        if account_id is not None:
            raise AdministrationError(
                f"{registry} keeps its own accounts: leave --account out, the registry decides"
            )
    elif known.kind == "international_registry":
        _require_account(doing, registry, account_id, before)
    else:
        raise AdministrationError(f"{registry} is a {known.kind}: it holds no units")


def _require_account(
    doing: Doing, registry: str, account_id: str | None, before: Sequence[LedgerBlock]
) -> None:
    if account_id is None:
        raise AdministrationError(f"{registry} holds units in accounts: name one with --account")
    account = doing.data.accounts.get((registry, account_id))
    if account is None:
        raise AdministrationError(f"no account {account_id[:60]} at {registry}")
    if not accounts.may_receive(account):
        raise AdministrationError(
            f"{account_id} is {account.status}, of type {account.type}: units go to an open "
            "holding account"
        )
    _require_unsuspended(doing, registry, account_id)
    for block in before:
        if not accounts.is_bound_to(account, block.series):
            raise AdministrationError(f"{account_id} is bound to {account.cooperative_approach}")
        if block.attributes.metric != account.metric:
            raise AdministrationError(f"{account_id} is kept in {account.metric}")


def _require_unsuspended(doing: Doing, registry: str, account_id: str | None) -> None:
    subject = f"{registry}/{account_id}"
    reason = doing.data.suspensions.get(("account", subject))
    if reason is not None:
        raise AdministrationError(
            f"the account {subject} is suspended: {reason[:200]}. Lift that first"
        )


def _tell_both(
    doing: Doing,
    asked: Range,
    reference: str,
    parameters: Any,
    before: Sequence[LedgerBlock],
) -> None:
    """Tell the registry that had the units and the one that has them now.

    For units at the international registry the registries of the accounts' Parties are told.
    """
    from_registry, to_registry = parameters["from_registry"], parameters["to_registry"]
    account = parameters["account"]
    told = _readers(doing, to_registry, account)
    for block in before:
        told |= _readers(doing, from_registry, block.account)
    target = to_registry if account is None else f"{to_registry}, account {account}"
    text = (
        f"{asked.units} ({asked.quantity} units) went from {from_registry} to {target} in the "
        f"central ledger by the act at log index {doing.log_index}. Reason: {doing.act.reason}"
    )
    body = {"subject": "The central ledger was corrected", "text": text, "refers_to": reference}
    doing.tell(sorted(told), NOTE, body)


def _readers(doing: Doing, registry: str, account_id: str | None) -> set[str]:
    """Return who is told of units there: the registry, or those of the account's Party."""
    if registry != doing.identity.international_registry:
        return {registry} if registry in doing.data.rows else set()
    account = doing.data.accounts.get((registry, account_id or ""))
    return set() if account is None else set(doing.data.registries_of(account.party))
