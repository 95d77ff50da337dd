"""Which members of messages are more than text, by name (generated).

Made of the JSON Schemas by `python -m docs.generate_evidence_names`; not written by hand.
"""

from __future__ import annotations

from typing import Final

LISTS: Final = frozenset(
    {
        "activity_types",
        "authorized_entities",
        "authorized_parties",
        "blocks",
        "findings",
        "items",
        "messages",
        "ndc_periods",
        "notices",
        "outcomes",
        "participating_parties",
        "protocol_versions",
        "ranges",
        "reasons",
        "replaces",
        "sectors",
        "shares",
        "verdicts",
    }
)

MAPS: Final = frozenset(
    {
        "extensions",
        "result",
    }
)

OBJECTS: Final = frozenset(
    {
        "block",
        "content",
        "finding",
        "item",
        "message",
        "ndc_period",
        "notice",
        "range",
        "share",
        "underlying_unit",
        "verdict",
    }
)

INTEGERS: Final = frozenset(
    {
        "after_sequence",
        "authorization_version",
        "authorized_quantity",
        "calendar_year",
        "first_sequence",
        "first_serial",
        "first_year",
        "from_sequence",
        "issued_quantity",
        "items_max",
        "last_sequence",
        "last_serial",
        "last_year",
        "log_index",
        "omge_contribution_quantity",
        "omge_quantity",
        "ordinal",
        "outcome/code",
        "overlap_seconds",
        "quantity",
        "quantity_max",
        "replace",
        "rule",
        "sequence",
        "sop_contribution_quantity",
        "sop_quantity",
        "to_sequence",
        "up_to_sequence",
        "verdict/code",
        "version",
        "vintage",
        "vintage_first",
        "vintage_last",
        "wait_seconds",
    }
)

BOOLEANS: Final = frozenset(
    {
        "changes_apply_to_first_transferred",
        "sop_exempt",
        "sop_exemption_waived",
    }
)

BYTES: Final = frozenset({"envelope"})
