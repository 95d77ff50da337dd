"""A finding: which rule, what exactly, where, on which units; and its form on the wire.

A check makes a draft with the particulars. The texts that are the same for every finding of a rule
(what the rule says, what to do, the paragraph) are added from the rulebook when it is rendered.
"""

from dataclasses import dataclass

from hub.checks.rulebook import RULES
from hub.international_registry.units import Range
from hub.protocol.response_codes import ResponseCode
from message_schemas.blocks import BlockRange
from message_schemas.envelopes import Finding


@dataclass(frozen=True, slots=True)
class FindingDraft:
    """What a check found.

    ``detail`` is a sentence with the particulars, ``path`` a JSON pointer into the message's body,
    ``ranges`` the units concerned, ``hub_view`` what the central ledger shows, as far as the
    sender may know it.
    """

    code: ResponseCode
    detail: str
    path: str | None = None
    ranges: tuple[Range, ...] = ()
    hub_view: str | None = None


def show(range_: Range) -> str:
    """Name a range by its first and last identifier, for a person."""
    first = range_.series.identifier(range_.first)
    if range_.first == range_.last:
        return first
    return f"{first} to {range_.series.identifier(range_.last)}"


def block_range_of(range_: Range) -> BlockRange:
    """Return the wire form of a range."""
    series = range_.series
    return BlockRange(
        cooperative_approach=series.cooperative_approach,
        originating_registry=series.originating_registry,
        first_transferring_party=series.first_transferring_party,
        vintage=series.vintage,
        first_serial=range_.first,
        last_serial=range_.last,
    )


def render(draft: FindingDraft) -> Finding:
    """Word a finding for the peer's operator: the rule, then the particulars, then the remedy."""
    rule = RULES[draft.code]
    return Finding(
        rule=rule.number,
        name=rule.name,
        severity=rule.severity.value,
        text=f"{rule.text} {draft.detail}",
        path=draft.path,
        blocks=tuple(block_range_of(range_) for range_ in draft.ranges),
        hub_view=draft.hub_view,
        remedy=rule.remedy,
        paragraph="; ".join(rule.paragraphs),
    )
