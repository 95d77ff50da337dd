"""What is wrong with a line of the feed, in the hub's own response codes. PURE.

The connector finds before sending what the hub would refuse anyway. It uses the hub's numbers and
names, so that a refusal reads the same whether it was found here or there; only ``source`` tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hub.protocol.response_codes import ResponseCode as Code


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to hold a line back: the rule, in plain words, with the field and its value."""

    code: Code
    text: str
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a rule, and the paragraph it comes from ("" when it is the format's)."""

    remedy: str
    paragraph: str = ""


ADVICE: Final[Mapping[Code, Advice]] = MappingProxyType(
    {
        Code.SCHEMA_VIOLATED: Advice("Correct the field in the export and push the line again."),
        Code.CODE_NOT_IN_LIST: Advice(
            "Use a value of the common nomenclatures as published, in the same spelling.",
            "6/CMA.4 I.28-31",
        ),
        Code.CONDITIONAL_FIELD_MISSING: Advice("Fill in the field, or leave its partners empty."),
        Code.BLOCKS_OVERLAP_IN_MESSAGE: Advice(
            "Name every unit once: remove the line, or correct its serial numbers.",
            "7/CMA.4 I.31",
        ),
        Code.IDENTIFIER_INCONSISTENT: Advice(
            "Give a block the activity, Party, approach and vintage of its issuance.",
            "6/CMA.4 I.5, I.33",
        ),
        Code.SERIAL_RANGE_REVERSED: Advice("Put the lower serial number first.", "6/CMA.4 I.5"),
        Code.QUANTITY_NOT_RANGE: Advice(
            "One A6.4ER is one tonne: quantity is last_serial - first_serial + 1.",
            "3/CMA.3 a.1(b); 7/CMA.4 I.28",
        ),
        Code.ID_PREFIX_NOT_SENDER: Advice("Begin the id with the mechanism registry's code."),
        Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD: Advice(
            "Give every first transfer an id of its own, and never use one again."
        ),
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD: Advice(
            "Repeat an issuance line unchanged, or not at all."
        ),
        Code.A64_UNIT_NOT_AUTHORIZED: Advice(
            "Only authorized A6.4ERs leave as ITMOs: give contribution units the kind held, or "
            "put the line of their later authorization first.",
            "4/CMA.6 para 49; 3/CMA.3 a.42; 6/CMA.6 paras 12-14",
        ),
        Code.ACCOUNT_OTHER_PARTY: Advice(
            "Retire and cancel units only from accounts associated with the Party that uses or "
            "cancels them.",
            "7/CMA.4 I.44",
        ),
        Code.ISSUANCE_UNKNOWN: Advice(
            "Put the issuance's own line before the first line that draws on it, and see that "
            "the issuance line itself is not refused.",
            "7/CMA.4 I.37-41",
        ),
        Code.ISSUANCE_SHARES_INCOMPLETE: Advice(
            "Put the adaptation and OMGE lines of the issuance, in full, before any other that "
            "leaves, and let the shares follow a later authorization.",
            "3/CMA.3 a.58-59, a.67(a), a.69; 7/CMA.4 I.39-41; 6/CMA.6 paras 13, 20",
        ),
        Code.SHARE_EXCEEDS_ISSUANCE: Advice(
            "Compare the lines of the issuance with the quantities of its issuance line.",
            "3/CMA.3 a.58-60; 7/CMA.4 I.39-41",
        ),
        Code.VINTAGE_BEFORE_2021: Advice(
            "Only mitigation from 2021 onward can be authorized.", "2/CMA.3 a.1(e)"
        ),
        Code.VINTAGE_IN_FUTURE: Advice(
            "The vintage is the year in which the mitigation occurred.", "6/CMA.4 para 5"
        ),
    }
)
"""Remedy and paragraph of every rule that is checked here; the hub's own come with its receipt."""
