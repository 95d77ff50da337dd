"""Deeds about participants and their keys.

A participant is registered with its first keys and is active by a second act. Keys given or taken
by hand are the emergency path: a participant changes its own keys by messages of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from hub.protocol.signed_objects import Binding, fault_of_binding
from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.services.administration.key_forms import key_form, key_of_form
from hub.store import administrators, mailboxes, reference
from hub.store.reference import ParticipantRow
from keys.algorithms import SUITES, Algorithm
from keys.key_ids import is_participant
from keys.public_keys import KeyRecord
from message_schemas import timestamps

KINDS: Final = ("party_registry", "mechanism_registry", "international_registry", "hub")
TRANSITIONS: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "activate": (frozenset({"registered", "suspended"}), "active"),
    "suspend": (frozenset({"active", "registered"}), "suspended"),
    "close": (frozenset({"registered", "active", "suspended"}), "closed"),
}
NAME_CHARACTERS_MAX: Final = 200
ENDPOINT_CHARACTERS_MAX: Final = 500


def add_participant(row: ParticipantRow, keys: Sequence[KeyRecord]) -> Deed:
    """Register a participant with its first keys. ``row.added_at`` will be the act's time."""
    _check_participant(row)
    for key in keys:
        if key.participant != row.code:
            raise AdministrationError(f"key {key.key_id} is one of {key.participant}")
    return Deed(
        "participant.add",
        row.code,
        {
            "party": row.party,
            "kind": row.kind,
            "name": row.name,
            "state": row.state,
            "delivery_mode": row.delivery_mode,
            "endpoint": row.endpoint,
            "binding": row.binding,
            "suites": list(row.suites),
            "keys": [key_form(key) for key in keys],
        },
    )


def add_key(key: KeyRecord) -> Deed:
    """Register a key out of band: the emergency path when a participant lost its old ones."""
    return Deed("key.add", key.key_id, {"participant": key.participant, "keys": [key_form(key)]})


def revoke_key(key_id: str) -> Deed:
    """Revoke a key at once."""
    return Deed("key.revoke", key_id, {"key_id": key_id})


def change_state(code: str, verb: str) -> Deed:
    """Activate, suspend or close a participant (a verb of TRANSITIONS)."""
    if verb not in TRANSITIONS:
        raise AdministrationError(f"{verb!r} is not one of {', '.join(TRANSITIONS)}")
    return Deed(f"participant.{verb}", code, {"state": TRANSITIONS[verb][1]})


def set_delivery(code: str, mode: str, endpoint: str | None) -> Deed:
    """Set how a participant receives its deliveries: ``push`` to an endpoint, or ``pull``."""
    return Deed("participant.delivery", code, {"mode": mode, "endpoint": endpoint})


def set_binding(code: str, binding: str) -> Deed:
    """Set in which binding (``json`` or ``xml``) a participant receives its deliveries."""
    _check_binding(binding)
    return Deed("participant.binding", code, {"binding": binding})


def do_add_participant(doing: Doing, deed: Deed) -> None:
    """Register a participant."""
    given = dict(deed.parameters)
    forms = given.pop("keys")
    given["suites"] = tuple(given["suites"])
    row = ParticipantRow(code=deed.subject, added_at=doing.at, last_seen_at=None, **given)
    keys = [key_of_form(row.code, form) for form in forms]
    require_same(add_participant(row, keys), deed)
    if row.code in doing.data.rows:
        raise AdministrationError(f"{row.code} is registered already")
    _require_writable(doing, row.binding, row.suites)
    _require_no_administrators_key(doing, keys)
    reference.add_participant(doing.connection, row)
    mailboxes.open_mailbox(doing.connection, row.code)
    for key in keys:
        reference.add_key(doing.connection, key)
    doing.trust_changes = True


def do_add_key(doing: Doing, deed: Deed) -> None:
    """Register a key, and tell every active participant."""
    (form,) = deed.parameters["keys"]
    key = key_of_form(deed.parameters["participant"], form)
    require_same(add_key(key), deed)
    if key.participant not in doing.data.rows:
        raise AdministrationError(f"{key.participant} is not a participant")
    if doing.data.trust.get(key.key_id) is not None:
        raise AdministrationError(f"{key.key_id} is registered already")
    _require_no_administrators_key(doing, [key])
    reference.add_key(doing.connection, key)
    doing.trust_changes = True
    _tell_of_key(doing, key.participant, key.key_id, "added")


def do_revoke_key(doing: Doing, deed: Deed) -> None:
    """Revoke a key, and tell every active participant."""
    record = doing.data.trust.get(deed.subject)
    if record is None:
        raise AdministrationError(f"no key {deed.subject[:60]} is registered")
    require_same(revoke_key(record.key_id), deed)
    reference.revoke_key(doing.connection, record.key_id, doing.at)
    doing.trust_changes = True
    _tell_of_key(doing, record.participant, record.key_id, "revoked")


def do_change_state(doing: Doing, deed: Deed) -> None:
    """Bring a participant into another state, if a way leads there."""
    verb = deed.kind.rpartition(".")[2]
    require_same(change_state(deed.subject, verb), deed)
    allowed, after = TRANSITIONS[verb]
    row = doing.data.rows.get(deed.subject)
    if row is None:
        raise AdministrationError(f"{deed.subject} is not a participant")
    if row.state not in allowed:
        raise AdministrationError(f"{row.code} is {row.state}; it cannot {verb} from there")
    reference.set_participant_state(doing.connection, row.code, after)


def do_set_delivery(doing: Doing, deed: Deed) -> None:
    """Set how deliveries reach a participant."""
    mode, endpoint = deed.parameters["mode"], deed.parameters["endpoint"]
    require_same(set_delivery(deed.subject, mode, endpoint), deed)
    if deed.subject not in doing.data.rows:
        raise AdministrationError(f"{deed.subject} is not a participant")
    if mode not in ("push", "pull"):
        raise AdministrationError(f"the delivery mode {mode[:40]!r} is neither push nor pull")
    if mode == "push" and endpoint is None:
        raise AdministrationError("push needs an endpoint")
    check_endpoint(endpoint)
    reference.set_delivery(doing.connection, deed.subject, mode=mode, endpoint=endpoint)


def do_set_binding(doing: Doing, deed: Deed) -> None:
    """Set the binding of a participant's deliveries; those made before stay as they are."""
    binding = deed.parameters["binding"]
    require_same(set_binding(deed.subject, binding), deed)
    row = doing.data.rows.get(deed.subject)
    if row is None:
        raise AdministrationError(f"{deed.subject} is not a participant")
    _require_writable(doing, binding, row.suites)
    reference.set_binding(doing.connection, row.code, binding)


def _require_writable(doing: Doing, binding: str, suites: Sequence[str]) -> None:
    """Raise AdministrationError unless the hub can write a participant's deliveries like this."""
    if binding == Binding.JSON:
        return
    if (fault := fault_of_binding(binding, suites or SUITES)) is not None:
        raise AdministrationError(f"the participant cannot speak xml: {fault}")
    own = doing.data.trust.records_of(doing.identity.hub)
    if not any(key.algorithm is Algorithm.ES256 and key.is_valid_at(doing.at) for key in own):
        raise AdministrationError(
            "the hub has no ES256 key, and nothing else signs XML. Make one with `itmo-hub "
            f"keys generate --participant {doing.identity.hub} --algorithm ES256 --out DIR`, "
            "register it with `itmo-hub participant key-add`, and name its URI in the hub's "
            "setting `xml_signer`"
        )


def _require_no_administrators_key(doing: Doing, keys: Sequence[KeyRecord]) -> None:
    held = {row.key.public_key_der: row.name for row in administrators.every(doing.connection)}
    for key in keys:
        if key.public_key_der in held:
            raise AdministrationError(
                f"{key.key_id} is the key of the administrator {held[key.public_key_der]}; a "
                "participant needs a key of its own"
            )


def _tell_of_key(doing: Doing, participant: str, key_id: str, change: str) -> None:
    """File the notice of a changed key for every active participant."""
    body = {
        "participant": participant,
        "key_id": key_id,
        "change": change,
        "at": timestamps.render(doing.at),
    }
    doing.tell(doing.data.active_participants(), "key.changed", body)


def _check_participant(row: ParticipantRow) -> None:
    """Raise AdministrationError if a participant cannot be registered like this."""
    if not is_participant(row.code):
        raise AdministrationError(f"{row.code!r} is not three capitals and two digits")
    if row.kind not in KINDS:
        raise AdministrationError(f"kind {row.kind!r} is not one of {', '.join(KINDS)}")
    if row.state not in ("registered", "active"):
        raise AdministrationError(f"no participant begins as {row.state!r}")
    if not 1 <= len(row.name) <= NAME_CHARACTERS_MAX:
        raise AdministrationError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    if row.delivery_mode == "push" and row.endpoint is None:
        raise AdministrationError("a participant that takes pushes needs an endpoint")
    check_endpoint(row.endpoint)
    _check_binding(row.binding)
    if not set(row.suites) <= SUITES:
        raise AdministrationError(f"suites {row.suites} are not among {sorted(SUITES)}")


def _check_binding(binding: str) -> None:
    """Raise AdministrationError unless there is such a binding."""
    if binding not in set(Binding):
        raise AdministrationError(f"the binding {binding[:40]!r} is neither json nor xml")


def check_endpoint(endpoint: str | None) -> None:
    """Raise AdministrationError unless deliveries could be posted to this address."""
    if endpoint is None:
        return
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or len(endpoint) > ENDPOINT_CHARACTERS_MAX:
        raise AdministrationError(
            f"the endpoint {endpoint[:100]!r} is not an http(s) address of at most "
            f"{ENDPOINT_CHARACTERS_MAX} characters"
        )
