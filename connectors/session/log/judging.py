"""Does an entry keep the hub's promise, and do our own counters follow? No I/O.

1. The bytes are an entry of this log, of this index, and they name us among the parties.
2. Kind, sender, recipient and time are those of the receipt, item or delivery that promised it.
3. Each commitment that we can open opens: SHA-256 of the salt and of the exact bytes we hold.
4. Our count goes 1, 2, 3 … over the entries that name us, and each names the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.session.log.claims import Claim
from hub.transparency_log.entries import Entry, EntryError, decode

__all__ = ["OwnStep", "counter_fault", "entry_faults", "read_entry"]

_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "receipt": frozenset({"envelope"}),
    # A notice of the hub may come of an envelope or of an act.
    "item": frozenset({"envelope", "act"}),
    "delivery": frozenset({"delivery"}),
    "replaced": frozenset({"delivery"}),
}


@dataclass(frozen=True, slots=True)
class OwnStep:
    """Our own count at an entry, and the index of our entry before."""

    log_index: int
    count: int
    previous: int | None


def read_entry(data: bytes, index: int) -> tuple[Entry | None, str | None]:
    """Return the entry of a leaf, or what is wrong with its bytes."""
    try:
        entry = decode(data)
    except EntryError as error:
        return None, str(error)
    if entry.index != index:
        return None, f"the leaf {index} says that it is entry {entry.index}"
    return entry, None


def entry_faults(entry: Entry, claims: Iterable[Claim], participant: str) -> list[str]:
    """Return in words what an entry says otherwise than it was promised; nothing if it fits."""
    faults: list[str] = []
    if entry.step_of(participant) is None:
        faults.append(f"entry {entry.index} does not name {participant}")
    for claim in claims:
        faults.extend(f"{claim.words}: {fault}" for fault in _faults(entry, claim))
    return faults


def _faults(entry: Entry, claim: Claim) -> Iterable[str]:
    where = f"entry {entry.index}"
    kinds = frozenset({"envelope"}) if claim.sender and claim.role == "item" else _KINDS[claim.role]
    if entry.kind not in kinds:
        yield f"{where} is of the kind {entry.kind}"
    for name, said, promised in (
        ("sender", entry.sender, claim.sender),
        ("recipient", entry.recipient, claim.recipient),
        ("time", entry.at, claim.at or None),
    ):
        if promised is not None and said != promised:
            yield f"{where} has the {name} {said}, promised was {promised}"
    for name, promised in claim.commitments.items():
        if entry.commitments.get(name) != promised:
            yield f"{where} does not commit to the {name} that we hold"


def counter_fault(step: OwnStep, before: OwnStep | None, after: OwnStep | None) -> str | None:
    """Return what is wrong with our count at an entry beside its known neighbours by index.

    The neighbours need not be adjacent in the tree or in the count: others may lie between.
    """
    if before is not None:
        where = (
            f"entry {step.log_index} (our {step.count}., after entry {step.previous}) does not "
            f"follow entry {before.log_index} (our {before.count}.)"
        )
        if before.count >= step.count:
            return where
        if step.previous is None or step.previous < before.log_index:
            return where
        if (before.count + 1 == step.count) != (step.previous == before.log_index):
            return where
    if after is not None:
        return counter_fault(after, step, None)
    return None
