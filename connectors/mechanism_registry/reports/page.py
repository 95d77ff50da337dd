"""The report of a feed as one HTML page: no script, no request, plots as inline SVG. PURE.

What it shows is the document of ``reports.document``, in the order in which people ask: is all
with the hub, how much went where, are the shares complete, what was refused, how fast it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

BARS_MAX: Final = 24
ISSUANCES_SHOWN_MAX: Final = 200
REFUSALS_SHOWN_MAX: Final = 50
BAR_HEIGHT: Final = 20
LABEL_WIDTH: Final = 210
PLOT_WIDTH: Final = 720
VALUE_WIDTH: Final = 120

STYLE: Final = """
:root { color-scheme: light; --ink: #1b2733; --soft: #5c6b7a; --line: #d5dde5; --good: #2b7a4b;
  --bad: #b3261e; --bar: #2f6db5; --second: #d98e04; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink);
  margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: #fff; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line);
  padding-bottom: .25rem; break-after: avoid; }
p { margin: .3rem 0; } .soft { color: var(--soft); } .bad { color: var(--bad); }
.verdict { font-weight: 600; } .good { color: var(--good); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem;
  margin: 1rem 0; }
.tile { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .7rem; }
.tile b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; } tr { break-inside: avoid; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .8rem;
  overflow-wrap: anywhere; }
svg { width: 100%; height: auto; max-width: 48rem; display: block; break-inside: avoid; }
svg text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
@media print { body { padding: 0; max-width: none; font-size: 10.5pt; } @page { margin: 16mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .wide { overflow: visible; } }
"""


def render_html(document: Mapping[str, Any]) -> str:
    """Return the page of a report's document."""
    feed, figures = document["feed"], document["figures"]
    parts = [
        f"<h1>{escape(feed['name'])}</h1>",
        _verdict(document),
        _tiles(figures),
        *_quantities(figures),
        _units(document["issuances"]),
        _shares(document["issuances"]),
        _refusals(figures["refused_by_rule"], document["refusals"]),
        _runs(document["runs"]),
        _digests(document),
    ]
    title = escape(f"{feed['name']}: report of the feed")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _verdict(document: Mapping[str, Any]) -> str:
    figures = document["figures"]
    refused = figures["refused_here"] + figures["refused_by_hub"]
    if document["complete"]:
        text, kind = "Every line is with the hub.", "good"
    elif refused:
        text, kind = f"{refused:,} lines were refused; the others are with the hub.", "bad"
    else:
        text, kind = "The feed is not pushed to its end yet.", "bad"
    if figures["waiting"]:
        text += f" {figures['waiting']:,} wait for an answer."
    who = f"{document['participant']}, {document['made_at']}"
    return f'<p class="soft">{escape(who)}</p><p class="verdict {kind}">{escape(text)}</p>'


def _tiles(figures: Mapping[str, Any]) -> str:
    moved = sum(figures["quantity_by_kind"].values())
    shown = {
        "lines accepted": figures["accepted"],
        "duplicates": figures["duplicates"],
        "refused here": figures["refused_here"],
        "refused by the hub": figures["refused_by_hub"],
        "kept back (contribution)": figures["kept_back"],
        "t CO₂ eq with the hub": moved,
    }
    tiles = "".join(
        f'<div class="tile"><b>{value:,}</b><span>{escape(name)}</span></div>'
        for name, value in shown.items()
    )
    return f'<div class="tiles">{tiles}</div>'


def _quantities(figures: Mapping[str, Any]) -> Iterable[str]:
    """Return a plot of each sum, in t CO2 eq."""
    for title, key in (
        ("t CO₂ eq by kind", "quantity_by_kind"),
        ("t CO₂ eq by account", "quantity_by_account"),
        ("t CO₂ eq by first transferring Party", "quantity_by_party"),
        ("t CO₂ eq by vintage", "quantity_by_vintage"),
        ("t CO₂ eq that moved nothing", "quantity_apart"),
    ):
        if figures[key]:
            yield f"<h2>{title}</h2>{_bars(figures[key], title)}"


def _bars(values: Mapping[str, int], title: str, color: str = "var(--bar)") -> str:
    """Return horizontal bars with their names and values; the smallest ones become one."""
    shown = list(values.items())
    if len(shown) > BARS_MAX:
        shown = sorted(shown, key=lambda item: -item[1])
        rest = shown[BARS_MAX - 1 :]
        shown = [*shown[: BARS_MAX - 1], (f"{len(rest)} others", sum(v for _, v in rest))]
    largest = max((value for _, value in shown), default=0) or 1
    room = PLOT_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    rows = []
    for number, (name, value) in enumerate(shown):
        y, width = number * BAR_HEIGHT, max(1.0, room * value / largest)
        label = name if len(name) <= 32 else f"{name[:31]}…"
        rows.append(
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{width:.1f}" height="{BAR_HEIGHT - 6}" '
            f'fill="{color}"/>'
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{y + 14}">{value:,}</text>'
        )
    return _svg(rows, len(shown) * BAR_HEIGHT, title)


def _svg(rows: Iterable[str], height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {PLOT_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(rows)}</svg>"
    )


def _units(issuances: Mapping[str, Any]) -> str:
    """Return authorized against contribution units of the issuances, as one bar."""
    if not issuances["issued"]:
        return ""
    authorized = issuances["authorized"] + issuances["authorized_later"]
    room = PLOT_WIDTH - 2
    width = room * authorized / issuances["issued"]
    bar = _svg(
        [
            f'<rect x="1" y="4" width="{width:.1f}" height="22" fill="var(--bar)"/>',
            f'<rect x="{1 + width:.1f}" y="4" width="{room - width:.1f}" height="22" '
            'fill="var(--second)"/>',
            f'<text x="1" y="44">authorized {authorized:,}</text>',
            f'<text x="{PLOT_WIDTH - 1}" y="44" text-anchor="end">contribution '
            f"{issuances['contribution']:,}</text>",
        ],
        50,
        "authorized against contribution units",
    )
    rows = [
        ("issued", issuances["issued"]),
        ("authorized at issuance", issuances["authorized"]),
        ("authorized later", issuances["authorized_later"]),
        ("contribution units", issuances["contribution"]),
        ("of these shown in feeds and kept back", issuances["contribution_in_feeds"]),
    ]
    table = _table(("units of the issuances named here", "t CO₂ eq"), rows)
    return f"<h2>Authorized against contribution units</h2>{bar}{table}"


def _shares(issuances: Mapping[str, Any]) -> str:
    """Return the completeness of SoP and OMGE, issuance by issuance."""
    if not issuances["count"]:
        return ""
    lacking = issuances["lacking"]
    text = f"{issuances['count']:,} issuances, {lacking:,} with incomplete shares."
    items = issuances["items"][:ISSUANCES_SHOWN_MAX]
    if issuances["count"] > len(items):
        text += f" The {len(items)} shown are those that lack something, then the first others."
    head = ["issuance", "Party", "vintage", "issued", "authorized", "adaptation", "due", "OMGE"]
    head += ["due", "forwarded", "shares"]
    rows = [
        (
            one["issuance_id"],
            one["party"],
            str(one["vintage"]),
            one["issued"],
            one["authorized"],
            one["sop"],
            "exempt" if one["sop_exempt"] else one["sop_due"],
            one["omge"],
            one["omge_due"],
            one["forwarded"],
            "complete" if one["complete"] else "incomplete",
        )
        for one in items
    ]
    kind = "bad" if lacking else "good"
    return (
        "<h2>Share of proceeds for adaptation, and OMGE</h2>"
        f'<p class="{kind}">{escape(text)}</p>{_table(head, rows)}'
    )


def _refusals(by_rule: Mapping[str, int], refusals: Sequence[Mapping[str, Any]]) -> str:
    if not by_rule:
        return ""
    many = len({one["feed"] for one in refusals}) > 1
    head = ("line", "found by", "rule", "field", "value", "what", "remedy")
    rows = [
        (
            f"{one['feed']}: {one['line']}" if many else str(one["line"]),
            one["source"],
            f"{one['rule']} {one['name']}",
            " ← ".join(part for part in (one.get("field"), one.get("source_field")) if part),
            one.get("source_value", one.get("value", "")),
            one["text"],
            " ".join(part for part in (one["remedy"], one["paragraph"]) if part),
        )
        for one in refusals[:REFUSALS_SHOWN_MAX]
    ]
    note = ""
    if sum(by_rule.values()) > len(rows):
        note = '<p class="soft">The first of them; the file of refusals has all.</p>'
    bars = _bars(by_rule, "lines refused by rule", "var(--bad)")
    return f"<h2>Lines refused, by rule</h2>{bars}{note}{_table(head, rows)}"


def _runs(runs: Sequence[Mapping[str, Any]]) -> str:
    if not runs:
        return ""
    head = ("begun", "ended", "how", "surveyed", "lines/s", "pushed", "seconds", "lines/s")
    rows = [
        (
            run["started_at"],
            run["ended_at"] or "—",
            run["ending"] or "killed, or still running",
            run["surveyed_lines"],
            run["survey_lines_per_second"] or "",
            run["pushed_lines"],
            round(run["push_seconds"], 1),
            run["push_lines_per_second"] or "",
        )
        for run in runs
    ]
    return f"<h2>Runs</h2>{_table(head, rows)}"


def _digests(document: Mapping[str, Any]) -> str:
    feed, mapping = document["feed"], document["mapping"]
    rows = [
        ("feed", f"{feed['name']} ({feed['format']}), {feed['bytes']:,} bytes with the outbox"),
        ("SHA-256 of these bytes", feed["sha256"]),
    ]
    if (source := document["source"]) is not None:
        rows += [
            ("source", source["url"]),
            ("pages", f"{source['pages']:,}; the digest is of their digests"),
            ("cursor", source["cursor"]),
        ]
    if mapping is not None:
        rows += [
            ("mapping", f"{mapping['name']}, version {mapping['version']}"),
            ("SHA-256 of the mapping", mapping["sha256"]),
        ]
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>"
        for name, value in rows
    )
    return f"<h2>What was read</h2><table>{cells}</table>"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers stand to the right."""
    body = list(rows)
    numeric = [
        any(isinstance(row[column], int | float) for row in body) for column in range(len(head))
    ]
    lines = ["<tr>" + "".join(_cell("th", t, n) for t, n in zip(head, numeric, strict=True))]
    for row in body:
        cells = (_cell("td", value, isinstance(value, int | float)) for value in row)
        lines.append("<tr>" + "".join(cells))
    inner = "</tr>".join(lines)
    return f'<div class="wide"><table>{inner}</tr></table></div>'


def _cell(tag: str, value: object, is_number: bool) -> str:
    text = f"{value:,}" if isinstance(value, int | float) else str(value)
    kind = ' class="n"' if is_number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
