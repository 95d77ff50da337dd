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
        "chunks",
        "closed_cases",
        "digests",
        "fields",
        "finding/ledger",
        "finding/registry",
        "findings",
        "items",
        "messages",
        "ndc_periods",
        "not_first_transferred",
        "notices",
        "opened_cases",
        "outcomes",
        "owned",
        "participating_parties",
        "protocol_versions",
        "ranges",
        "reasons",
        "records",
        "replaces",
        "rest",
        "sectors",
        "shares",
        "totals",
        "transfers",
        "units",
        "verdicts",
        "windows",
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
        "chunk",
        "content",
        "finding",
        "item",
        "ledger_item",
        "message",
        "ndc_period",
        "not_first_transferred_item",
        "notice",
        "range",
        "reconciliation.digests_asked/after",
        "record",
        "record/ledger",
        "record/registry",
        "registry_item",
        "rest_item",
        "share",
        "total",
        "transfer",
        "underlying_unit",
        "unit",
        "values",
        "verdict",
    }
)

INTEGERS: Final = frozenset(
    {
        "after_sequence",
        "applied_to",
        "authorized_quantity",
        "block/authorization_version",
        "calendar_year",
        "cause_index",
        "finding_count",
        "first_sequence",
        "first_serial",
        "first_year",
        "from_sequence",
        "issued_quantity",
        "item/authorization_version",
        "items_max",
        "last_sequence",
        "last_serial",
        "last_year",
        "log_index",
        "number",
        "omge_contribution_quantity",
        "omge_quantity",
        "ordinal",
        "outcome/code",
        "overlap_seconds",
        "quantity",
        "quantity_max",
        "reconciliation.records_asked/after",
        "reconciliation.result/as_of",
        "replace",
        "rule",
        "sequence",
        "shift",
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
        "agreed",
        "changes_apply_to_first_transferred",
        "corrected",
        "frozen",
        "more",
        "sop_exempt",
        "sop_exemption_waived",
    }
)

BYTES: Final = frozenset({"envelope"})
