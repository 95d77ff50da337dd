"""What administrators do with cases, and what registries say of them.

Deeds like all others (``services.administration``): signed, in the log, with who and why; each for
one case or for several at once, all of them or none. What is possible says the table of states
(``reconciliation.case_states``). Nobody closes a case: a comparison in which both sides agree does.

A registry explains a case by a message; this module keeps it, and asks for a comparison when the
registry says that it has corrected its book.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, TypedDict

from sqlalchemy import Connection

from hub.checks.frozen import freezes_over
from hub.international_registry.units import Range
from hub.services.administration.deeds import (
    AdministrationError,
    Deed,
    is_line,
    is_text,
    require_same,
)
from hub.services.administration.doing import Doing
from hub.store.reconciliation import cases, nights
from hub.store.reconciliation.cases import CaseRow, EventRow
from reconciliation.case_states import (
    CaseInput,
    CaseInputNotAllowedError,
    CaseState,
    Who,
    next_state,
)

ACKNOWLEDGE: Final = "case.acknowledge"
ASSIGN: Final = "case.assign"
NOTE: Final = "case.note"
DUE: Final = "case.due"
BEGIN_CORRECTION: Final = "case.begin_correction"
ASK_RERUN: Final = "case.ask_rerun"

HOW: Final = ("messages", "compensating_entry")
"""By what a difference is corrected: the registry's messages, or an entry in the ledger."""

CASES_MAX: Final = 500
TEXT_CHARACTERS_MAX: Final = 2_000
_CASE_ID: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}/[1-9][0-9]{0,8}")


class CasesNamed(TypedDict):
    """The parameters of a deed about cases and nothing else."""

    cases: list[str]


class CaseAssigned(CasesNamed):
    """To whom; None: to nobody."""

    assignee: str | None


class CaseNoted(CasesNamed):
    """What is to be remembered."""

    text: str


class CaseDue(CasesNamed):
    """Until which day: ``YYYY-MM-DD``."""

    due_on: str


class CaseCorrection(CasesNamed):
    """How a difference is being corrected, and in words."""

    how: str
    text: str


# --- deeds ---------------------------------------------------------------------------------------


def acknowledge(case_ids: Sequence[str]) -> Deed:
    """Say that somebody at the hub has seen the cases."""
    return _deed(ACKNOWLEDGE, case_ids)


def assign(case_ids: Sequence[str], assignee: str | None) -> Deed:
    """Give the cases to somebody to work on; None takes them back."""
    if assignee is not None and not is_line(assignee, 100):
        raise AdministrationError("an assignee is one line of 1 to 100 characters")
    return _deed(ASSIGN, case_ids, assignee=assignee)


def note(case_ids: Sequence[str], text: str) -> Deed:
    """Write something down about the cases."""
    return _deed(NOTE, case_ids, text=_text(text))


def set_due(case_ids: Sequence[str], due_on: str) -> Deed:
    """Set the day on which the cases are to be closed (``YYYY-MM-DD``)."""
    try:
        is_day = date.fromisoformat(due_on).isoformat() == due_on
    except ValueError:
        is_day = False
    if not is_day:
        raise AdministrationError(f"{due_on[:40]!r} is no day: write it as 2026-11-30")
    return _deed(DUE, case_ids, due_on=due_on)


def begin_correction(case_ids: Sequence[str], how: str, text: str) -> Deed:
    """Say that the cases are being corrected, how (a value of ``HOW``) and in words."""
    if how not in HOW:
        raise AdministrationError(f"a case is corrected by {' or '.join(HOW)}, not by {how[:40]!r}")
    return _deed(BEGIN_CORRECTION, case_ids, how=how, text=_text(text))


def ask_rerun(case_ids: Sequence[str]) -> Deed:
    """Ask for a comparison with the registries of the cases, as soon as the leading hub can."""
    return _deed(ASK_RERUN, case_ids)


def do_acknowledge(doing: Doing, deed: Deed) -> None:
    """Note that the cases were seen."""
    require_same(acknowledge(deed.parameters["cases"]), deed)
    _do(doing, deed, CaseInput.ACKNOWLEDGE, doing.act.reason)


def do_assign(doing: Doing, deed: Deed) -> None:
    """Give the cases to somebody."""
    assignee = deed.parameters["assignee"]
    require_same(assign(deed.parameters["cases"], assignee), deed)
    text = "to nobody" if assignee is None else f"to {assignee}"
    _do(doing, deed, CaseInput.ASSIGN, text, lambda row: replace(row, assignee=assignee))


def do_note(doing: Doing, deed: Deed) -> None:
    """Keep a note; a closed case takes notes as well."""
    text = deed.parameters["text"]
    require_same(note(deed.parameters["cases"], text), deed)
    _do(doing, deed, CaseInput.NOTE, text)


def do_set_due(doing: Doing, deed: Deed) -> None:
    """Set when the cases are due."""
    due_on = deed.parameters["due_on"]
    require_same(set_due(deed.parameters["cases"], due_on), deed)
    text = f"due on {due_on}: {doing.act.reason}"
    _do(doing, deed, CaseInput.SET_DUE, text, lambda row: replace(row, due_on=due_on))


def do_begin_correction(doing: Doing, deed: Deed) -> None:
    """Note that the cases are being corrected."""
    how, text = deed.parameters["how"], deed.parameters["text"]
    require_same(begin_correction(deed.parameters["cases"], how, text), deed)
    _do(doing, deed, CaseInput.BEGIN_CORRECTION, f"by {how.replace('_', ' ')}: {text}")


def do_ask_rerun(doing: Doing, deed: Deed) -> None:
    """Ask for a comparison with each registry that has any of the cases."""
    require_same(ask_rerun(deed.parameters["cases"]), deed)
    rows = _do(doing, deed, CaseInput.ASK_RERUN, doing.act.reason)
    asked: set[str] = set()
    for row in rows:
        if row.registry not in asked:  # one comparison looks at all cases of a registry
            asked.add(row.registry)
            _request(doing.connection, row, doing.act.actor, doing.at)


# --- the compensating entry ----------------------------------------------------------------------


def cases_touched(
    doing: Doing, asked: Range, registries: Collection[str], case_id: str | None
) -> list[str]:
    """Return the cases that a correction between two registries touches, the one named first.

    Frozen serials are moved for a case that is named and holds them all. Units that one registry
    misses and the other has too many are a case of each: the other one is touched as well. Raises
    AdministrationError for serials that no case is named for, or of a third registry's case.
    """
    over = freezes_over(doing.data.frozen, asked)
    for part, freeze in over:
        if case_id is None or freeze.registry not in registries:
            raise AdministrationError(
                f"{part} is frozen by the reconciliation case {freeze.case_id} of "
                f"{freeze.registry}: name it with --case if it is what you put right, or leave "
                f"these serials out (`itmo-hub reconcile explain {freeze.case_id}`)"
            )
    if case_id is None:
        return []
    own = [part for part, freeze in over if freeze.case_id == case_id]
    if _left_of(asked, own):
        raise AdministrationError(
            f"the case {case_id} does not hold all of {asked}: a compensating entry for a case "
            f"moves serials of that case only (`itmo-hub reconcile case show {case_id}`)"
        )
    return [case_id, *sorted({freeze.case_id for _, freeze in over} - {case_id})]


def note_compensation(doing: Doing, case_ids: Sequence[str], text: str) -> None:
    """Note a compensating entry at its cases. Raises AdministrationError if it is not possible."""
    _change(doing, case_ids, CaseInput.COMPENSATE, text)


def _left_of(asked: Range, parts: Sequence[Range]) -> bool:
    """Tell whether any serial of a range is in none of the parts."""
    expected = asked.first
    for part in sorted(parts):
        if part.first > expected:
            return True
        expected = max(expected, part.last + 1)
    return expected <= asked.last


# --- a registry explains -------------------------------------------------------------------------


def keep_explanation(
    connection: Connection,
    *,
    case_id: str,
    registry: str,
    text: str,
    corrected: bool,
    log_index: int,
    at: datetime,
) -> None:
    """Keep what a registry said of its case, in the transaction that records the message.

    ``corrected`` asks for a comparison, unless the case is closed already. The caller has made sure
    that the case is the registry's.
    """
    row = cases.load(connection, [case_id])[case_id]
    assert row.registry == registry, f"{case_id} is no case of {registry}"
    events = [EventRow(case_id, 0, log_index, at, registry, CaseInput.EXPLAIN.value, text)]
    if corrected and row.is_open:
        state = next_state(CaseState(row.state), CaseInput.ASK_RERUN, Who.REGISTRY)
        cases.write(connection, [replace(row, state=state.value, changed_at=at)])
        said = "The registry says that it has corrected its book."
        events.append(
            EventRow(case_id, 0, log_index, at, registry, CaseInput.ASK_RERUN.value, said)
        )
        _request(connection, row, registry, at)
    cases.add_events(connection, events)


# --- the way all of it goes ----------------------------------------------------------------------


def _deed(kind: str, case_ids: Sequence[str], **parameters: Any) -> Deed:
    """Return a deed about cases; AdministrationError for what are no ids of cases."""
    named = list(case_ids)
    for case_id in named:
        if not _CASE_ID.fullmatch(case_id):
            raise AdministrationError(f"{case_id[:40]!r} is no case: write it as 2026-11-22/3")
    if not 1 <= len(named) <= CASES_MAX or len(set(named)) < len(named):
        raise AdministrationError(f"name 1 to {CASES_MAX} cases, each once")
    subject = named[0] if len(named) == 1 else f"{len(named)} cases"
    return Deed(kind, subject, {"cases": named, **parameters})


def _text(text: str) -> str:
    if not is_text(text, TEXT_CHARACTERS_MAX):
        raise AdministrationError(
            f"a text has 1 to {TEXT_CHARACTERS_MAX} characters, of the control characters only "
            "line feed and tab"
        )
    return text


def _do(
    doing: Doing,
    deed: Deed,
    input_: CaseInput,
    text: str,
    also: Callable[[CaseRow], CaseRow] = lambda row: row,
) -> list[CaseRow]:
    return _change(doing, deed.parameters["cases"], input_, text, also)


def _change(
    doing: Doing,
    case_ids: Sequence[str],
    input_: CaseInput,
    text: str,
    also: Callable[[CaseRow], CaseRow] = lambda row: row,
) -> list[CaseRow]:
    """Do one thing with all the cases, or with none; return them as they were."""
    there = cases.load(doing.connection, case_ids)
    missing = [case_id for case_id in case_ids if case_id not in there]
    if missing:
        raise AdministrationError(f"there is no case {missing[0]} (`itmo-hub reconcile case list`)")
    rows = [there[case_id] for case_id in case_ids]
    changed: list[CaseRow] = []
    for row in rows:
        try:
            state = next_state(CaseState(row.state), input_, Who.ADMINISTRATOR)
        except CaseInputNotAllowedError as error:
            raise AdministrationError(f"case {row.case_id}: {error}") from error
        changed.append(replace(also(row), state=state.value, changed_at=doing.at))
    cases.write(doing.connection, changed)
    actor = doing.act.actor
    cases.add_events(
        doing.connection,
        [
            EventRow(row.case_id, 0, doing.log_index, doing.at, actor, input_.value, text)
            for row in rows
        ],
    )
    return rows


def _request(connection: Connection, row: CaseRow, actor: str, at: datetime) -> None:
    """Ask for a comparison with the registry of a case, unless one that is to come will do.

    So however often a registry says that it has corrected its book, one comparison waits.
    """
    if nights.is_waiting(connection, row.registry):
        return
    nights.add_request(
        connection, asked_at=at, actor=actor, registry=row.registry, case_id=row.case_id
    )
