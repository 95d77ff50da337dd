"""Where ``itmo-hub query`` reads from: the ledger itself, what one participant may see, or a hub.

All three give pages of rows as the protocol shows them, one page in memory at a time:

1. ``of_ledger``: the whole ledger, for the operator, straight from the database.
2. ``as_participant``: exactly what the hub would answer a participant, by the same code.
3. ``over_wire``: signed questions to a running hub, in either binding; every receipt is verified
   with the hub's public key before a row of it is shown.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from uuid_utils import uuid7

from connectors.session.receipts import ReceiptInvalidError, open_receipt
from connectors.session.trust import Trust
from hub import bootstrap
from hub.checks.facts import MessageContext
from hub.config import Settings
from hub.protocol.envelopes import PROTOCOL, digest
from hub.protocol.signed_objects import MEDIA_TYPES, Binding, SigningKeys
from hub.services import looking, reference_data
from hub.services.administration.deeds import AdministrationError
from hub.services.looking import Looking, history_item, holdings_item
from hub.services.reference_data import ReferenceData
from hub.store import head as heads
from hub.store import holdings, views
from hub.store.database import Database
from hub.store.head import Head
from keys.documents import parse_document
from keys.possession import verify_possession
from keys.public_keys import KeyRecord
from keys.signing import open_signer
from message_schemas import json_codec, timestamps
from message_schemas.envelopes import Outcome
from message_schemas.messages.queries import HistoryQuery, HoldingsQuery
from message_schemas.validation import schema_errors

PAGE_ROWS: Final = 500
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
SECONDS_MAX: Final = 60.0
_SKEW: Final = timedelta(minutes=5)

Query = HoldingsQuery | HistoryQuery


class QueryError(AdministrationError):
    """The question cannot be answered; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows as JSON objects, and the hub's log index they were read at."""

    as_of_log_index: int
    items: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wire:
    """How to reach a hub: its address, who asks with which keys, and the hub's public keys."""

    hub: str
    participant: str
    key_uris: Sequence[str]
    hub_keys: Sequence[Path]
    binding: Binding
    hub_code: str


def type_of(query: Query) -> str:
    """Return the message type of a query."""
    return "holdings.query" if isinstance(query, HoldingsQuery) else "history.query"


def require_sound(query: Query) -> None:
    """Raise QueryError for a query that its schema refuses."""
    if errors := schema_errors(type_of(query), 1, json_codec.encode_body(query)):
        first = errors[0]
        raise QueryError(f"{first.path.removeprefix('/') or 'the query'}: {first.text}")


def of_ledger(
    database: Database, query: HoldingsQuery | views.Subject, page_rows: int = PAGE_ROWS
) -> Iterator[Page]:
    """Yield the pages of the whole ledger, or of the journal."""
    place: Any = holdings.START if isinstance(query, HoldingsQuery) else (0, 0)
    while place is not None:
        found: holdings.HoldingsPage | views.HistoryPage
        with database.reading() as connection:
            as_of = heads.read(connection).log_index
            if isinstance(query, HoldingsQuery):
                found = holdings.page(
                    connection,
                    streams=holdings.WHOLE_LEDGER,
                    filters={name: getattr(query, name, None) for name in holdings.FILTERS},
                    after=place,
                    limit=page_rows,
                )
                items: list[Any] = [holdings_item(row) for row in found.rows]
            else:
                found = views.history(connection, subject=query, after=place, limit=page_rows)
                items = [history_item(row) for row in found.rows]
        yield Page(as_of, [json_codec.encode_body(item) for item in items])
        place = found.next


def subject_of(query: HistoryQuery, filters: dict[str, Any]) -> views.Subject:
    """Return whose history an operator asks for: of a transfer, of serials, or filtered."""
    if query.transfer_id is None and query.range is None:
        return views.Subject(filters=filters)
    return replace(looking.subject_of(query, None), filters=filters)


def as_participant(
    database: Database, settings: Settings, participant: str, query: Query
) -> Iterator[Page]:
    """Yield the pages that the hub would answer a participant with. Raises QueryError."""
    kept: list[ReferenceData] = []

    def load(connection: Any, head: Head) -> ReferenceData:
        if not kept or not kept[0].is_current(head):
            kept[:] = [reference_data.load(connection, head)]
        return kept[0]

    identity = bootstrap.identity_of(settings)
    looker = Looking(database, load, identity=identity, limits=settings.limits)

    def ask(asked: Query) -> Outcome:
        context = MessageContext(
            sender=participant,
            recipient=identity.hub,
            message_id=str(uuid7()),
            type=type_of(asked),
            version=1,
            body=asked,
            log_index=0,
            position=0,
            envelope_sha256="",
            received_at=datetime.now(UTC),
        )
        return looker.look(context)

    yield from _pages(query, ask)


def _pages(query: Query, ask: Callable[[Query], Outcome]) -> Iterator[Page]:
    """Ask for one page after the other until there is no cursor."""
    while True:
        outcome = ask(query)
        if outcome.result is None or outcome.outcome != "accepted":
            texts = "; ".join(f"{one.text} {one.remedy}" for one in outcome.findings)
            raise QueryError(f"{outcome.code} {outcome.name}: {texts}")
        result: dict[str, Any] = dict(outcome.result)
        yield Page(result["as_of_log_index"], result["items"])
        if "cursor" not in result:
            return
        query = replace(query, cursor=result["cursor"])


def over_wire(wire: Wire, query: Query) -> Iterator[Page]:
    """Yield the pages that a hub answers, each receipt verified.

    Raises QueryError, KeysError, OSError.
    """
    signers = [open_signer(uri, participant=wire.participant) for uri in wire.key_uris]
    keys = SigningKeys.of(signers)
    if not keys.speaks(wire.binding):
        raise QueryError("XML is signed with one ES256 key: name that key alone with --key")
    trust = Trust.of_anchor(wire.hub_code, tuple(_key_of(path) for path in wire.hub_keys))
    yield from _pages(query, lambda asked: _ask(wire, keys, trust, asked))


def _key_of(path: Path) -> KeyRecord:
    """Read a public key document, plain or self-signed as the hub prints it."""
    raw = path.read_bytes().strip()
    return verify_possession(raw) if b'"payload"' in raw else parse_document(raw)


def _ask(wire: Wire, keys: SigningKeys, trust: Trust, query: Query) -> Outcome:
    now = datetime.now(UTC)
    message_id, envelope_id = str(uuid7()), str(uuid7())
    body = json_codec.encode_body(query)
    envelope = {
        "protocol": PROTOCOL,
        "envelope_id": envelope_id,
        "sender": wire.participant,
        "recipient": wire.hub_code,
        "sent_at": timestamps.render(now),
        "messages": [
            {"message_id": message_id, "type": type_of(query), "version": 1, "body": body}
        ],
    }
    raw = keys.seal("envelope", envelope, wire.binding)
    answer = _post(wire, raw)
    try:
        receipt = open_receipt(
            answer,
            trust=trust,
            participant=wire.participant,
            envelope_id=envelope_id,
            envelope_sha256=digest(raw),
            message_ids=[message_id],
            now=datetime.now(UTC),
            skew=_SKEW,
        )
    except ReceiptInvalidError as error:
        text = f"the answer of {wire.hub} is not believed: {error}; --hub-key names "
        text += "the hub's own, for XML its ES256 key; repeat it for both"
        raise QueryError(text) from error
    return receipt.outcomes[0]


def _post(wire: Wire, raw: bytes) -> bytes:
    """Return the body of a 200. Raises QueryError."""
    url = wire.hub.rstrip("/") + "/v1/envelopes"
    if not url.startswith(("http://", "https://")):
        raise QueryError(f"{wire.hub} is no http or https address")
    headers = {"Content-Type": MEDIA_TYPES[wire.binding]}
    request = urllib.request.Request(url, raw, headers, method="POST")  # noqa: S310 - as checked
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:  # noqa: S310 - as checked
            answer: bytes = response.read(ANSWER_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        raise QueryError(f"{url} answers {error.code}: {_detail(error.read(65_536))}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise QueryError(f"{wire.hub} cannot be reached: {error}") from None
    if len(answer) > ANSWER_BYTES_MAX:
        raise QueryError(f"{url} answers with more than {ANSWER_BYTES_MAX} bytes")
    return answer


def _detail(body: bytes) -> str:
    try:
        document: Any = json_codec.parse_strict(body)
        return str(document["detail"])
    except (json_codec.JsonRefusedError, TypeError, LookupError):
        return "no reason given"
