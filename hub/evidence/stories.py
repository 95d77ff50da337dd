"""The page of a bundle that a person reads and prints: who said what to whom, and when.

1. One HTML file, no script, nothing fetched: a strict policy in it forbids both.
2. Every word of a participant is escaped; the page says that it proves nothing by itself.
3. What happened is told in the verifier's own words, from the same contents.
4. What the participants signed stands in their own words, JSON or XML, laid out for reading.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hub.evidence.anchors import Tree
from hub.evidence.archives import MALFORMED, Json, RefutedError, digest, parse_json
from hub.evidence.bundles import BundleItem, Evidence
from hub.evidence.narratives import (
    PROPOSALS,
    UNKNOWN,
    Narrative,
    Record,
    Said,
)
from hub.evidence.originals import laid_out
from hub.evidence.signatures import DELIVERY_TYP, ENVELOPE_TYP, RECEIPT_TYP, open_signed

_STYLE: Final = """
@page { size: A4; margin: 18mm 16mm; }
body { font: 10.5pt/1.45 "Source Sans 3", "Segoe UI", Helvetica, Arial, sans-serif; color: #1b2733;
  max-width: 178mm; margin: 12mm auto; padding: 0 4mm; }
header { border-bottom: 2pt solid #14507a; padding-bottom: 3mm; margin-bottom: 5mm; }
h1 { font-size: 19pt; line-height: 1.2; margin: 0 0 1mm; color: #14507a; }
h2 { font-size: 12.5pt; margin: 7mm 0 2mm; color: #14507a; break-after: avoid; }
h3 { font-size: 10.5pt; margin: 4mm 0 1mm; break-after: avoid; }
p { margin: 0 0 2mm; }
.state { display: inline-block; padding: .6mm 3mm; border-radius: 3mm; background: #e4eef5;
  color: #14507a; font-weight: 600; }
.completed { background: #dff1e3; color: #1c6b34; }
.rejected, .cancelled, .expired { background: #fbe7dd; color: #97410f; }
table { width: 100%; border-collapse: collapse; font-size: 9.5pt; }
th { text-align: left; font-weight: 600; border-bottom: 1pt solid #8aa3b5; padding: 1mm 2mm 1mm 0; }
td { vertical-align: top; border-bottom: .4pt solid #cdd8e0; padding: 1.2mm 2mm 1.2mm 0; }
tr { break-inside: avoid; }
td.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 4mm; }
code, pre { font: 8.5pt/1.4 "JetBrains Mono", Consolas, Menlo, monospace; overflow-wrap: anywhere; }
pre { background: #f1f5f8; padding: 3mm; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: 44mm 1fr; gap: 1mm 4mm; margin: 0; }
dt { color: #52697a; } dd { margin: 0; overflow-wrap: anywhere; }
li { margin-bottom: 1mm; } li::first-letter { text-transform: uppercase; }
.note { border-left: 2pt solid #c98a1b; padding-left: 3mm; color: #4d4228; }
.quiet { color: #52697a; }
"""
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_ERASED: Final = "content erased, or not in this bundle"
BLOCKS_SHOWN_MAX: Final = 40


def render(evidence: Evidence) -> str:
    """Return the page, UTF-8 text. A content that cannot be read is shown as not here."""
    record = _record_of(evidence.items)
    narrative = Narrative(record, evidence.transfer_id)
    told: list[str] = []
    try:
        told += [one.text for one in narrative.tell()]
    except (RefutedError, *MALFORMED) as error:
        told.append(f"The contents do not make one story: {error}")
    proposal = next((one for one in record.said if _is_proposal(one, evidence.transfer_id)), None)
    parts = [
        _header(evidence, narrative.outcome),
        "" if proposal is None else _facts(proposal),
        _section("What happened", "<ol>" + "".join(f"<li>{_text(one)}" for one in told) + "</ol>"),
        _section("The entries of the log", _entries(evidence.items)),
        _section("What was signed, word for word", _originals(evidence.items)),
        _section("The keys that signed", _keys(evidence)),
        _section("The log", _log(evidence)),
        _section("How to verify", _how()),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evidence of transfer {_text(evidence.transfer_id)}</title>\n"
        f"<style>{_STYLE}</style>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _record_of(items: Iterable[BundleItem]) -> Record:
    """Return what the contents say, as far as they can be read; nothing is verified here."""
    record = Record()
    for item in items:
        try:
            entry = parse_json(item.entry, "the entry")
            record.entries[item.index] = entry
            for name, raw in item.contents.items():
                if raw is not None:
                    _take(record, entry, name, raw)
        except (RefutedError, *MALFORMED):
            continue
    return record


def _take(record: Record, entry: Json, name: str, raw: bytes) -> None:
    if name == "envelope":
        record.add_envelope(entry, raw, open_signed(raw, ENVELOPE_TYP)[0])
    elif name == "receipt":
        for outcome in open_signed(raw, RECEIPT_TYP)[0]["outcomes"]:
            record.answer(entry["index"], outcome)
    elif name == "delivery":
        record.add_delivery(entry, raw, open_signed(raw, DELIVERY_TYP)[0])
    else:
        record.acts[entry["index"]] = parse_json(raw, "the act")


def _is_proposal(said: Said, transfer_id: str) -> bool:
    return said.type in PROPOSALS and said.body.get("transfer_id") == transfer_id


def _text(value: Any) -> str:
    return html.escape(str(value))


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML already."""
    head = "".join(f"<th>{_text(name)}" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in rows)
    return f"<table>\n<thead><tr>{head}</thead>\n<tbody>{body}</tbody>\n</table>"


def _list(facts: Iterable[tuple[str, Any]]) -> str:
    shown = "".join(f"<dt>{_text(name)}<dd>{_text(value)}" for name, value in facts if value)
    return f"<dl>{shown}</dl>"


def _header(evidence: Evidence, outcome: str) -> str:
    words = "how it ended is not shown here" if outcome == UNKNOWN else outcome
    return (
        f"<header>\n<h1>Evidence of transfer {_text(evidence.transfer_id)}</h1>\n"
        f'<p><span class="state {_text(outcome)}">{_text(words)}</span></p>\n'
        f'<p class="quiet">Put together by {_text(evidence.made_by)} at '
        f"{_text(evidence.made_at)} from the log {_text(evidence.log_origin)}.</p>\n"
        '<p class="note">This page is for reading. What proves are the signed files beside it; '
        "the last section says how to check them without trusting anybody's page.</p>\n</header>"
    )


def _facts(said: Said) -> str:
    body = said.body
    facts = [
        ("Transferring", f"{said.sender}, account {body.get('transferring_account')}"),
        ("Acquiring", f"{said.recipient}, account {body.get('acquiring_account')}"),
        ("Acquiring entity", body.get("acquiring_entity")),
        ("Quantity", f"{body.get('quantity', 0):,} units"),
        ("Cooperative approach", body.get("cooperative_approach")),
        ("Action", f"{body.get('action')} {body.get('action_subtype') or ''}".strip()),
        ("Purpose", body.get("purpose")),
        ("Answer due by", body.get("respond_by")),
        ("Reference", body.get("reference")),
    ]
    blocks = list(body.get("blocks", ()))
    rows = [
        (
            f"<code>{_text(one['first_id'])}</code><br><code>{_text(one['last_id'])}</code>",
            f"{one['quantity']:,}",
            _text(one.get("authorization_id") or ""),
            _text(one.get("mitigation_type") or ""),
        )
        for one in blocks[:BLOCKS_SHOWN_MAX]
    ]
    table = _table(("First and last unit", "Units", "Authorization", "Type"), rows)
    more = len(blocks) - len(rows)
    rest = f'<p class="quiet">… and {more:,} more blocks, in the proposal itself.' if more else ""
    return _section("What was transferred", _list(facts)) + _section("The units", table + rest)


def _entries(items: Iterable[BundleItem]) -> str:
    rows = []
    for item in items:
        digests = "<br>".join(
            f"{_text(name)} <code>{digest(raw)}</code>" if raw is not None else _text(_ERASED)
            for name, raw in item.contents.items()
        )
        try:
            entry = parse_json(item.entry, "the entry")
            at, route = str(entry["at"]).replace("T", " "), _route(item, entry)
        except (RefutedError, *MALFORMED):  # the verifier says why
            at, route = "", "cannot be read"
        what = f"<b>{_text(item.role)}</b><br>{_text(route)}"
        rows.append((f"{item.index}", _text(at), what, digests))
    return _table(("Index", "The hub's time", "What, and who to whom", "SHA-256"), rows)


def _route(item: BundleItem, entry: Json) -> str:
    """Return who said it to whom; of an act, who did what."""
    raw = item.contents.get("act")
    if raw is None:
        return f"{entry['sender']} → {entry['recipient']}"
    act = parse_json(raw, "the act")
    return f"{act['kind']} {act['subject']}, by {act['actor']}: {act['reason']}"


def _originals(items: Iterable[BundleItem]) -> str:
    shown = []
    for item in items:
        raw = item.contents.get("envelope")
        if raw is None:
            continue
        try:
            form, words = laid_out(raw)
        except (RefutedError, *MALFORMED) as error:
            form, words = "not readable", str(error)
        shown.append(f"<h3>Entry {item.index}: {_text(item.role)} ({form})</h3>")
        shown.append(f"<pre>{_text(words)}</pre>")
    return "\n".join(shown) or f"<p>{_text(_ERASED)}</p>"


def _keys(evidence: Evidence) -> str:
    rows = [
        (
            f"<code>{_text(key.key_id)}</code>",
            _text(key.algorithm),
            _text(_window(key.valid_from, key.valid_until, key.revoked_at)),
            _text("" if key.registered_at is None else f"entry {key.registered_at}"),
        )
        for key in evidence.keys
    ]
    return _table(("Key", "Algorithm", "Valid", "Registered by"), rows)


def _window(since: str | None, until: str | None, revoked: str | None) -> str:
    ended = f", revoked at {revoked}" if revoked else (f" until {until}" if until else "")
    return (f"from {since}" if since else "as the reader's anchor says") + ended


def _log(evidence: Evidence) -> str:
    try:
        tree = Tree.parse(evidence.checkpoint)
    except RefutedError:
        return "<p>The checkpoint cannot be read.</p>"
    signers = sorted({name for name, _, _ in tree.lines})
    facts = [
        ("Log", tree.origin),
        ("Entries in the tree", f"{tree.size:,}"),
        ("Root of the tree", tree.root.hex()),
        ("Signed by", ", ".join(signers)),
    ]
    return _list(facts)


def _how() -> str:
    return (
        "<p>Save the stand-alone verifier once (<code>itmo-hub evidence verifier -o "
        "verify_evidence.py</code>) and get the anchor from somebody you trust, not from this "
        "file: it names the log's keys, the witnesses, and perhaps the participants' keys. Then, "
        "without a network:</p>\n"
        "<pre>python verify_evidence.py FILE --trust ANCHOR</pre>\n"
        "<p>It checks every signature, every commitment and every place in the log, and says in "
        "plain words what is proved, by whom, and what is not.</p>"
    )
