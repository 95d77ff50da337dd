"""The report of a night as one page: nothing is fetched, nothing runs, all that peers say is text.

The order is the officer's: what came of it in a sentence, the figures, what to do now, how it was
before, the cases, the registries one by one, the hub's own books.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

from hub.services.reconciliation.reports import report_plots as plots
from hub.services.reconciliation.reports.night_report import CaseLine, NightReport, SessionLine
from hub.services.reconciliation.reports.report_markup import Child, Markup, tag
from message_schemas import timestamps

CASES_MAX: Final = 400
"""Cases on the page; the CSV and the JSON have all of them."""
FAULTS_MAX: Final = 50
_TONES: Final = {
    **dict.fromkeys(("agreed", "closed"), "good"),
    **dict.fromkeys(("differs", "failed", "opened", "reopened"), "bad"),
    **dict.fromkeys(("silent", "refused", "asking", "waiting", "not asked"), "warn"),
}
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: NightReport) -> bytes:
    """Return the page, UTF-8."""
    title = f"Reconciliation, night of {_day(report.night)}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – {report.hub}"),
        tag("style", Markup(_style())),
    )
    sections = [
        _header(report, title),
        _verdict(report),
        _figures(report),
        _own_books_fault(report),
        _to_do(report),
        _history(report),
        _ages(report),
        _cases(report),
        _registries(report),
        _own_books(report),
    ]
    body = tag("body", tag("main", *sections), _footer(report))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n".encode()


@cache
def _style() -> str:
    """Return the style sheet, which is our own."""
    folder = resources.files("hub.services.reconciliation.reports")
    return folder.joinpath("report.css").read_text(encoding="utf-8")


def _header(report: NightReport, title: str) -> Markup:
    times = "It has not begun."
    if report.started_at is not None:
        times = f"Began {_clock(report.started_at)}"
        times += ", still running." if report.finished_at is None else f", took {_took(report)}."
    line = f"Registries compared with the central ledger by {report.hub}. {times}"
    return tag("header", tag("h1", title), tag("p", line))


def _verdict(report: NightReport) -> Markup:
    """Say in plain words what came of it."""
    sound = report.own_books is None or report.own_books.is_sound
    urgent = bool(report.happened("opened") or report.happened("reopened"))
    tone = "good" if report.is_good else "bad" if urgent or not sound else "warn"
    return tag("div", *(tag("p", one) for one in sentences(report)), class_=f"verdict {tone}")


def sentences(report: NightReport) -> list[str]:
    """Return what came of the night, in a few plain sentences; alerts say the same."""
    results, said = report.results, []
    compared = results["agreed"] + results["differs"]
    if compared and results["differs"] == 0:
        said.append(f"{_count(compared, 'registry', 'registries')} compared, and all agree.")
    elif compared:
        said.append(
            f"{_count(compared, 'registry', 'registries')} compared: "
            f"{results['agreed']} agree, {results['differs']} do not."
        )
    else:
        said.append("No registry was compared.")
    if report.unanswered:
        said.append(f"Not answered: {', '.join(one.registry for one in report.unanswered)}.")
    changes = [
        f"{_count(len(report.happened(what)), 'case', 'cases')} {what}"
        for what in ("opened", "reopened", "closed")
        if report.happened(what)
    ]
    if changes:
        said.append(f"{', '.join(changes).capitalize()}.")
    if report.open_cases:
        said.append(
            f"{_count(len(report.open_cases), 'case is', 'cases are')} open, "
            f"{_count(report.units_frozen, 'unit is', 'units are')} frozen."
        )
    if report.own_books is not None and not report.own_books.is_sound:
        faults = _count(report.own_books.fault_count, "fault", "faults")
        said.append(f"The hub's own books have {faults}.")
    if report.missed_nights:
        said.append(f"Missed before: {', '.join(report.missed_nights)}.")
    return said


def _figures(report: NightReport) -> Markup:
    compared = report.results["agreed"] + report.results["differs"]
    due = sum(line.is_due for line in report.sessions)
    late = sum(line.is_overdue for line in report.open_cases)
    figures = [
        (f"{report.results['agreed']:,} of {due:,}", "comparisons agree"),
        (f"{len(report.open_cases):,}", f"cases open{f', {late} late' if late else ''}"),
        (f"{report.units_frozen:,}", "units frozen"),
        (_took(report), "duration"),
        (f"{report.question_count:,}", f"questions, {_size(report.characters)}"),
    ]
    if compared == 0:
        figures = figures[1:]
    items = (tag("li", tag("strong", value), tag("span", label)) for value, label in figures)
    return tag("ul", *items, class_="figures")


def _own_books_fault(report: NightReport) -> Markup | None:
    """Put a fault of the hub's own books before everything else, in red."""
    checked = report.own_books
    if checked is None or checked.is_sound:
        return None
    items = [
        tag("li", tag("strong", str(fault.kind)), f" – {fault.subject}: {fault.text}")
        for fault in checked.faults[:FAULTS_MAX]
    ]
    more = checked.fault_count - len(items)
    said = (
        "The fault is the hub's, no registry's: no case is opened for it. Prove the whole ledger "
        "with "
    )
    return tag(
        "div",
        tag("p", tag("strong", "The hub's own books are at fault.")),
        tag("ul", *items, class_="todo"),
        tag("p", f"and {more:,} more.") if more > 0 else None,
        tag("p", said, tag("code", "itmo-hub db check"), " before anything is corrected."),
        class_="verdict bad",
        role="alert",
    )


def _to_do(report: NightReport) -> Markup | None:
    """List what is new and wants somebody: cases opened or reopened, registries without answer."""
    items = [
        tag(
            "li",
            tag("strong", f"Case {case.case_id}"),
            f" {case.registry}: {case.summary} ",
            _tag(case.tonight),
            " ",
            tag("code", f"itmo-hub reconcile explain {case.case_id}"),
        )
        for case in (*report.happened("reopened"), *report.happened("opened"))
        if case.kind != "no_answer"
    ]
    items += [
        tag("li", tag("strong", line.registry), f" {_unanswered(line)} ", _tag(line.result))
        for line in report.unanswered
    ]
    late = [case for case in report.open_cases if case.is_overdue and not case.tonight]
    if late:
        listed = ", ".join(case.case_id for case in late[:12])
        listed += f" and {len(late) - 12} more" if len(late) > 12 else ""
        items.append(tag("li", tag("strong", "Late"), f": {listed}."))
    if not items:
        return None
    shown = items[:CASES_MAX]
    return tag("section", tag("h2", "To do"), tag("ul", *shown, class_="todo"))


def _unanswered(line: SessionLine) -> str:
    if line.reason:
        return line.reason
    return "did not answer in time." if line.result == "silent" else "was not compared."


def _history(report: NightReport) -> Markup | None:
    """Show the last nights; registries that agreed in all of them are one sentence."""
    eventful = [line for line in report.history if set(line.results) - {"agreed", "none", "missed"}]
    if not report.history:
        return None
    quiet = sum("agreed" in line.results for line in report.history if line not in eventful)
    nights = len(report.history_nights)
    results = [result for line in eventful for result in line.results]
    calm = f"{_count(quiet, 'registry', 'registries')} agreed whenever compared in these nights."
    return tag(
        "section",
        tag("h2", "This night" if nights == 1 else f"The last {nights} nights"),
        plots.pictures(plots.heat_map(report.history_nights, eventful)),
        plots.legend(results) if eventful else None,
        tag("p", calm, class_="soft") if quiet else None,
    )


def _ages(report: NightReport) -> Markup | None:
    if not report.open_cases:
        return None
    return tag(
        "section",
        tag("h2", "Open cases by age"),
        plots.pictures([plots.ages(report.ages)]),
    )


def _cases(report: NightReport) -> Markup | None:
    cases = sorted(report.cases, key=_urgency)
    if not cases:
        return None
    caption = f"{_count(len(cases), 'case', 'cases')}: open ones, and those closed this night."
    if len(cases) > CASES_MAX:
        caption += f" The first {CASES_MAX} are shown; the CSV has all."
    columns: Sequence[_Column] = (
        ("Case", lambda case: case.case_id, "nowrap"),
        ("Registry", lambda case: case.registry, ""),
        ("What", lambda case: _words(case.kind, case.summary), "words"),
        ("Units", lambda case: f"{case.units:,}", "number"),
        ("Frozen", lambda case: f"{case.frozen_units:,}", "number"),
        ("Age", lambda case: f"{case.age_days} d", "number"),
        ("State", _state, ""),
        ("Due", _due, "nowrap"),
        ("Assignee", lambda case: case.assignee or "–", ""),
    )
    return tag("section", tag("h2", "Cases"), _table(caption, columns, cases[:CASES_MAX]))


def _urgency(case: CaseLine) -> tuple[int, bool, str]:
    order = ("reopened", "opened", "continued", "", "closed")
    return order.index(case.tonight), not case.is_overdue, case.case_id


def _words(kind: str, summary: str) -> Markup:
    return tag("span", tag("strong", kind.replace("_", " ")), tag("br"), summary)


def _state(case: CaseLine) -> Markup:
    """Return what the night did with a case, and where it stands today if that says more."""
    state = case.state.replace("_", " ")
    if not case.tonight:
        return tag("span", state)
    if case.tonight == case.state or (case.tonight, case.state) == ("opened", "open"):
        return tag("span", _tag(case.tonight))
    return tag("span", _tag(case.tonight), tag("br"), state)


def _due(case: CaseLine) -> Child:
    if case.is_overdue:
        return tag("span", f"{case.due_on} late", class_="late")
    return case.due_on or "–"


def _registries(report: NightReport) -> Markup | None:
    if not report.sessions:
        return None
    worst = {"differs": 0, "failed": 1, "silent": 2, "refused": 3, "agreed": 9}
    lines = sorted(report.sessions, key=lambda line: (worst.get(line.result, 4), line.registry))
    columns: Sequence[_Column] = (
        ("Registry", _named, ""),
        ("Result", _result, ""),
        ("Session", lambda line: line.session or "–", "nowrap mono"),
        ("As of", lambda line: "–" if line.as_of is None else f"{line.as_of:,}", "number"),
        ("By", lambda line: line.basis or line.mode, ""),
        ("Findings", lambda line: f"{line.finding_count:,}", "number"),
        ("Questions", lambda line: f"{line.question_count:,}", "number"),
        ("Size", lambda line: _size(line.characters_asked + line.characters_answered), "number"),
        ("Time", lambda line: _duration(line.seconds), "number"),
    )
    caption = "One line a comparison. “As of” is the index of the log whose state was compared."
    return tag("section", tag("h2", "Registries"), _table(caption, columns, lines))


def _named(line: SessionLine) -> Markup:
    return tag("span", tag("strong", line.registry), tag("br"), line.name)


def _result(line: SessionLine) -> Markup:
    return tag(
        "span",
        _tag(line.result),
        tag("br") if line.reason else None,
        tag("span", line.reason, class_="soft") if line.reason else None,
    )


def _own_books(report: NightReport) -> Markup:
    checked = report.own_books
    if checked is None:
        return tag("section", tag("h2", "The hub's own books"), tag("p", "They were not checked."))
    said = (
        f"{checked.series_checked:,} of {checked.series_known:,} series: {checked.block_count:,} "
        f"blocks against {checked.posting_count:,} postings and {checked.digest_count:,} kept "
        f"digests, up to log index {checked.checked_to:,}, in {_duration(checked.seconds)}. "
    )
    said += "All is sound." if checked.is_sound else f"{checked.fault_count:,} faults, see above."
    unkeyed = f"Without a key at hand, and so without their digests: {', '.join(checked.unkeyed)}."
    return tag(
        "section",
        tag("h2", "The hub's own books"),
        tag("p", said),
        tag("p", unkeyed) if checked.unkeyed else None,
    )


def _footer(report: NightReport) -> Markup:
    return tag(
        "footer",
        tag("p", f"Drawn up by {report.hub} at {_clock(report.made_at)}."),
        tag(
            "p",
            "Each result is an entry of the hub's log, signed when it was delivered. ",
            tag("code", "itmo-hub reconcile result SESSION"),
            " gives one with where it stands and how to prove it.",
        ),
    )


# --- parts ---------------------------------------------------------------------------------------

_Column = tuple[str, Callable[[Any], Child], str]


def _table(caption: str, columns: Sequence[_Column], lines: Iterable[Any]) -> Markup:
    head = tag(
        "tr", *(tag("th", name, scope="col", class_=css or None) for name, _, css in columns)
    )
    body = []
    for line in lines:
        (_, first, css), *rest = columns
        cells = [tag("th", first(line), scope="row", class_=css or None)]
        cells += [tag("td", value(line), class_=css or None) for _, value, css in rest]
        body.append(tag("tr", *cells))
    table = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)


def _tag(word: str) -> Markup:
    label = "findings" if word == "differs" else word
    return tag("span", label, class_=f"tag {_TONES.get(word, '')}".rstrip())


def _day(night: str) -> str:
    day = date.fromisoformat(night)
    return f"{day.day} {day:%B %Y}"


def _clock(at: datetime) -> str:
    return timestamps.render(at).replace("T", " ").split(".")[0].removesuffix("Z") + " UTC"


def _took(report: NightReport) -> str:
    return _duration(report.seconds)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _size(characters: int) -> str:
    if characters < 1_000:
        return f"{characters} B"
    if characters < 1_000_000:
        return f"{characters / 1_000:.1f} kB"
    return f"{characters / 1_000_000:.1f} MB"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
