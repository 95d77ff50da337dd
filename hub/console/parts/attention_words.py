"""What asks for attention, in words: what it is, and what to do about it.

The causes come from ``hub.services.console.nights.attention``; several pages show them in the same
words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.console.translating import N_, translate
from hub.services.console.nights.attention import Attention, Cause, Severity

KINDS: Final[Mapping[Severity, tuple[str, str]]] = {
    Severity.DANGER: ("danger", N_("act now")),
    Severity.WARNING: ("warning", N_("look at it")),
    Severity.INFO: ("info", N_("for information")),
}
"""The badge of a severity: its colour and its marked word."""

TEXTS: Final[Mapping[Cause, tuple[str, str]]] = {
    Cause.LOG_HALTED: (
        N_("The log is halted: no message is taken"),
        N_("Restore the lost tail, or accept the loss; the log's page says what was seen."),
    ),
    Cause.NOBODY_LEADS: (
        N_("No hub leads on this database: nothing is pushed, and no night is run"),
        N_("Start a hub (`itmo-hub serve`), or look at the logs of the one that runs."),
    ),
    Cause.CHECKPOINT_LATE: (
        N_("{count} entries of the log have no checkpoint yet"),
        N_("See that a hub runs on this database and can read its log key."),
    ),
    Cause.QUORUM_MISSING: (
        N_("The newest checkpoints lack their quorum of witnesses"),
        N_("See which witness does not answer, and tell its operator."),
    ),
    Cause.NIGHT_NOT_BEGUN: (
        N_("The comparison of {subject} has not begun"),
        N_("See that a hub runs on this database and leads it."),
    ),
    Cause.NIGHT_MISSED: (
        N_("The night of {subject} was missed"),
        N_("No hub ran at that time. The next night compares what it left out."),
    ),
    Cause.NIGHT_LONG: (
        N_("The night of {subject} runs longer than answers may take"),
        N_("Open the night: it says whose answer it waits for."),
    ),
    Cause.OWN_BOOKS: (
        N_("The hub's own books are at fault: {count}"),
        N_("Prove the ledger with `itmo-hub db check` before anything is corrected."),
    ),
    Cause.NO_KEY: (
        N_("{subject} has no key that speaks now"),
        N_("Nothing it sends is believed. Register its next key."),
    ),
    Cause.KEY_EXPIRES: (
        N_("The key of {subject} ends soon, and no other goes on"),
        N_("Ask for its next key, and register it before this one ends."),
    ),
    Cause.CIRCUIT_OPEN: (
        N_("{subject} is not reached; failed attempts: {count}"),
        N_("Call its operator; “try now” on its page ends the wait."),
    ),
    Cause.BACK_OFF: (
        N_("{subject} did not take the last delivery; failed attempts: {count}"),
        N_("It is tried again by itself; “try now” on its page ends the wait."),
    ),
    Cause.QUEUE_OLD: (
        N_("{subject} has {count} items it has not acknowledged, the oldest for long"),
        N_("See on its page whether it fetches, or is reached at all."),
    ),
    Cause.SUSPENDED: (
        N_("{subject} is suspended"),
        N_("Its messages are refused until it is activated again."),
    ),
    Cause.SUSPENSION: (
        N_("A suspension is in force: {subject}"),
        N_("Lift it when its reason has passed."),
    ),
    Cause.NO_SIGN_OF_LIFE: (
        N_("{subject} has not been heard of for long"),
        N_("Ask its operator whether its connector runs."),
    ),
    Cause.CLOCK_AHEAD: (
        N_("The clock of {subject} is ahead by {seconds} seconds"),
        N_("Its newest message was sent in the hub's future: have it set by NTP."),
    ),
    Cause.CLOCK_BEHIND: (
        N_("The newest message of {subject} came {seconds} seconds after its own time"),
        N_("Its clock is behind, or the message waited or was sent again; the hub cannot tell."),
    ),
    Cause.SILENT: (
        N_("{subject} was not compared the last time"),
        N_("Its session says why; compare it again when it can answer."),
    ),
    Cause.STATEMENT_OVERDUE: (
        N_("{subject} has handed in no statement for a month"),
        N_("Ask it for its statement of holdings."),
    ),
    Cause.ALERT: (
        N_("Alert about {subject}, seen {count} times"),
        N_("Its text says what happened; alerts are shown for a week."),
    ),
}


@dataclass(frozen=True, slots=True)
class AttentionLine:
    """A cause as a page shows it; ``detail`` is a text in English of the hub or of a peer."""

    kind: str
    severity: str
    title: str
    remedy: str
    path: str
    subject: str
    at: datetime | None
    detail: str


def lines(causes: Iterable[Attention]) -> list[AttentionLine]:
    """Return causes in the reader's words, in their order."""
    return [_line(one) for one in causes]


def _line(one: Attention) -> AttentionLine:
    kind, severity = KINDS[one.severity]
    title, remedy = TEXTS[one.cause]
    words = {"subject": one.subject, "count": one.count, "seconds": one.seconds}
    return AttentionLine(
        kind=kind,
        severity=translate(severity),
        title=translate(title).format(**words),
        remedy=translate(remedy),
        path=one.path,
        subject=one.subject,
        at=one.at,
        detail=one.detail,
    )
