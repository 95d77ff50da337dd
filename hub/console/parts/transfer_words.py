"""The words of the pages of transfers: roles, deliveries, checks, kinds of what is found."""

from typing import Final

from hub.console.translating import N_

ROLES: Final = {
    "proposal": N_("proposal"),
    "acceptance": N_("acceptance"),
    "rejection": N_("rejection"),
    "withdrawal": N_("withdrawal"),
    "expiry": N_("expiry"),
    "acknowledgement": N_("acknowledgement of a delivery"),
    "": N_("message"),
}
DELIVERY_STATES: Final = {
    "waiting": (N_("waits to be sent"), "warning"),
    "in flight": (N_("sent, not acknowledged"), "info"),
    "backing off": (N_("attempts failed, tried again"), "danger"),
    "acknowledged": (N_("acknowledged"), "success"),
}
STATE_KINDS: Final = {
    "proposed": "info",
    "completed": "success",
    "rejected": "danger",
    "cancelled": "secondary",
    "expired": "warning",
}
OUTCOME_KINDS: Final = {"accepted": "success", "refused": "danger", "duplicate-of": "secondary"}
OUTCOMES: Final = {
    "accepted": N_("accepted"),
    "refused": N_("refused"),
    "duplicate-of": N_("repeated"),
}
STEPS: Final = {
    "tree": N_("Tree head signed by the log"),
    "cosignatures": N_("Witnesses and their quorum"),
    "keys": N_("Whose key it is"),
    "leaf": N_("Leaf in the tree"),
    "content": N_("Bytes the leaf commits to"),
    "signature": N_("Signature of the message"),
    "receipt": N_("Receipt of the hub"),
    "delivery": N_("Delivery signed by the hub"),
    "act": N_("Act of the hub"),
    "story": N_("One story"),
}
STATUSES: Final = {
    "PROVED": (N_("proved"), "success"),
    "NOT PROVED": (N_("not proved"), "secondary"),
    "FAILED": (N_("FAILED"), "danger"),
}
VERDICTS: Final = {
    "proved": (N_("Everything holds"), "success"),
    "proved in part": (N_("What is here holds; some of it is missing"), "warning"),
    "failed": (N_("FAILED: something is false"), "danger"),
}
HITS: Final = {
    "transfer": N_("Transfer"),
    "transfers": N_("Transfers"),
    "action": N_("Use, cancellation or first transfer"),
    "case": N_("Case"),
    "night": N_("Night"),
    "serials": N_("Life of these serials"),
    "registry": N_("Registry"),
    "account": N_("Transfers of this account"),
    "envelope": N_("Message"),
    "act": N_("Act"),
    "entry": N_("Entry of the log"),
    "proposal": N_("Act that waits for approval"),
}
FILTERS: Final = {
    "id": N_("Transfer"),
    "serials": N_("Serials"),
    "registry": N_("Registry"),
    "party": N_("Party"),
    "account": N_("Account"),
    "state": N_("State"),
    "mode": N_("Mode"),
    "approach": N_("Cooperative approach"),
    "since": N_("Proposed from"),
    "until": N_("Proposed to"),
    "newer": N_("Page"),
    "older": N_("Page"),
}
