"""Every message type that records, and the handler that says what it does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hub.services.handlers import (
    actions,
    article64,
    queries,
    reconciliation,
    records,
    session,
    transfers,
)
from hub.services.receive_envelopes import Handler

HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "participant.hello": session.handle_hello,
        "key.rotate": session.handle_key_rotation,
        "key.revoke": session.handle_key_revocation,
        "delivery.acknowledgement": session.handle_acknowledgement,
        "delivery.resend": session.handle_resend,
        "cooperative_approach.record": records.handle_record,
        "authorization.record": records.handle_record,
        "entity_authorization.record": records.handle_record,
        "transfer.proposal": transfers.handle_proposal,
        "transfer.notification": transfers.handle_proposal,
        "transfer.acknowledgement": transfers.handle_answer,
        "transfer.recognition": transfers.handle_answer,
        "transfer.cancellation": transfers.handle_cancellation,
        "a64.issuance_notice": article64.handle_issuance,
        "a64.first_transfer": article64.handle_first_transfer,
        "a64.authorization_change": article64.handle_authorization_change,
        "action.use": actions.handle_use,
        "action.cancellation": actions.handle_cancellation,
        "administrator.note": session.handle_note,
        "holdings.query": queries.handle_handed_on,
        "history.query": queries.handle_handed_on,
        "holdings.answer": queries.handle_handed_on,
        "history.answer": queries.handle_handed_on,
        "reconciliation.cut_ack": reconciliation.handle_answer,
        "reconciliation.digests": reconciliation.handle_answer,
        "reconciliation.blocks": reconciliation.handle_answer,
        "reconciliation.totals": reconciliation.handle_answer,
        "reconciliation.records": reconciliation.handle_answer,
        "reconciliation.refused": reconciliation.handle_answer,
        "reconciliation.explanation": reconciliation.handle_explanation,
    }
)
