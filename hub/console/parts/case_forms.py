"""Forms about cases, of one or of several: which deed each makes, and what is said of it before.

An effect says what follows for whom: for the case, for the serials, for the registry. What is not
done is said too where somebody might expect it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hub.console.forms import Fields, FormError
from hub.console.translating import N_, translate
from hub.services.administration.deeds import (
    REASON_CHARACTERS_MAX,
    AdministrationError,
    Deed,
)
from hub.services.reconciliation.cases import case_acts

ACKNOWLEDGE: Final = "acknowledge"
ASSIGN: Final = "assign"
NOTE: Final = "note"
DUE: Final = "due"
BEGIN_CORRECTION: Final = "begin_correction"
ASK_REGISTRY: Final = "ask_registry"
RERUN: Final = "rerun"
ENTRY: Final = "entry"

OF_SEVERAL: Final = (ACKNOWLEDGE, ASSIGN, NOTE, DUE, RERUN)
OF_ONE: Final = (*OF_SEVERAL, BEGIN_CORRECTION, ASK_REGISTRY, ENTRY)
"""What the forms do: with the cases chosen in the list, with the case of a page."""

_STAYS_FROZEN: Final = N_("The serials stay frozen, and no units move.")
_COMPARING: Final = (
    N_(
        "The hub compares with the registry as soon as it can; of several requests that wait, one "
        "comparison answers all."
    ),
    N_(
        "The registry finds a reconciliation.cut in its mailbox, then questions about what "
        "differs, and at the end a reconciliation.result with each such serial and its case."
    ),
    N_(
        "Cases whose serials agree then are closed and their serials thawed; the others are "
        "acknowledged again."
    ),
)


@dataclass(frozen=True, slots=True)
class CaseAct:
    """A deed about cases, its reason, and its effects in marked or translated sentences."""

    deed: Deed
    reason: str
    effects: tuple[str, ...]


def act_of(form: Fields, do: str, case_ids: Sequence[str]) -> CaseAct:
    """Return what a form does with cases. Raises FormError, also for what the services refuse."""
    try:
        return _MAKERS[do](form, case_ids)
    except AdministrationError as error:
        raise FormError(do, str(error)) from error


def _acknowledge(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    effects = (
        N_("The case is shown as seen by somebody at the hub."),
        _STAYS_FROZEN,
        N_("The registry is not told."),
    )
    return CaseAct(case_acts.acknowledge(case_ids), _reason(form, "seen"), effects)


def _assign(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    if form.is_set("to_nobody"):
        nobodys = N_("Nobody works on the case any more, as far as the list tells.")
        return CaseAct(case_acts.assign(case_ids, None), _reason(form, "taken back"), (nobodys,))
    assignee = form.text("assignee", 100)
    said = translate(N_("{name} is shown as the one who works on the case."))
    effects = (said.format(name=assignee), N_("No message is sent to that person."))
    return CaseAct(case_acts.assign(case_ids, assignee), _reason(form, "assigned"), effects)


def _note(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    text = form.text("note", case_acts.TEXT_CHARACTERS_MAX)
    effects = (
        N_("The note stands in the history of the case and in the log for good."),
        N_("The registry is not told."),
    )
    return CaseAct(case_acts.note(case_ids, text), _reason(form, "a note"), effects)


def _due(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    day = form.text("due_on", 10)
    said = translate(N_("The case is overdue from the day after {day} on."))
    return CaseAct(case_acts.set_due(case_ids, day), _reason(form), (said.format(day=day),))


def _begin_correction(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    how = form.choice("how", case_acts.HOW)
    text = form.text("correction", case_acts.TEXT_CHARACTERS_MAX)
    effects = (
        N_("The case is shown as being corrected, with what you wrote."),
        _STAYS_FROZEN,
        N_("Nothing is corrected by this: the registry's messages or a compensating entry do it."),
    )
    deed = case_acts.begin_correction(case_ids, how, text)
    return CaseAct(deed, _reason(form, "being corrected"), effects)


def _ask_registry(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    question = form.text("question", REASON_CHARACTERS_MAX)
    effects = (
        *_COMPARING,
        N_("The registry may answer with a reconciliation.explanation, which is shown here."),
        N_(
            "Your question is kept in the history of the case. No message of the exchange carries "
            "it: ask the registry's operators in your own words too."
        ),
    )
    return CaseAct(case_acts.ask_rerun(case_ids), question, effects)


def _rerun(form: Fields, case_ids: Sequence[str]) -> CaseAct:
    reason = _reason(form, "to see whether both sides agree now")
    return CaseAct(case_acts.ask_rerun(case_ids), reason, _COMPARING)


def _reason(form: Fields, otherwise: str | None = None) -> str:
    """Return why: what was typed, or the usual words, which stand in the log in English."""
    if otherwise is None:
        return form.text("reason", REASON_CHARACTERS_MAX)
    return form.optional_text("reason", REASON_CHARACTERS_MAX) or otherwise


_MAKERS: Final[Mapping[str, Callable[[Fields, Sequence[str]], CaseAct]]] = {
    ACKNOWLEDGE: _acknowledge,
    ASSIGN: _assign,
    NOTE: _note,
    DUE: _due,
    BEGIN_CORRECTION: _begin_correction,
    ASK_REGISTRY: _ask_registry,
    RERUN: _rerun,
}
