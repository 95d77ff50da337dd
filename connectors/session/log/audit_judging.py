"""Settles our own accounts over the entries of a tree whose root was recomputed.

| an entry that names us | is |
|---|---|
| with a claim of ours | what was promised, or an alarm |
| an envelope from us to the hub, no receipt | an acknowledgement of ours, if one is open |
| another envelope from us | awaited while one is in the outbox; else an alarm |
| told to us by item or delivery, after the last that came | awaited |
| told to us before the last that came | an alarm: it was withheld |

An envelope in our name to the hub that we know nothing of does not pause the session: the command
`itmo-hub keys` writes such ones with our key. Whoever did not use it has a key in other hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from connectors.session.alarms import AlarmKind
from connectors.session.log import acknowledgements, claims, own_entries
from connectors.session.log.claims import Claim
from connectors.session.log.findings import Finding
from connectors.session.log.judging import entry_faults, read_entry
from connectors.session.log.own_entries import OwnEntry
from connectors.session.tables import outbox_envelope

__all__ = ["judge"]

_ENTRIES_A_QUERY: Final = 500


def judge(
    connection: Connection, first: int, size: int, participant: str, hub: str
) -> list[Finding]:
    """Judge the entries from `first` up to `size`, and again those awaited before."""
    own = own_entries.entries_to_judge(connection, first, size)
    findings = [
        *_judge_counts(connection, own, first, participant),
        *_judge_claims(connection, own, first, size, participant),
    ]
    awaited = own_entries.awaited_entries(connection, size)
    for at in range(0, len(awaited), _ENTRIES_A_QUERY):
        some = awaited[at : at + _ENTRIES_A_QUERY]
        promised = claims.claims_at(connection, [one.log_index for one in some])
        for one in some:
            about = promised.get(one.log_index, [])
            if about and one.log_index < first:  # told of it after the audit that read it
                findings += _judge_entry(connection, one, about, participant)
            if about:
                own_entries.set_state(connection, one.log_index, "known")
            elif (finding := _judge_unclaimed(connection, one, participant, hub)) is not None:
                own_entries.set_state(connection, one.log_index, "unknown")
                findings.append(finding)
    return findings


def _judge_counts(
    connection: Connection, own: Sequence[OwnEntry], first: int, participant: str
) -> list[Finding]:
    """Check that our count has neither gap nor repeat, from the last entry before `first` on."""
    before = own_entries.last_before(connection, first)
    count, index = (0, None) if before is None else (before.own_count, before.log_index)
    findings: list[Finding] = []
    for one in own:
        if (one.own_count, one.previous) != (count + 1, index):
            detail = (
                f"entry {one.log_index} is {participant}'s {one.own_count}. after entry "
                f"{one.previous}; by the log's own entries it follows the {count}., entry {index}"
            )
            findings.append(_finding(AlarmKind.LOG_COUNTER_GAP, one, detail))
        count, index = one.own_count, one.log_index
    return findings


def _judge_claims(
    connection: Connection, own: Sequence[OwnEntry], first: int, size: int, participant: str
) -> list[Finding]:
    """Check that every claim has its entry, and that the entry is the one promised."""
    findings: list[Finding] = []
    promised = claims.claims_between(connection, first, size)
    by_index = {one.log_index: one for one in own}
    for index, about in promised.items():
        one = by_index.get(index)
        if one is None:
            claims.settle(connection, index, "differs")
            detail = f"{about[0].words} was promised as entry {index}, which is another's"
            findings.append(
                Finding(kind=AlarmKind.LOG_ENTRY_DIFFERS, reference=f"entry {index}", detail=detail)
            )
            continue
        findings += _judge_entry(connection, one, about, participant)
    return findings


def _judge_entry(
    connection: Connection, one: OwnEntry, about: Sequence[Claim], participant: str
) -> list[Finding]:
    entry, fault = read_entry(one.entry, one.log_index)
    faults = [fault or ""] if entry is None else entry_faults(entry, about, participant)
    claims.settle(connection, one.log_index, "differs" if faults else "audited")
    return [_finding(AlarmKind.LOG_ENTRY_DIFFERS, one, text) for text in faults]


def _judge_unclaimed(
    connection: Connection, one: OwnEntry, participant: str, hub: str
) -> Finding | None:
    """Return what is wrong with an entry that nothing of ours is about, or nothing if it may be."""
    if one.kind == "envelope" and one.sender == participant:
        if one.recipient == hub and acknowledgements.attribute(connection, one.log_index):
            own_entries.set_state(connection, one.log_index, "known")
            return None
        if _has_open_envelope(connection, one.recipient):
            return None
        detail = (
            f"entry {one.log_index} is an envelope from {participant} to {one.recipient} that this "
            "connector did not send: if nobody sent it with `itmo-hub keys`, the hub made it up "
            "or someone has the key"
        )
        return _finding(AlarmKind.LOG_ENTRY_DIFFERS, one, detail, may_go_on=one.recipient == hub)
    role = "delivery" if one.kind == "delivery" else "item"
    if one.log_index >= claims.told_through(connection, role):
        return None
    detail = (
        f"entry {one.log_index} ({one.kind} from {one.sender}) was to be told to {participant}, "
        "and was not, though later ones were"
    )
    return _finding(AlarmKind.LOG_ENTRY_DIFFERS, one, detail)


def _has_open_envelope(connection: Connection, recipient: str) -> bool:
    query = select(func.count()).where(
        outbox_envelope.c.recipient == recipient,
        outbox_envelope.c.state.in_(("queued", "parked")),
    )
    return bool(connection.execute(query).scalar_one())


def _finding(kind: AlarmKind, one: OwnEntry, detail: str, *, may_go_on: bool = False) -> Finding:
    return Finding(
        kind=kind,
        reference=f"entry {one.log_index}",
        detail=detail,
        other=one.entry,
        may_go_on=may_go_on,
    )
