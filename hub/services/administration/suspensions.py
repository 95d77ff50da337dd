"""Deeds that stop the smallest thing that needs stopping, and let it go on.

Accounts, message types, participants, pairs and the hub are suspended in the reference data; units
are held in the ledger itself, block by block.
"""

from typing import Any, Final

from hub.international_registry.units import LedgerBlock, Range, Series
from hub.services.administration.deeds import AdministrationError, Deed, is_line, require_same
from hub.services.administration.doing import Doing
from hub.services.reference_data import ReferenceData
from hub.store import reference
from hub.store.reference import SuspensionRow
from message_schemas import timestamps
from message_schemas.blocks import parse_identifier

SUBJECT_CHARACTERS_MAX: Final = 120
LEVELS: Final = ("account", "message_type", "participant", "pair", "hub")


def place_suspension(level: str, subject: str) -> Deed:
    """Suspend an account, a message type, a participant, a pair or the hub."""
    _check_suspension(level, subject)
    return Deed("suspension.place", f"{level}:{subject}", {"level": level, "subject": subject})


def lift_suspension(level: str, subject: str) -> Deed:
    """Lift a suspension."""
    _check_suspension(level, subject)
    return Deed("suspension.lift", f"{level}:{subject}", {"level": level, "subject": subject})


def hold_block(units: str) -> Deed:
    """Suspend units (``FIRST_ID..LAST_ID``) in the ledger; the hold is named ``S:log_index``."""
    parse_range(units)
    return Deed("block.hold", units, {"units": units})


def release_block(units: str) -> Deed:
    """Lift the suspension of units (``FIRST_ID..LAST_ID``), and of no others."""
    parse_range(units)
    return Deed("block.release", units, {"units": units})


def do_place_suspension(doing: Doing, deed: Deed) -> None:
    """Suspend something that is not suspended yet."""
    level, subject = deed.parameters["level"], deed.parameters["subject"]
    require_same(place_suspension(level, subject), deed)
    if (level, subject) in doing.data.suspensions:
        raise AdministrationError(f"{level} {subject} is suspended already")
    row = SuspensionRow(level, subject, doing.at, doing.act.reason, None)
    reference.place_suspension(doing.connection, row)
    _tell_those_touched(doing, "suspension.placed", level, subject)


def do_lift_suspension(doing: Doing, deed: Deed) -> None:
    """Lift a suspension that is in force."""
    level, subject = deed.parameters["level"], deed.parameters["subject"]
    require_same(lift_suspension(level, subject), deed)
    if reference.lift_suspension(doing.connection, level, subject, doing.at) == 0:
        raise AdministrationError(f"{level} {subject} is not suspended")
    _tell_those_touched(doing, "suspension.lifted", level, subject)


def do_hold_block(doing: Doing, deed: Deed) -> None:
    """Hold units that are all in the ledger, and none of them on hold."""
    units = deed.parameters["units"]
    require_same(hold_block(units), deed)
    asked = parse_range(units)
    window = doing.on_ledger(asked).facts.window
    missing = window.gaps(asked)
    if missing:
        raise AdministrationError(f"{missing[0]} is not in the ledger")
    held = window.overlapping(asked.series, asked.first, asked.last)
    if any(block.hold is not None for block in held):
        raise AdministrationError(f"a part of {units} is on hold already")
    window.hold([asked], f"S:{doing.log_index}")
    _tell_holders(doing, held, "suspension.placed", units)


def do_release_block(doing: Doing, deed: Deed) -> None:
    """Release those of the units that are on hold."""
    units = deed.parameters["units"]
    require_same(release_block(units), deed)
    asked = parse_range(units)
    freed = doing.on_ledger(asked).facts.window.unhold(asked)
    if not freed:
        raise AdministrationError(f"{units} is not suspended")
    _tell_holders(doing, freed, "suspension.lifted", units)


def parse_range(units: str) -> Range:
    """Return the units of ``FIRST_ID..LAST_ID`` (or one id). Raises AdministrationError."""
    first_text, _, last_text = units.partition("..")
    try:
        first = parse_identifier(first_text)
        last = parse_identifier(last_text or first_text)
        series = Series(*_key(first))
        if series != Series(*_key(last)):
            raise AdministrationError(f"{units}: the two ids are of different series")
        return Range(series, first.serial, last.serial)
    except ValueError as error:
        raise AdministrationError(f"{units}: {error}") from error


def _key(identifier: Any) -> tuple[str, str, str, int]:
    return (
        identifier.cooperative_approach,
        identifier.originating_registry,
        identifier.first_transferring_party,
        identifier.vintage,
    )


def _check_suspension(level: str, subject: str) -> None:
    """Raise AdministrationError if nothing can be suspended under this level and subject."""
    if level not in LEVELS:
        raise AdministrationError(f"level {level!r} is not one of {', '.join(LEVELS)}")
    if not is_line(subject, SUBJECT_CHARACTERS_MAX):
        raise AdministrationError(
            f"a subject is one line of 1 to {SUBJECT_CHARACTERS_MAX} characters"
        )
    if level == "pair" and sorted(subject.split("/")) != subject.split("/"):
        raise AdministrationError("a pair is two codes in alphabetical order: CHE01/THA01")


def _body(doing: Doing, level: str, subject: str) -> dict[str, Any]:
    return {
        "level": level,
        "subject": subject,
        "reason": doing.act.reason,
        "at": timestamps.render(doing.at),
    }


def _tell_those_touched(doing: Doing, type_: str, level: str, subject: str) -> None:
    """File the notice of a suspension for those whom it touches."""
    named = _touched(doing.data, level, subject)
    doing.tell(named, type_, _body(doing, level, subject))


def _touched(data: ReferenceData, level: str, subject: str) -> list[str]:
    match level:
        case "participant" | "pair":
            return [code for code in subject.split("/") if code in data.rows]
        case "account":
            registry, _, account_id = subject.partition("/")
            account = data.accounts.get((registry, account_id))
            return [] if account is None else data.registries_of(account.party)
        case _:
            return data.active_participants()


def _tell_holders(doing: Doing, held: list[LedgerBlock], type_: str, units: str) -> None:
    """Tell the registries that hold suspended units."""
    codes = sorted({block.registry for block in held})
    doing.tell(codes, type_, _body(doing, "block", units))
