"""Decide: run a message's checks, stage by stage, from one table.

1. Each message type has its row: the stages in order, and in each stage its checks.
2. All findings of a stage are reported, per block, not only the first.
3. A stage with a finding that stops ends the examination: later stages rest on earlier ones.
4. Warnings travel along with what comes after them.

The envelope stage is the door's, and a body that breaks its schema never becomes a case. The same
context and facts always give the same findings, in the same order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hub.checks import (
    accounts,
    article6,
    article64,
    authorization,
    content,
    participants,
    policy,
    records,
    sequence,
    units,
)
from hub.checks.case import Case
from hub.checks.facts import Facts, MessageContext
from hub.checks.findings import FindingDraft
from hub.checks.rulebook import STOPS
from hub.protocol.response_codes import ResponseCode, Stage
from message_schemas.catalogue import MESSAGE_TYPES

FINDINGS_PER_MESSAGE_MAX: Final = 100
"""Findings that one message is answered with; the last says how many more there were."""

# A case's body is of the class its type has in the catalogue; the table guarantees the match.
Check: TypeAlias = Callable[[Case[Any]], Iterable[FindingDraft]]
Stages: TypeAlias = tuple[tuple[Stage, tuple[Check, ...]], ...]


def _stages(**checks: tuple[Check, ...]) -> Stages:
    """Return a row: the participant checks, then the given ones in the order of ``Stage``."""
    given = {"participant": participants.PARTICIPANT_CHECKS, **checks}
    assert set(given) <= set(Stage), f"a stage that does not exist in {sorted(given)}"
    return tuple((stage, given[stage]) for stage in Stage if given.get(stage))


_PROPOSAL: Final = _stages(
    schema=(*content.BLOCK_CHECKS, content.check_accounts_differ),
    sequence=(sequence.check_transfer_new, sequence.check_respond_by),
    units=(*units.UNIT_CHECKS, *accounts.PROPOSAL_ACCOUNT_CHECKS),
    authorization=authorization.AUTHORIZATION_CHECKS,
    article6=(
        article6.check_action_typed,
        article64.check_a64_first_transfer,
        *article6.UNIT_ARTICLE6_CHECKS,
    ),
    policy=policy.PROPOSAL_POLICY_CHECKS,
)

_ANSWER: Final = _stages(
    schema=(content.check_reasons,),
    sequence=(
        sequence.check_transfer_known,
        sequence.check_answer_role,
        sequence.check_answer_mode,
        sequence.check_answer_state,
        sequence.check_previous_digest,
    ),
    units=(units.check_reserved_movable, accounts.check_account_still_receives),
    authorization=(authorization.check_reserved_still_authorized,),
)

_SESSION: Final = _stages()

CHECKS: Final[Mapping[str, Stages]] = MappingProxyType(
    {
        "participant.hello": _SESSION,
        "key.rotate": _SESSION,
        "key.revoke": _SESSION,
        "mailbox.fetch": _SESSION,
        "delivery.acknowledgement": _SESSION,
        "delivery.resend": _SESSION,
        "administrator.note": _SESSION,
        "holdings.query": _SESSION,
        "holdings.answer": _SESSION,
        "history.answer": _SESSION,
        "reconciliation.cut_ack": _SESSION,
        "reconciliation.digests": _SESSION,
        "reconciliation.blocks": _SESSION,
        "reconciliation.totals": _SESSION,
        "reconciliation.records": _SESSION,
        "reconciliation.refused": _SESSION,
        "reconciliation.explanation": _SESSION,
        "history.query": _stages(
            schema=(content.check_history_subject,),
            sequence=(sequence.check_transfer_known, sequence.check_asker_role),
        ),
        "transfer.status": _stages(
            sequence=(sequence.check_transfer_known, sequence.check_asker_role),
        ),
        "transfer.proposal": _PROPOSAL,
        "transfer.notification": _PROPOSAL,
        "transfer.acknowledgement": _ANSWER,
        "transfer.recognition": _ANSWER,
        "transfer.cancellation": _stages(
            sequence=(
                sequence.check_transfer_known,
                sequence.check_cancellation_role,
                sequence.check_cancellation_state,
                sequence.check_previous_digest,
            ),
        ),
        "cooperative_approach.record": _stages(
            schema=(content.check_approach_fields, content.check_approach_codes),
            sequence=(sequence.check_record_new, sequence.check_approach_version),
            authorization=records.APPROACH_RECORD_CHECKS,
        ),
        "authorization.record": _stages(
            schema=(content.check_authorization_fields, content.check_authorization_codes),
            sequence=(sequence.check_record_new, sequence.check_authorization_version),
            authorization=records.AUTHORIZATION_RECORD_CHECKS,
            article6=(article6.check_authorized_vintages, article6.check_authorized_metric),
        ),
        "entity_authorization.record": _stages(
            schema=(content.check_entity_codes,),
            sequence=(sequence.check_record_new, sequence.check_entity_version),
            authorization=records.ENTITY_RECORD_CHECKS,
        ),
        "a64.issuance_notice": _stages(
            schema=(content.check_identifier_prefix, content.check_notice_fields),
            sequence=(sequence.check_record_new,),
            authorization=(records.check_recorded_approach,),
            article6=(*article64.NOTICE_CHECKS, article6.check_issuance_vintage),
        ),
        "a64.first_transfer": _stages(
            schema=(
                *content.BLOCK_CHECKS,
                content.check_share_fields,
                article64.check_issuance_matches,
            ),
            sequence=(sequence.check_record_new,),
            units=(*units.UNIT_CHECKS, *accounts.MOVEMENT_ACCOUNT_CHECKS),
            authorization=authorization.AUTHORIZATION_CHECKS,
            article6=(*article64.FIRST_TRANSFER_CHECKS, *article6.UNIT_ARTICLE6_CHECKS),
            policy=policy.MOVEMENT_POLICY_CHECKS,
        ),
        "a64.authorization_change": _stages(
            schema=(
                *content.BLOCK_CHECKS,
                content.check_adjusted_shares,
                article64.check_issuance_matches,
            ),
            sequence=(sequence.check_record_new,),
            units=(*units.UNIT_CHECKS, accounts.check_share_accounts),
            authorization=authorization.AUTHORIZATION_CHECKS,
            article6=(*article64.CHANGE_CHECKS, *article6.UNIT_ARTICLE6_CHECKS),
        ),
        "action.use": _stages(
            schema=(
                *content.BLOCK_CHECKS,
                content.check_use_fields,
                article64.check_issuance_matches,
            ),
            sequence=(sequence.check_record_new,),
            units=(*units.UNIT_CHECKS, *accounts.ACTION_ACCOUNT_CHECKS),
            authorization=authorization.AUTHORIZATION_CHECKS,
            article6=(
                content.check_mechanism_fields,
                *article64.LEAVING_CHECKS,
                article6.check_using_party,
                article6.check_used_units_transferred,
                article6.check_ndc_period,
                *article6.UNIT_ARTICLE6_CHECKS,
            ),
        ),
        "action.cancellation": _stages(
            schema=(
                *content.BLOCK_CHECKS,
                content.check_cancellation_fields,
                article64.check_issuance_matches,
            ),
            sequence=(sequence.check_record_new,),
            units=(*units.UNIT_CHECKS, *accounts.ACTION_ACCOUNT_CHECKS),
            authorization=authorization.AUTHORIZATION_CHECKS,
            article6=(
                content.check_mechanism_fields,
                *article64.LEAVING_CHECKS,
                article6.check_using_party,
                *article6.UNIT_ARTICLE6_CHECKS,
            ),
        ),
    }
)
"""By message type: its stages in order, each with its checks."""

assert set(CHECKS) == set(MESSAGE_TYPES), "a message type without checks"


def examine(context: MessageContext, facts: Facts) -> tuple[FindingDraft, ...]:
    """Return what the checks find, in order; a message is refused if any of it stops.

    Never raises for a body that has passed its schema.
    """
    type_ = MESSAGE_TYPES.get(context.type)
    if type_ is None:
        detail = f"There is no type {context.type}."
        return (FindingDraft(ResponseCode.MESSAGE_TYPE_UNKNOWN, detail),)
    if context.version != type_.version:
        detail = f"{context.type} is read in version {type_.version}, not {context.version}."
        return (FindingDraft(ResponseCode.MESSAGE_VERSION_NOT_SUPPORTED, detail),)
    assert isinstance(context.body, type_.body_class), f"no {context.type}: {type(context.body)}"
    case: Case[Any] = Case(context, context.body, facts)
    found: list[FindingDraft] = []
    for _, checks in CHECKS[context.type]:
        start = len(found)
        for check in checks:
            found.extend(check(case))
        if len(found) > start and not is_accepted(found[start:]):
            break
    return _capped(found)


def is_accepted(findings: Iterable[FindingDraft]) -> bool:
    """Tell whether nothing among the findings stops the message."""
    return not any(finding.code in STOPS for finding in findings)


def _capped(found: list[FindingDraft]) -> tuple[FindingDraft, ...]:
    if len(found) <= FINDINGS_PER_MESSAGE_MAX:
        return tuple(found)
    # Stops first: what is cut off must not be the reason for the refusal.
    ranked = sorted(found, key=lambda finding: finding.code not in STOPS)
    kept, rest = ranked[:FINDINGS_PER_MESSAGE_MAX], len(found) - FINDINGS_PER_MESSAGE_MAX
    last = replace(kept[-1], detail=f"{kept[-1].detail} {rest} more findings are not shown.")
    return (*kept[:-1], last)
