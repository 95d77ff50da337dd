"""Write what a batch decided: all of it in the transaction that decided it, then the head.

Every envelope and every act of it becomes a leaf of the transparency log in the same transaction:
nothing has effect that is not in the log, and nothing is in the log without its effect.

The order of the statements is the same for every writer (ledger, transfers, records, exchange, log,
head), so two hub processes on one database cannot deadlock even without the head's lock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from hub.checks.facts import IssuanceRecord
from hub.services.acts import act_leaf
from hub.services.batch_work import BatchWork, OutgoingItem
from hub.store import (
    acts,
    alerts,
    envelopes,
    later_authorizations,
    ledger,
    log,
    mailboxes,
    reference,
    transfers,
)
from hub.store import head as heads
from hub.store.acts import ActRow
from hub.store.head import Head
from hub.store.interning import Interning
from hub.store.log import PendingEntry
from hub.store.mailboxes import MailboxItem
from hub.store.reconciliation import sessions
from message_schemas import json_codec


def record_work(
    connection: Connection,
    interning: Interning,
    work: BatchWork,
    head: Head,
    rows: Sequence[envelopes.EnvelopeRow],
    done: Sequence[ActRow] = (),
) -> list[str]:
    """Write a batch and advance the head; return the recipients that have new items.

    ``rows`` and ``done`` (acts) together are the entries the batch began, each with its log index.
    """
    now = work.facts.now
    work.facts.window.coalesce()
    changes = work.facts.window.changes()
    ledger.record(connection, interning, changes, work.posting_log_indices)
    _record_transfers(connection, work)
    reference_changed = _record_reference(connection, work)
    later_authorizations.add(connection, interning, work.new_later_authorizations)
    if rows:
        envelopes.add(connection, rows)
    if done:
        acts.add(connection, done)
    said = work.participant_changes
    acknowledging = said.acknowledged.keys() | said.resends.keys()
    recipients = file_items(connection, work.outgoing, now, also_locked=acknowledging)
    _record_session(connection, work, now)
    if work.answers:
        sessions.add_answers(connection, list(work.answers.values()))
    for keep in work.explanations:
        keep(connection)
    for kind, subject, detail in work.alerts:
        alerts.add(connection, kind=kind, subject=subject, detail=detail, at=now)
    heads.advance(
        connection,
        head,
        Head(
            log_index=work.log_index,
            compact_range=log.append(connection, head, _leaves(work, rows, done)),
            next_block_id=changes.next_block_id,
            trust_version=head.trust_version + work.participant_changes.touches_trust,
            reference_version=head.reference_version + reference_changed,
        ),
    )
    return recipients


def _leaves(
    work: BatchWork,
    rows: Sequence[envelopes.EnvelopeRow],
    done: Sequence[ActRow],
) -> list[PendingEntry]:
    """Return the leaves of a batch, by index; an entry's parties are its sender and who is told."""
    told: dict[int, set[str]] = defaultdict(set)
    for recipient, items in work.outgoing.items():
        for item in items:
            told[item.log_index].add(recipient)
    hub = work.facts.hub
    central = {hub, work.facts.international_registry}
    leaves = [
        PendingEntry(
            index=row.log_index,
            kind="envelope",
            at=row.received_at,
            sender=row.sender,
            recipient=row.recipient,
            parties=sorted((told[row.log_index] | {row.sender}) - central),
            salt=row.salt,
            contents={"envelope": row.body, "receipt": row.receipt},
        )
        for row in rows
    ]
    leaves += [act_leaf(act, hub, told[act.log_index] - central) for act in done]
    return sorted(leaves, key=lambda leaf: leaf.index)


def _record_transfers(connection: Connection, work: BatchWork) -> None:
    if work.new_transfers:
        transfers.add(connection, work.new_transfers.values())
    if work.closed_transfers:
        transfers.close(connection, work.closed_transfers.values())
    if work.acted:
        transfers.add_acted(connection, list(work.acted.values()))
    dirty = {key: work.facts.usage[key] for key in work.dirty_usages}
    reference.write_usages(connection, dirty, work.known_usages)


def _record_reference(connection: Connection, work: BatchWork) -> bool:
    """Write records, issuances and delivery modes; return whether cached data changed."""
    for row in work.new_records:
        reference.add_record(connection, row)
    for issuance_id, (body, log_index) in work.new_issuances.items():
        noticed = _issuance_row(work.facts.issuances[issuance_id], body, log_index)
        reference.add_issuance(connection, noticed)
    for issuance_id in sorted(work.dirty_issuances - work.new_issuances.keys()):
        changed_row = _issuance_row(work.facts.issuances[issuance_id], "", 0)
        reference.update_issuance(connection, changed_row)
    changed_bindings = _record_bindings(connection, work)
    modes = work.participant_changes.delivery_modes
    changed = {
        code: mode
        for code, mode in modes.items()
        if work.reference.rows[code].delivery_mode != mode
    }
    for code, mode in sorted(changed.items()):
        endpoint = work.reference.rows[code].endpoint
        reference.set_delivery(connection, code, mode=mode, endpoint=endpoint)
    return bool(work.new_records or changed or changed_bindings)


def _record_bindings(connection: Connection, work: BatchWork) -> bool:
    """Write in which binding participants want their deliveries; return whether any changed."""
    changed = {
        code: binding
        for code, binding in work.participant_changes.bindings.items()
        if work.reference.rows[code].binding != binding
    }
    for code, binding in sorted(changed.items()):
        reference.set_binding(connection, code, binding)
    return bool(changed)


def _issuance_row(record: IssuanceRecord, body: str, log_index: int) -> reference.IssuanceRow:
    """Return an issuance as it is stored; its notice and log index never change."""
    return reference.IssuanceRow(
        record.issuance_id,
        body,
        log_index,
        sop_done=record.sop_done,
        omge_done=record.omge_done,
        forwarded=record.forwarded,
        authorized_later=record.authorized_later,
        sop_later=record.sop_later,
        omge_later=record.omge_later,
    )


def file_items(
    connection: Connection,
    outgoing: Mapping[str, Sequence[OutgoingItem]],
    now: datetime,
    *,
    also_locked: Iterable[str] = (),
) -> list[str]:
    """Number each recipient's items, append them to its mailbox; return who has something new."""
    # All mailboxes of the batch at once, by code, as the courier of another process locks them.
    touched = outgoing.keys() | set(also_locked)
    if not touched:
        return []
    boxes = {box.recipient: box for box in mailboxes.lock(connection, touched)}
    items: list[MailboxItem] = []
    last: dict[str, int] = {}
    for recipient in sorted(outgoing.keys() & boxes.keys()):
        sequence = boxes[recipient].last_sequence
        for item in outgoing[recipient]:
            sequence += 1
            items.append(_numbered(recipient, sequence, item, now))
        last[recipient] = sequence
    if items:
        mailboxes.add_items(connection, items, last)
    return sorted(last)


def _numbered(recipient: str, sequence: int, item: OutgoingItem, now: datetime) -> MailboxItem:
    verdicts = json_codec.encode(list(item.verdicts)).decode() if item.carries_envelope else None
    notices = [{"type": type_, "version": 1, "body": body} for type_, body in item.notices]
    return MailboxItem(
        recipient=recipient,
        sequence=sequence,
        log_index=item.log_index,
        recorded_at=now,
        carries_envelope=item.carries_envelope,
        verdicts=verdicts,
        notices=msgspec.json.encode(notices).decode() if notices else None,
    )


def _record_session(connection: Connection, work: BatchWork, now: datetime) -> None:
    """Write keys, acknowledgements and resend requests."""
    changes = work.participant_changes
    for record in changes.new_keys:
        reference.add_key(connection, record)
    for key_id, until in sorted(changes.ended_keys.items()):
        reference.end_key(connection, key_id, until)
    for key_id, at in sorted(changes.revoked_keys.items()):
        reference.revoke_key(connection, key_id, at)
    mailboxes.acknowledge(
        connection,
        [
            (work.mailboxes[recipient], up_to, log_index)
            for recipient, (up_to, log_index) in sorted(changes.acknowledged.items())
        ],
        now,
    )
    for recipient, range_ in sorted(changes.resends.items()):
        mailboxes.request_resend(connection, recipient, range_)
