"""The rulebook: for every response code its paragraph, its text and its remedy, as dated data.

1. ``rulebook/<date>.json`` holds one rule a code, written for the operator at the other end.
2. It is read once, at import, and proved complete against ``ResponseCode``.
3. Findings are worded from it; ``/v1/rulebook`` serves it; each receipt names its date.

A new date is a new file. A number is never reused, also not by a later rulebook.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from hub.protocol.response_codes import ResponseCode, Stage

CURRENT: Final = "2026-11-22"


class Severity(StrEnum):
    """Whether a finding refuses the message or travels along with its acceptance."""

    STOP = "stop"
    WARNING = "warning"


class RaisedBy(StrEnum):
    """Which part of the hub raises a code: the door, the checks here, or a use case."""

    DOOR = "door"
    CHECKS = "checks"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as a peer's operator reads it.

    ``paragraphs`` cite the decision, or say "ours" where the decisions set no rule;
    ``des_ancestor`` is the check of the Kyoto data exchange standards it descends from;
    ``applies_to`` are message types, or ``*`` for all.
    """

    number: int
    name: str
    stage: Stage
    severity: Severity
    paragraphs: tuple[str, ...]
    text: str
    remedy: str
    des_ancestor: str | None
    since: str
    raised_by: RaisedBy
    applies_to: tuple[str, ...]


def _rule_of(row: Mapping[str, Any]) -> Rule:
    return Rule(
        number=row["number"],
        name=row["name"],
        stage=Stage(row["stage"]),
        severity=Severity(row["severity"]),
        paragraphs=tuple(row["paragraphs"]),
        text=row["text"],
        remedy=row["remedy"],
        des_ancestor=row["des_ancestor"],
        since=row["since"],
        raised_by=RaisedBy(row["raised_by"]),
        applies_to=tuple(row["applies_to"]),
    )


def _rules_of(content: Mapping[str, Any]) -> Mapping[ResponseCode, Rule]:
    rules = {ResponseCode[row["name"]]: _rule_of(row) for row in content["rules"]}
    assert set(rules) == set(ResponseCode) - {ResponseCode.OK}, "a code without a rule"
    assert len(rules) == len(content["rules"]), "a rule that stands twice"
    for code, rule in rules.items():
        assert (rule.number, rule.stage) == (int(code), code.stage), f"{code.name} is misplaced"
    return MappingProxyType(rules)


_TEXT: Final = (files("hub.checks") / "rulebook" / f"{CURRENT}.json").read_text(encoding="utf-8")

RULES: Final[Mapping[ResponseCode, Rule]] = _rules_of(json.loads(_TEXT))
"""Every response code but ``OK``, and its rule."""

STOPS: Final = frozenset(code for code, rule in RULES.items() if rule.severity is Severity.STOP)
"""The codes that refuse a message."""


def document() -> dict[str, Any]:
    """Return the rulebook as ``/v1/rulebook`` serves it: a new JSON object at every call."""
    content: dict[str, Any] = json.loads(_TEXT)
    return content
