"""The enumerated words of the exchange as people read them, by family; each is a marked text.

What is not listed is shown as it stands in the data: a new word must not break a page.
"""

from collections.abc import Mapping
from typing import Final

from hub.console.translating import N_, translate

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {
        "viewer": N_("viewer"),
        "officer": N_("officer"),
        "operator": N_("operator"),
        "administrator": N_("administrator"),
        "auditor": N_("auditor"),
    },
    "person_state": {
        "invited": N_("invited"),
        "active": N_("active"),
        "disabled": N_("disabled"),
    },
    "sign_in_method": {
        "password": N_("password"),
        "password+totp": N_("password and code"),
        "passkey": N_("passkey"),
        "oidc": N_("provider"),
    },
    "sign_in_outcome": {
        "signed_in": N_("signed in"),
        "refused": N_("refused"),
        "blocked": N_("kept out for a while"),
        "signed_out": N_("signed out"),
        "ended": N_("session ended"),
        "set_up": N_("set up"),
    },
    "case_state": {
        "open": N_("open"),
        "acknowledged": N_("acknowledged"),
        "being_corrected": N_("being corrected"),
        "awaiting_rerun": N_("awaiting re-run"),
        "closed": N_("closed"),
    },
    "case_kind": {
        "in_flight": N_("in flight"),
        "timing": N_("timing"),
        "lost_message": N_("lost message"),
        "doubled_message": N_("doubled message"),
        "missing_at_registry": N_("missing at the registry"),
        "missing_at_ledger": N_("missing in the ledger"),
        "attribute_differs": N_("attribute differs"),
        "held_twice": N_("held twice"),
        "used_or_cancelled_on_one_side": N_("used or cancelled on one side"),
        "no_answer": N_("no answer"),
        "record_differs": N_("record differs"),
    },
    "case_event": {
        "opened": N_("opened"),
        "found_again": N_("found again"),
        "reopened": N_("opened again"),
        "closed": N_("closed"),
        "acknowledge": N_("acknowledged"),
        "begin_correction": N_("correction begun"),
        "compensate": N_("compensating entry"),
        "ask_rerun": N_("re-run asked"),
        "assign": N_("assigned"),
        "set_due": N_("due date set"),
        "note": N_("note"),
        "explain": N_("explained by the registry"),
        "find_again": N_("found again"),
        "find_clean": N_("found clean"),
    },
    "transfer_state": {
        "proposed": N_("proposed"),
        "accepted": N_("accepted"),
        "completed": N_("completed"),
        "rejected": N_("rejected"),
        "cancelled": N_("cancelled"),
        "expired": N_("expired"),
    },
    "transfer_mode": {
        "move": N_("moves units"),
        "notify_and_record": N_("notify and record"),
    },
    "participant_kind": {
        "party_registry": N_("Party registry"),
        "mechanism_registry": N_("mechanism registry"),
        "international_registry": N_("international registry"),
        "hub": N_("hub"),
    },
    "participant_state": {
        "registered": N_("registered"),
        "active": N_("active"),
        "suspended": N_("suspended"),
        "closed": N_("closed"),
    },
    "block_status": {
        "authorized": N_("authorized"),
        "itmo": N_("ITMO"),
        "used": N_("used"),
        "cancelled": N_("cancelled"),
    },
    "first_transfer": {
        "authorization": N_("authorization"),
        "issuance": N_("issuance"),
        "international_transfer": N_("international transfer"),
        "use": N_("use"),
        "cancellation": N_("cancellation"),
        "omge": N_("overall mitigation in global emissions"),
        "adaptation_fund": N_("Adaptation Fund"),
    },
    "owned_status": {
        "held": N_("held"),
        "used": N_("used"),
        "cancelled": N_("cancelled"),
        "authorized": N_("authorized"),
    },
    "posting_kind": {
        "introduced": N_("introduced"),
        "withdrawn": N_("withdrawn"),
        "reserved": N_("reserved"),
        "released": N_("released"),
        "moved": N_("moved"),
        "used": N_("used"),
        "cancelled": N_("cancelled"),
        "held": N_("put on hold"),
        "unheld": N_("hold lifted"),
        "first_transferred": N_("first transferred"),
        "corrected": N_("corrected"),
    },
    "entry_kind": {
        "genesis": N_("beginning of the log"),
        "envelope": N_("signed envelope"),
        "delivery": N_("delivery"),
        "act": N_("act"),
    },
    "witness_state": {
        "good": N_("cosigns"),
        "late": N_("late"),
        "missing": N_("missing"),
        "contradicting": N_("contradicts the log"),
    },
    "suspension_level": {
        "account": N_("account"),
        "message_type": N_("message type"),
        "participant": N_("participant"),
        "pair": N_("pair"),
        "hub": N_("hub"),
        "block": N_("units"),
    },
    "session_state": {
        "asking": N_("asking"),
        "done": N_("done"),
        "refused": N_("refused"),
        "silent": N_("silent"),
        "failed": N_("failed"),
    },
    "session_trigger": {
        "night": N_("night"),
        "request": N_("request"),
        "movements": N_("movements"),
        "case": N_("case"),
        "statement": N_("statement"),
    },
    "night_state": {
        "running": N_("running"),
        "finished": N_("finished"),
        "missed": N_("missed"),
    },
    "comparison_mode": {
        "digests": N_("digests"),
        "totals": N_("totals"),
        "statement": N_("statements"),
        "records": N_("records"),
        "off": N_("off"),
    },
    "delivery_mode": {
        "push": N_("push"),
        "pull": N_("pull"),
    },
    "session_result": {
        "asking": N_("asking"),
        "agreed": N_("agreed"),
        "differs": N_("differs"),
        "refused": N_("refused"),
        "silent": N_("silent"),
        "failed": N_("failed"),
    },
    "account_status": {
        "requested": N_("requested"),
        "acknowledged": N_("acknowledged"),
        "provisional": N_("provisional"),
        "open": N_("open"),
        "suspended": N_("suspended"),
        "closed": N_("closed"),
    },
    "circuit": {
        "closed": N_("flows"),
        "open": N_("stopped after failures"),
        "half-open": N_("one attempt due"),
    },
    "key_state": {
        "valid": N_("speaks now"),
        "not_yet_valid": N_("not yet"),
        "ended": N_("ended"),
        "revoked": N_("revoked"),
    },
    "attribute": {
        "has them": N_("has them"),
        "status": N_("status"),
        "first transferred": N_("first transferred"),
        "metric": N_("metric"),
        "mitigation type": N_("mitigation type"),
        "authorization id": N_("authorization"),
        "authorization version": N_("version of the authorization"),
        "sector": N_("sector"),
        "activity type": N_("activity type"),
        "non ghg metric": N_("non-GHG metric"),
        "gwp values": N_("GWP values"),
        "underlying registry": N_("registry of the underlying unit"),
        "underlying first": N_("first underlying unit"),
        "underlying last": N_("last underlying unit"),
        "state": N_("state"),
        "quantity": N_("quantity"),
    },
    "attribute_value": {
        "nothing": N_("nothing"),
        "once": N_("once"),
        "none": N_("none"),
        "held": N_("held"),
        "used": N_("used"),
        "cancelled": N_("cancelled"),
        "yes": N_("yes"),
        "no": N_("no"),
    },
    "right": {
        "signed in": N_("be signed in"),
        "look": N_("look"),
        "read messages": N_("read messages"),
        "read acts": N_("read acts"),
        "work cases": N_("work cases"),
        "operate": N_("operate"),
        "administer": N_("administer"),
    },
}


def word(value: str | None, family: str, empty: str = "–") -> str:
    """Return a word of a family in the reader's language. Raises KeyError for no family."""
    if value is None:
        return empty
    known = WORDS[family].get(str(value))
    return str(value) if known is None else translate(known)
