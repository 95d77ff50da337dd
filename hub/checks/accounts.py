"""51xx: the accounts of the international registry that a message debits or credits.

The hub keeps the international registry's ledger, so it knows these accounts; the accounts of other
registries are names to it, and their own registries answer for them. Of those only a suspension can
be known here.

1. The account exists, is open and not suspended, and its type takes part in such a movement.
2. It is bound to the units' cooperative approach and kept in their metric.
3. The account that gives belongs to the acting Party and holds the units.
"""

from collections.abc import Iterator
from typing import Final

from hub.checks.case import ACTIONS, Action, Answer, Case, Movement, Proposal, UnitMessage
from hub.checks.facts import Facts, SuspensionLevel
from hub.checks.findings import FindingDraft, show
from hub.checks.units import in_central_account
from hub.international_registry import accounts
from hub.international_registry.accounts import Account
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.article64 import A64AuthorizationChange, A64FirstTransfer


def check_acquiring_account(case: Case[Movement]) -> Iterator[FindingDraft]:
    """Check 5101 to 5106: the account to be credited exists and may receive these units."""
    facts = case.facts
    body, path = case.body, "/acquiring_account"
    central = facts.international_registry
    registry = central if isinstance(body, A64FirstTransfer) else case.context.recipient
    yield from _suspended(facts, registry, body.acquiring_account, path)
    if registry != central:
        return
    kind = body.kind if isinstance(body, A64FirstTransfer) else "forwarding"
    yield from _credited(case, body.acquiring_account, kind, path)


def check_share_accounts(case: Case[A64AuthorizationChange]) -> Iterator[FindingDraft]:
    """Check 5101 to 5106 for the accounts that get the shares of units authorized later."""
    facts = case.facts
    for index, share in enumerate(case.body.shares):
        path = f"/shares/{index}/account"
        yield from _suspended(facts, facts.international_registry, share.account, path)
        yield from _credited(case, share.account, share.kind, path)


def _credited(
    case: Case[UnitMessage], account_id: str, kind: str, path: str
) -> Iterator[FindingDraft]:
    """Check that an account of the international registry may receive units of this kind."""
    account = case.facts.accounts.get((case.facts.international_registry, account_id))
    if account is None:
        yield _unknown(case.facts, account_id, path)
        return
    if not accounts.is_open(account):
        detail = f"{account.account_id} is {account.status}."
        yield FindingDraft(ResponseCode.ACCOUNT_NOT_OPEN, detail, path)
    if not _type_receives(account, kind):
        fits = _FITTING.get(kind, _FITTING["omge"])
        detail = f"{account.account_id} is of type {account.type}; {kind} goes to {fits}."
        yield FindingDraft(ResponseCode.ACCOUNT_TYPE_NOT_ALLOWED, detail, path)
    yield from _bound(case, account, path)


def check_account_still_receives(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 5101, 5102, 5105: what was proposed to an account can still be credited to it.

    Weeks may lie between a proposal and its acceptance, and the account may have been closed.
    """
    facts = case.facts
    record = facts.transfers.get(case.body.transfer_id)
    if record is None or case.releases_units:
        return
    path = "/transfer_id"
    yield from _suspended(facts, record.acquirer, record.acquiring_account, path)
    if record.acquirer != facts.international_registry:
        return
    account = facts.accounts.get((record.acquirer, record.acquiring_account))
    if account is None:
        yield _unknown(facts, record.acquiring_account, path)
    elif not accounts.is_open(account):
        detail = f"{account.account_id} is {account.status}."
        yield FindingDraft(ResponseCode.ACCOUNT_NOT_OPEN, detail, path)


_FITTING: Final = {
    "forwarding": "a holding account (100)",
    "sop_adaptation": "a holding account (100) of the Adaptation Fund (XAF)",
    "omge": "an account for cancellation for OMGE (300)",
}


def _type_receives(account: Account, kind: str) -> bool:
    """Tell whether the account's type takes such units (3/CMA.3 a.58-59 for the two shares)."""
    if kind == "forwarding":
        return accounts.is_holding(account)
    if kind == "sop_adaptation":
        fund = account.party == accounts.ADAPTATION_FUND_PARTY
        return fund and accounts.is_holding(account)
    account_type = accounts.ACCOUNT_TYPES.get(account.type)
    return account_type is not None and account_type.kind is accounts.AccountKind.CANCELLATION_OMGE


def check_transferring_account(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 5101 to 5108: the account to be debited may give, and holds, these units."""
    facts = case.facts
    account_id, path = case.body.transferring_account, "/transferring_account"
    registry = case.context.sender
    yield from _suspended(facts, registry, account_id, path)
    if registry == facts.international_registry:
        yield from _giving(case, account_id, path)


def check_action_account(case: Case[Action]) -> Iterator[FindingDraft]:
    """Check 5101 to 5108 for use and cancellation of units in a central account of the Party."""
    facts = case.facts
    account_id, path = case.body.account, "/account"
    if account_id is None:
        return
    yield from _suspended(facts, case.context.sender, account_id, path)
    central = any(in_central_account(case, known) for lot in case.lots for known in lot.known)
    if not central:
        return
    if case.context.sender != facts.international_registry:
        yield from _suspended(facts, facts.international_registry, account_id, path)
    yield from _giving(case, account_id, path)


def check_mechanism_account(case: Case[Action]) -> Iterator[FindingDraft]:
    """Check 5009, 5107, 5108: the mechanism registry ends its own units, in the Party's account.

    Into a retirement account of a Party go units of accounts associated with that Party, and of no
    other (7/CMA.4 annex I para 44). What is in accounts elsewhere is not the mechanism registry's.
    """
    body, sender = case.body, case.context.sender
    if not case.comes_from_mechanism:
        return
    if body.account_party not in {None, case.acquiring_party}:
        detail = f"{body.account} is associated with {body.account_party}."
        yield FindingDraft(ResponseCode.ACCOUNT_OTHER_PARTY, detail, "/account_party")
    for lot in case.lots:
        if (origin := lot.range.series.originating_registry) != sender:
            detail = f"These units are issued by {origin}; the sender is {sender}."
            code = ResponseCode.NOT_ORIGINATING_REGISTRY
            yield FindingDraft(code, detail, lot.path, (lot.range,))
        for known in lot.known:
            if known.registry == sender and known.account not in {None, body.account}:
                part = lot.part(known)
                detail = f"{body.account} does not hold {show(part)}."
                yield FindingDraft(ResponseCode.BLOCK_NOT_IN_ACCOUNT, detail, lot.path, (part,))


def _giving(case: Case[UnitMessage], account_id: str, path: str) -> Iterator[FindingDraft]:
    facts = case.facts
    account = facts.accounts.get((facts.international_registry, account_id))
    if account is None:
        yield _unknown(facts, account_id, path)
        return
    provisional_may_send = facts.policy.provisional_accounts_may_send
    if not accounts.is_holding(account):
        detail = f"{account_id} is of type {account.type}."
        yield FindingDraft(ResponseCode.ACCOUNT_TYPE_NOT_ALLOWED, detail, path)
    elif not accounts.may_give(account, provisional_may_send=provisional_may_send):
        detail = f"{account_id} is {account.status}."
        yield FindingDraft(ResponseCode.ACCOUNT_NOT_OPEN, detail, path)
    acting = _acting_party(case, account)
    if acting != account.party:
        detail = f"{account_id} is not an account of {acting}."
        yield FindingDraft(ResponseCode.ACCOUNT_OTHER_PARTY, detail, path)
    yield from _bound(case, account, path)
    yield from _contained(case, account)


def _acting_party(case: Case[UnitMessage], account: Account) -> str | None:
    """Return the Party that acts on the account; the international registry acts for each.

    For an action the sender and the Party it names must be the account's, both: the mechanism
    registry records for every Party, and not on accounts outside it.
    """
    if not isinstance(case.body, ACTIONS):
        return account.party
    central = case.context.sender == case.facts.international_registry
    if central or case.sender_party == account.party:
        return case.acquiring_party
    return case.sender_party


def _bound(case: Case[UnitMessage], account: Account, path: str) -> Iterator[FindingDraft]:
    approaches = {lot.range.series.cooperative_approach for lot in case.lots}
    if account.cooperative_approach is not None and approaches - {account.cooperative_approach}:
        detail = f"{account.account_id} is bound to {account.cooperative_approach}."
        yield FindingDraft(ResponseCode.ACCOUNT_OTHER_COOPERATIVE_APPROACH, detail, path)
    for lot in case.lots:
        if lot.attributes.metric != account.metric:
            detail = f"{account.account_id} is kept in {account.metric}."
            ranges = (lot.range,)
            yield FindingDraft(ResponseCode.ACCOUNT_METRIC_DIFFERS, detail, path, ranges)


def _contained(case: Case[UnitMessage], account: Account) -> Iterator[FindingDraft]:
    for lot in case.lots:
        for known in lot.known:
            if known.registry == account.registry and known.account != account.account_id:
                part = lot.part(known)
                detail = f"{account.account_id} does not hold {show(part)}."
                yield FindingDraft(ResponseCode.BLOCK_NOT_IN_ACCOUNT, detail, lot.path, (part,))


def _suspended(facts: Facts, registry: str, account_id: str, path: str) -> Iterator[FindingDraft]:
    if facts.suspensions:
        subject = f"{registry}/{account_id}"
        reason = facts.suspensions.get((SuspensionLevel.ACCOUNT, subject))
        if reason is not None:
            detail = f"Suspended: {subject}. Reason: {reason}"
            yield FindingDraft(ResponseCode.ACCOUNT_SUSPENDED, detail, path)


def _unknown(facts: Facts, account_id: str, path: str) -> FindingDraft:
    detail = f"{facts.international_registry} has no account {account_id}."
    return FindingDraft(ResponseCode.ACCOUNT_UNKNOWN, detail, path)


MOVEMENT_ACCOUNT_CHECKS: Final = (check_acquiring_account,)
PROPOSAL_ACCOUNT_CHECKS: Final = (check_acquiring_account, check_transferring_account)
ACTION_ACCOUNT_CHECKS: Final = (check_action_account, check_mechanism_account)
