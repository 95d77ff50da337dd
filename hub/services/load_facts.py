"""Load, with a few set-based statements, every fact that a batch of messages needs.

What a message needs follows from its type and body alone; nothing is loaded for one message at a
time, so the cost of a batch is a handful of statements whatever its size.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.checks.facts import ErasedBody, Facts, Policy
from hub.checks.sequence import natural_id
from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.units import LedgerBlock, Range
from hub.protocol.envelopes import OpenEnvelope, OpenMessage, stored_messages
from hub.protocol.limits import Limits
from hub.services import load_provenance, xml_threads
from hub.services.batch_work import BatchWork
from hub.services.handlers.article64 import issuance_of
from hub.services.handlers.units import range_of
from hub.services.outcomes import ACCEPTED
from hub.services.record_bodies import MESSAGE_TYPE_OF_KIND, RecordMessage, key_of
from hub.services.reference_data import ReferenceData
from hub.services.sealing import read_own
from hub.store import envelopes, later_authorizations, ledger, mailboxes, reference, transfers
from hub.store.head import Head
from hub.store.interning import Interning
from hub.store.reconciliation import cases, sessions
from hub.store.transfers import ActedRow
from hub.store.underlying import unit_of
from message_schemas import json_codec
from message_schemas.blocks import UnderlyingUnit
from message_schemas.messages.article64 import A64IssuanceNotice
from message_schemas.messages.records import AuthorizationRecord

OF_ISSUANCE: Final = frozenset(
    {"a64.first_transfer", "a64.authorization_change", "action.use", "action.cancellation"}
)
"""Acts that are taken once, and that may be of an issuance of A6.4ERs."""

ANSWERS: Final = frozenset(
    f"reconciliation.{name}"
    for name in ("cut_ack", "digests", "blocks", "totals", "records", "refused")
)
"""Answers to the hub's own questions."""


@dataclass(frozen=True, slots=True)
class HubIdentity:
    """The codes of the central systems and the operator's policy."""

    hub: str
    international_registry: str
    mechanism_registry: str
    policy: Policy


@dataclass(slots=True)
class Needs:
    """What the messages of a batch name, gathered before anything is read."""

    transfer_ids: set[str] = field(default_factory=set)
    proposed_ids: set[str] = field(default_factory=set)
    ranges: set[Range] = field(default_factory=set)
    usages: set[tuple[str, str]] = field(default_factory=set)
    action_ids: set[str] = field(default_factory=set)
    issuance_ids: set[str] = field(default_factory=set)
    later_authorized: set[Range] = field(default_factory=set)
    underlying: set[UnderlyingUnit] = field(default_factory=set)
    records: set[tuple[str, str, str, int]] = field(default_factory=set)
    acknowledgements: set[tuple[str, int]] = field(default_factory=set)
    mailboxes: set[str] = field(default_factory=set)
    questions: set[tuple[str, int]] = field(default_factory=set)
    case_ids: set[str] = field(default_factory=set)
    initiators: set[str] = field(default_factory=set)


def needs_of(opened: Iterable[OpenEnvelope]) -> Needs:
    """Gather what a batch names."""
    needs = Needs()
    for envelope in opened:
        for message in envelope.messages:
            if message.body is not None:
                _add(needs, envelope.envelope.sender, message)
    return needs


def _add(needs: Needs, sender: str, message: OpenMessage) -> None:
    """Add what one message names, by its type."""
    type_, body = message.message.type, message.body
    assert body is not None
    named: Any = body
    if type_.startswith("transfer."):
        needs.transfer_ids.add(named.transfer_id)
        if type_ in ("transfer.proposal", "transfer.notification"):
            needs.proposed_ids.add(named.transfer_id)
            needs.initiators.add(sender)
    elif type_ in OF_ISSUANCE:
        needs.action_ids.add(natural_id(type_, body) or "")
        if named.issuance_id is not None:
            needs.issuance_ids.add(named.issuance_id)
    elif type_ == "a64.issuance_notice":
        needs.issuance_ids.add(named.issuance_id)
    elif type_ in ("delivery.acknowledgement", "delivery.resend"):
        needs.mailboxes.add(sender)
        if type_ == "delivery.acknowledgement":
            needs.acknowledgements.add((sender, named.up_to_sequence))
    elif type_ in ANSWERS:
        needs.questions.add((named.session, named.number))
    elif type_ == "reconciliation.explanation":
        needs.case_ids.add(named.case_id)
    elif isinstance(named, RecordMessage):
        needs.records.add(key_of(named))
        if isinstance(named, AuthorizationRecord):
            needs.usages.add((named.authorizing_party, named.authorization_id))
    for block in getattr(body, "blocks", ()):
        _add_block(needs, block)
        if type_ == "a64.authorization_change" and block.first_serial <= block.last_serial:
            needs.later_authorized.add(range_of(block))


def _add_block(needs: Needs, block: Any) -> None:
    """Add the ledger rows and the authorization that a unit block names."""
    if not hasattr(block, "authorization_id"):
        return  # the blocks of a rejection's reasons only name serials
    if block.first_serial <= block.last_serial:
        range_ = range_of(block)
        needs.ranges.add(range_)
    needs.usages.add((block.first_transferring_party, block.authorization_id))
    if block.underlying_unit is not None:
        needs.underlying.add(block.underlying_unit)


def load_work(
    connection: Connection,
    interning: Interning,
    opened: list[OpenEnvelope],
    head: Head,
    data: ReferenceData,
    *,
    identity: HubIdentity,
    limits: Limits,
    now: datetime,
) -> BatchWork:
    """Return the working state of a batch: all its facts, nothing decided yet."""
    return load_needs(
        connection,
        interning,
        needs_of(opened),
        head,
        data,
        identity=identity,
        limits=limits,
        now=now,
    )


def load_needs(
    connection: Connection,
    interning: Interning,
    needs: Needs,
    head: Head,
    data: ReferenceData,
    *,
    identity: HubIdentity,
    limits: Limits,
    now: datetime,
) -> BatchWork:
    """Return the working state with the facts that ``needs`` lists."""
    known = transfers.load(connection, needs.transfer_ids)
    blocks, crowded = ledger.load_overlapping(
        connection, interning, needs.ranges, blocks_max=limits.ledger_blocks_per_range_max
    )
    in_flight = [row.transfer_id for row in known.values() if row.state == "proposed"]
    reserved = ledger.load_reserved(connection, interning, in_flight)
    # In the window too: what an earlier message of the batch gives back is not taken any more.
    made_of = ledger.load_underlying(connection, interning, needs.underlying)
    merged = {block.block_id: block for block in (*blocks, *reserved, *made_of)}
    acted = transfers.load_acted(connection, needs.action_ids)
    usages = reference.usages(connection, needs.usages | _usages_of(reserved))
    own = dict if needs.records else _shared
    facts = Facts(
        now=now,
        window=LedgerWindow(merged.values(), head.next_block_id),
        hub=identity.hub,
        international_registry=identity.international_registry,
        mechanism_registry=identity.mechanism_registry,
        policy=identity.policy,
        participants=data.participants,
        suspensions=data.suspensions,
        approaches=own(data.approaches),
        authorizations=own(data.authorizations),
        authorization_versions=own(data.authorization_versions),
        entities=own(data.entities),
        accounts=data.accounts,
        transfers=dict(known),
        usage=usages,
        crowded=crowded,
        frozen=data.frozen,
        underlying_taken=_underlying_taken(made_of),
        arrivals=load_provenance.arrivals(
            connection, interning, needs.initiators, identity.policy, now
        ),
        quantity_today=_quantity_today(connection, needs.initiators, identity.policy, now),
    )
    _load_issuances(connection, facts, needs.issuance_ids)
    for one in later_authorizations.overlapping(connection, interning, needs.later_authorized):
        facts.later_authorized.add(one)
    _load_earlier(connection, facts, needs, known, acted, data)
    work = BatchWork(
        facts,
        data,
        limits,
        head.log_index,
        mailboxes.load(connection, needs.mailboxes) if needs.mailboxes else {},
        mailboxes.delivery_digests(connection, needs.acknowledgements),
        acted,
        known_usages=frozenset(usages),
    )
    work.asked = sessions.asked(connection, needs.questions)
    found = cases.load(connection, needs.case_ids)
    work.registry_of_case = {case_id: row.registry for case_id, row in found.items()}
    work.explain = lambda blocks: load_provenance.brought_by(connection, interning, blocks)
    return work


def _shared(directory: Any) -> Any:
    """Return a directory of the cached reference data itself: this batch will not change it."""
    return directory


def _usages_of(blocks: Iterable[Any]) -> set[tuple[str, str]]:
    return {
        (block.series.first_transferring_party, block.attributes.authorization_id)
        for block in blocks
    }


def _underlying_taken(made_of: Iterable[LedgerBlock]) -> UnderlyingUnits:
    """Return the underlying units that blocks of the ledger stand for."""
    taken = UnderlyingUnits()
    for block in made_of:
        if (unit := unit_of(block)) is not None:
            taken.add(unit, block.range)
    return taken


def _quantity_today(
    connection: Connection, initiators: set[str], policy: Policy, now: datetime
) -> dict[str, int]:
    """Return what each initiator sent in the last 24 hours, if the policy asks for it."""
    if policy.quantity_per_day_max is None:
        return {}
    since = now - timedelta(days=1)
    return {code: transfers.moved_since(connection, code, since) for code in initiators}


def _load_issuances(connection: Connection, facts: Facts, ids: set[str]) -> None:
    """Add announced issuances with their progress, and their notices as earlier bodies."""
    for issuance_id, row in reference.issuances(connection, ids).items():
        body = json_codec.decode_body("a64.issuance_notice", 1, msgspec.json.decode(row.body))
        assert isinstance(body, A64IssuanceNotice)
        facts.issuances[issuance_id] = replace(
            issuance_of(body),
            sop_done=row.sop_done,
            omge_done=row.omge_done,
            forwarded=row.forwarded,
            authorized_later=row.authorized_later,
            sop_later=row.sop_later,
            omge_later=row.omge_later,
        )
        _remember(facts, "a64.issuance_notice", body)


def _load_earlier(
    connection: Connection,
    facts: Facts,
    needs: Needs,
    known: Mapping[str, Any],
    acted: Mapping[str, ActedRow],
    data: ReferenceData,
) -> None:
    """Add the bodies accepted before under the natural ids that this batch names again."""
    for key in needs.records & data.records.keys():
        type_ = MESSAGE_TYPE_OF_KIND[key[0]]
        stored = msgspec.json.decode(data.records[key].body)
        _remember(facts, type_, json_codec.decode_body(type_, 1, stored))
    indices = {row.proposed_log_index for name, row in known.items() if name in needs.proposed_ids}
    indices |= {row.log_index for row in acted.values()}
    found = envelopes.bodies(connection, indices)
    for row in acted.values():
        if row.log_index not in found:
            facts.earlier[row.natural_id] = ErasedBody(row.log_index)
    for body, receipt in found.values():
        accepted = _accepted_ids(receipt)
        for message in messages_of(body):
            if message.message.message_id in accepted:  # a refusal leaves its id free
                _remember(facts, message.message.type, message.body)


def _accepted_ids(receipt: bytes) -> set[str]:
    """Return the ids of the messages that one of our receipts says were accepted."""
    outcomes = read_own(receipt, "receipt")["outcomes"]
    return {one["message_id"] for one in outcomes if one["outcome"] == ACCEPTED}


def _remember(facts: Facts, type_: str, body: object) -> None:
    """Enter a body accepted before under its natural id; the first one stands."""
    identifier = natural_id(type_, body)
    if identifier is not None:
        facts.earlier.setdefault(identifier, body)


def messages_of(raw: bytes) -> list[OpenMessage]:
    """Return the typed messages of an envelope that was verified when it was recorded."""
    xml_threads.count_bytes(raw)
    return [opened for opened in stored_messages(raw) if opened.body is not None]
