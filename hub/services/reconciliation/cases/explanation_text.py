"""An explanation as text, for a terminal or a mail: one screen for a usual case."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from hub.services.reconciliation.cases.explaining import CauseFound, Difference, Explanation
from message_schemas import timestamps

WIDTH: Final = 100
DIFFERENCES_SHOWN: Final = 10
EVENTS_SHOWN: Final = 20


def text_of(explanation: Explanation) -> str:
    """Return the explanation in lines of at most WIDTH characters, where words allow it."""
    return "\n".join(_lines(explanation)) + "\n"


def _lines(explanation: Explanation) -> Iterator[str]:
    case = explanation.case
    yield f"CASE {case.case_id}   {case.registry}   {_said(case.state)}"
    yield ""
    yield _wrapped(f"{case.summary}.")
    yield _wrapped(explanation.means)
    yield ""
    yield f"  opened    {timestamps.render(case.opened_at)}, session {case.opened_session}"
    yield f"  due       {case.due_on or '-'}"
    yield f"  assignee  {case.assignee or 'nobody yet'}"
    if case.reopened_count:
        times = "once" if case.reopened_count == 1 else f"{case.reopened_count} times"
        yield f"  reopened  {times}"
    if explanation.differences:
        yield from _headed("WHAT DIFFERS", _differences(explanation))
    if case.units:
        yield from _headed("SUSPECTED CAUSE", _cause(explanation.cause, case.registry))
    yield from _headed(f"WHAT {case.registry} DOES", _steps(explanation.at_registry))
    yield from _headed("WHAT THE HUB'S OPERATORS DO", _steps(explanation.at_hub))
    yield from _headed("COMMANDS", _commands(explanation))
    yield from _headed("FROZEN", [_wrapped(explanation.frozen, "  ")])
    yield from _headed("CLOSES BY", [_wrapped(explanation.closes, "  ")])
    yield from _headed("SO FAR", _history(explanation))


def _said(state: str) -> str:
    return state.replace("_", " ")


def _headed(title: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    yield from lines


def _wrapped(text: str, indent: str = "", hanging: str | None = None) -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _differences(explanation: Explanation) -> Iterator[str]:
    shown = explanation.differences[:DIFFERENCES_SHOWN]
    for one in shown:
        units = "1 unit" if one.units == 1 else f"{one.units} units"
        told = f" ({units}{', frozen' if one.is_frozen else ''})" if one.units else ""
        yield f"  {one.serials}{told}"
        yield from _table(one, explanation.case.registry)
        if one.also_in:
            yield f"    the same serials are in case {', '.join(one.also_in)}"
    left = len(explanation.differences) - len(shown)
    if left:
        yield f"  ... and {left} more (--json has all of them)"


def _table(one: Difference, registry: str) -> Iterator[str]:
    rows = [("", "the ledger", registry), *one.rows]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    for name, ours, theirs in rows:
        yield f"    {name:<{widths[0]}}  {ours:<{widths[1]}}  {theirs}".rstrip()


def _cause(cause: CauseFound | None, registry: str) -> Iterator[str]:
    if cause is None:
        yield "  No single message explains it."
        return
    what = " and ".join(cause.types) or "a message whose body was erased"
    of = f" of {cause.reference}" if cause.reference else ""
    yield f"  {what}{of}, from {cause.sender}, log index {cause.log_index}"
    yield f"  recorded      {cause.recorded_at}"
    yield f"  delivered     {cause.delivered_at or f'not yet, to {registry}'}"
    yield f"  acknowledged  {cause.acknowledged_at or f'not yet, by {registry}'}"


def _steps(steps: Sequence[str]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield _wrapped(step, f"  {number}. ", "     ")


def _commands(explanation: Explanation) -> Iterator[str]:
    """Yield a line each, however long, to be copied."""
    width = max((len(what) for what, _ in explanation.commands), default=0)
    for what, command in explanation.commands:
        yield f"  {what:<{width}}  {command}"


def _history(explanation: Explanation) -> Iterator[str]:
    events = explanation.events[-EVENTS_SHOWN:]
    if len(events) < len(explanation.events):
        yield f"  ... {len(explanation.events) - len(events)} earlier ones (--json has all of them)"
    for one in events:
        at = timestamps.render(one.at)
        said = f"{one.kind.replace('_', ' ')} by {one.actor}: {one.text}"
        yield _wrapped(f"{at}  {said}", "  ", " " * (len(at) + 4))
