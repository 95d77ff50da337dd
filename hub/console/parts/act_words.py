"""Kinds of acts and the parts of deeds, as people read them; each is a marked text.

What is not listed is shown as it stands in the deed: nothing of a deed is ever left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.console.translating import N_, translate

KINDS: Final[Mapping[str, str]] = {
    "participant.add": N_("Register a participant"),
    "participant.activate": N_("Activate a participant"),
    "participant.suspend": N_("Suspend a participant"),
    "participant.close": N_("Close a participant for good"),
    "participant.delivery": N_("Change how a participant gets its deliveries"),
    "participant.binding": N_("Change the binding of a participant's deliveries"),
    "key.add": N_("Register a participant's key"),
    "key.revoke": N_("Revoke a participant's key"),
    "account.open": N_("Open an account"),
    "account.status": N_("Change the status of an account"),
    "suspension.place": N_("Suspend"),
    "suspension.lift": N_("Lift a suspension"),
    "block.hold": N_("Put units on hold"),
    "block.release": N_("Release units"),
    "ledger.correct": N_("Move units in the central ledger by a compensating entry"),
    "reconciliation.mode": N_("Change how a registry is compared"),
    "reconciliation.statement": N_("Compare a statement of holdings"),
    "case.acknowledge": N_("Acknowledge a case"),
    "case.assign": N_("Assign a case"),
    "case.note": N_("Write a note on a case"),
    "case.due": N_("Set when a case is due"),
    "case.begin_correction": N_("Begin the correction of a case"),
    "case.ask_rerun": N_("Ask for another comparison"),
    "log.loss_accepted": N_("Accept that the log lost entries"),
    "administrator.add": N_("Register an administrator's key"),
    "administrator.remove": N_("Remove an administrator"),
    "person.add": N_("Add a person"),
    "person.role": N_("Give a person another role"),
    "person.disable": N_("Let a person in no more"),
    "person.enable": N_("Let a person in again"),
    "person.reset": N_("Make a person choose anew how they sign in"),
    "person.administrator": N_("Link a person to an administrator"),
    "bodies.erased": N_("Bodies of messages erased after their time"),
    "transfers.expired": N_("Transfers expired"),
    "act.propose": N_("Propose an act"),
    "act.reject": N_("Reject a proposed act"),
}

PARTS: Final[Mapping[str, str]] = {
    "account": N_("Account"),
    "administrator": N_("Administrator"),
    "algorithm": N_("Algorithm"),
    "applied_to": N_("Applied up to entry"),
    "as_of": N_("As of entry"),
    "assignee": N_("Assigned to"),
    "binding": N_("Binding"),
    "case": N_("Case"),
    "cases": N_("Cases"),
    "compared": N_("Compared"),
    "cooperative_approach": N_("Cooperative approach"),
    "delivery_mode": N_("Delivery"),
    "display_name": N_("Shown as"),
    "due_on": N_("Due on"),
    "endpoint": N_("Address for deliveries"),
    "entity": N_("Entity"),
    "from_registry": N_("From registry"),
    "how": N_("How"),
    "key_id": N_("Key"),
    "keys": N_("Keys"),
    "kind": N_("Kind"),
    "level": N_("Level"),
    "metric": N_("Metric"),
    "mode": N_("Mode"),
    "name": N_("Name"),
    "parameters": N_("Parameters"),
    "participant": N_("Participant"),
    "party": N_("Party"),
    "person": N_("Person"),
    "public_key": N_("Public key"),
    "role": N_("Role"),
    "rows": N_("Rows"),
    "sha256": N_("SHA-256"),
    "state": N_("State"),
    "status": N_("Status"),
    "subject": N_("Subject"),
    "suites": N_("Suites of signatures"),
    "text": N_("Text"),
    "to_registry": N_("To registry"),
    "type": N_("Type"),
    "units": N_("Units"),
    "up_to": N_("Up to entry"),
    "valid_from": N_("Valid from"),
    "valid_until": N_("Valid until"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a deed: its name in words, and its value as text."""

    name: str
    value: str


def kind_word(kind: str) -> str:
    """Return a kind of act in the reader's language; one that is not known as it stands."""
    known = KINDS.get(kind)
    return kind if known is None else translate(known)


def lines_of(parameters: Mapping[str, Any]) -> list[Line]:
    """Return every part of a deed's parameters; what is within another part names both."""
    return list(_lines("", parameters))


def _lines(before: str, value: Any) -> Iterator[Line]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            known = PARTS.get(name)
            word = name if known is None else translate(known)
            yield from _lines(f"{before} › {word}" if before else word, part)
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        for number, part in enumerate(value, 1):
            yield from _lines(f"{before} {number}", part)
    else:
        yield Line(before, _text(value))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value) or "–"
    if isinstance(value, bool):
        return translate(N_("yes")) if value else translate(N_("no"))
    return "–" if value is None or value in ("", {}) else str(value)
