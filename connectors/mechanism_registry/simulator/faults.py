"""How a mechanism registry misbehaves on demand: faults by name, seeded, and told. PURE.

Some faults spoil the lines of the feed before they are served. Each tells which lines are bad, and
by which rules a connector or the hub may refuse them; all other lines stay good. The others spoil
answers: a page cut off, late, refused, or leading back. Those do no harm to a connector that asks
again, so they name no bad lines.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from hub.protocol.response_codes import ResponseCode as Code

Line = dict[str, Any]
LEAVING: Final = frozenset({"forwarding", "retirement", "cancellation"})
NUMBER_OF_FAULTS: Final = 9 * 10**12
"""Ids of lines that a fault adds begin here, beyond those of the registry itself."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that must not take effect; ``codes`` are the rules that may refuse it.

    A repetition of a line (``is_repetition``) may also be answered as what it is: a duplicate.
    """

    line: Line
    codes: frozenset[Code]
    is_repetition: bool = False


@dataclass(slots=True)
class Spoiled:
    """The lines as they are served, the bad ones among them, and what was done, in words."""

    lines: list[Line]
    bad: list[BadLine] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


def identifier_of(line: Line) -> str:
    """Return the id by which people find a line."""
    names = ("first_transfer_id", "change_id", "action_id", "issuance_id")
    return next(str(line[name]) for name in names if name in line)


def kind_of(line: Line) -> str:
    """Return what a line does with its units; contribution units have a word before it."""
    kind = str(line.get("kind", line["record"]))
    return f"contribution {kind}" if line.get("authorization_status") == "contribution" else kind


def _places(spoiled: Spoiled, *kinds: str) -> list[int]:
    """Return where the lines of some kinds stand, bad ones left out."""
    bad = {id(one.line) for one in spoiled.bad}
    return [
        place
        for place, line in enumerate(spoiled.lines)
        if kind_of(line) in kinds and id(line) not in bad
    ]


def _pick(places: list[int], chance: random.Random, share: float = 0.1) -> list[int]:
    """Return some of the places, at least one if there is one, the last first."""
    count = max(1, int(len(places) * share))
    return sorted(chance.sample(places, min(count, len(places))), reverse=True)


def double_rows(spoiled: Spoiled, chance: random.Random) -> None:
    """Give lines twice, one right behind the other."""
    codes = frozenset({Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD})
    for place in _pick(_places(spoiled, "forwarding", "sop_adaptation", "retirement"), chance):
        copy = dict(spoiled.lines[place])
        spoiled.lines.insert(place + 1, copy)
        spoiled.bad.append(BadLine(copy, codes, is_repetition=True))
        spoiled.done.append(f"{identifier_of(copy)} stands twice")


def reorder(spoiled: Spoiled, chance: random.Random) -> None:
    """Put the first share of an issuance behind what of it leaves."""
    share, block = _share_and_rest(spoiled, chance)
    if share is None:
        return
    line = spoiled.lines.pop(share)
    after = block[-1]  # one place less now: the share stood before it
    spoiled.lines.insert(after, line)
    _too_early(spoiled, [spoiled.lines[place - 1] for place in block])
    spoiled.done.append(f"{identifier_of(line)} comes after the rest of {line['issuance_id']}")


def drop_share(spoiled: Spoiled, chance: random.Random) -> None:
    """Leave a share of an issuance out."""
    share, _ = _share_and_rest(spoiled, chance)
    if share is None:
        return
    line = spoiled.lines.pop(share)
    issuance = line["issuance_id"]
    leaving = [spoiled.lines[place] for place in _places(spoiled, *LEAVING)]
    _too_early(spoiled, [one for one in leaving if one["issuance_id"] == issuance])
    spoiled.done.append(f"{identifier_of(line)}, a share of {issuance}, is left out")


def _too_early(spoiled: Spoiled, lines: list[Line]) -> None:
    codes = frozenset({Code.ISSUANCE_SHARES_INCOMPLETE})
    spoiled.bad.extend(BadLine(line, codes) for line in lines)


def _share_and_rest(spoiled: Spoiled, chance: random.Random) -> tuple[int | None, list[int]]:
    """Return where a share stands, and what leaves before the next issuance."""
    found = []
    for share in _places(spoiled, "sop_adaptation", "omge"):
        issuance, rest = spoiled.lines[share]["issuance_id"], []
        for place in range(share + 1, len(spoiled.lines)):
            line = spoiled.lines[place]
            if line["record"] == "issuance":
                break
            if line["issuance_id"] == issuance and kind_of(line) in LEAVING:
                rest.append(place)
        if rest:
            found.append((share, rest))
    return chance.choice(found) if found else (None, [])


def repeat_ids(spoiled: Spoiled, chance: random.Random) -> None:
    """Give a line's id to another content: the units go to another account."""
    codes = frozenset({Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD})
    for place in _pick(_places(spoiled, "forwarding"), chance):
        other = spoiled.lines[place] | {"acquiring_account": "ELSEWHERE-1"}
        spoiled.lines.insert(place + 1, other)
        spoiled.bad.append(BadLine(other, codes))
        spoiled.done.append(f"{identifier_of(other)} comes again with another account")


def spoil_quantities(spoiled: Spoiled, chance: random.Random) -> None:
    """Give lines a quantity that is not that of their serials."""
    for place in _pick(_places(spoiled, *LEAVING), chance):
        wrong = spoiled.lines[place] | {"quantity": spoiled.lines[place]["quantity"] + 1}
        spoiled.lines[place] = wrong
        spoiled.bad.append(BadLine(wrong, frozenset({Code.QUANTITY_NOT_RANGE})))
        spoiled.done.append(f"{identifier_of(wrong)} states one unit too many")


def forward_contribution(spoiled: Spoiled, chance: random.Random) -> None:
    """Forward contribution units to an account of the international registry."""
    for place in _pick(_places(spoiled, "contribution held"), chance):
        line = spoiled.lines[place] | {"kind": "forwarding", "acquiring_account": "CHE-HOLDING-1"}
        spoiled.lines[place] = line
        spoiled.bad.append(BadLine(line, frozenset({Code.A64_UNIT_NOT_AUTHORIZED})))
        spoiled.done.append(f"{identifier_of(line)} forwards contribution units")


OVERLAP_CODES: Final = frozenset(
    {
        Code.BLOCKS_OVERLAP_IN_MESSAGE,
        Code.BLOCK_NOT_HELD,
        Code.BLOCK_HELD_ELSEWHERE,
        Code.SHARE_EXCEEDS_ISSUANCE,
    }
)


def overlap_serials(spoiled: Spoiled, chance: random.Random) -> None:
    """Forward the last unit of a line once more, under an id of its own."""
    last_of = {spoiled.lines[p]["issuance_id"]: p for p in _places(spoiled, *LEAVING)}
    forwarded = set(_places(spoiled, "forwarding"))
    places = [place for place in last_of.values() if place in forwarded]
    for place in _pick(places, chance):
        line = spoiled.lines[place]
        registry, _, number = identifier_of(line).partition("-")
        again = line | {
            "first_transfer_id": f"{registry}-{NUMBER_OF_FAULTS + int(number)}",
            "first_serial": line["last_serial"],
            "quantity": 1,
        }
        spoiled.lines.insert(place + 1, again)
        spoiled.bad.append(BadLine(again, OVERLAP_CODES))
        spoiled.done.append(f"{identifier_of(again)} names a unit of {identifier_of(line)} again")


LINE_FAULTS: Final[Mapping[str, Callable[[Spoiled, random.Random], None]]] = MappingProxyType(
    {
        "doubled-rows": double_rows,
        "reordered": reorder,
        "dropped-share": drop_share,
        "repeated-id": repeat_ids,
        "wrong-quantity": spoil_quantities,
        "forwarded-contribution": forward_contribution,
        "overlapping-serials": overlap_serials,
    }
)
"""Faults of lines, by name."""

ANSWER_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cursor-goes-back": "a page leads back to the beginning",
        "truncated": "a page is cut off in the middle",
        "slow": "an answer comes late",
        "server-error": "an answer is 500 or 503",
    }
)
"""Faults of answers, by name, in words."""

FAULT_NAMES: Final = (*LINE_FAULTS, *ANSWER_FAULTS)


def spoil(lines: list[Line], faults: list[str], seed: int) -> Spoiled:
    """Return the lines as they are served under some faults, in the order of ``LINE_FAULTS``.

    Raises ValueError for a fault of no name known.
    """
    for name in faults:
        if name not in FAULT_NAMES:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULT_NAMES)}")
    spoiled = Spoiled(list(lines))
    for name, fault in LINE_FAULTS.items():
        if name in faults:
            fault(spoiled, random.Random(f"{seed} {name}"))  # noqa: S311  # no secret
    return spoiled
