"""The checks of a bundle, one after the other, and what comes of them.

1. The file is exactly the archive that its content makes, and has what its manifest lists.
2. Each tree head is signed by a log of the anchor and confirmed by the witnesses it asks for.
3. Each entry is a leaf of such a tree; content and salt open what the entry commits to.
4. Envelopes, receipts and deliveries are signed by every key they name, keys of that participant,
   not registered later in the log, and valid at the hub's time of the entry. No envelope is signed
   with the log's key, and none with less than its sender's suites ask for.
5. Receipts answer these envelopes, deliveries carry them, and all of it is one story.

What does not hold becomes a finding, and the checks go on: one flaw does not hide another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from hub.evidence.anchors import Anchor, Tree, check_inclusion, is_id_of, read_proof
from hub.evidence.archives import (
    MALFORMED,
    Json,
    RefutedError,
    UnusableError,
    decode_base64,
    digest,
    parse_json,
    parse_time,
    read_archive,
    read_manifest,
)
from hub.evidence.narratives import UNKNOWN, Narrative, Record, Said
from hub.evidence.reports import (
    ACT,
    CONTENT,
    COSIGNATURES,
    DELIVERY,
    FAILED,
    KEYS,
    LEAF,
    NOT_PROVED,
    PROVED,
    RECEIPT,
    SIGNATURE,
    STORY,
    TREE,
    Finding,
    Report,
    Steps,
    plain,
)
from hub.evidence.signatures import (
    DELIVERY_TYP,
    ENVELOPE_TYP,
    RECEIPT_TYP,
    Key,
    check_signature,
    is_post_quantum,
    open_signed,
    raw_ed25519,
)

PARTICIPANTS_TYP: Final = "itmo-participants+jws"
KEY_TYP: Final = "itmo-key+jws"
CHECKPOINT: Final = "checkpoint.txt"
KEYS_FILE: Final = "keys.json"
PARTICIPANTS: Final = "participants.jws"
COMMITTED: Final = {
    "envelope": ("envelope", "receipt"),
    "delivery": ("delivery",),
    "act": ("act",),
    "genesis": (),
}


def verify(bundle: bytes, anchor: bytes) -> Report:
    """Return what a bundle proves to who trusts the anchor. Raises UnusableError."""
    trusted = Anchor.parse(anchor)
    files = read_archive(bundle)
    manifest = read_manifest(files)
    try:
        return _Verification(files, manifest, trusted).run()
    except (RefutedError, *MALFORMED) as error:
        raise UnusableError(f"the bundle is not of the form: {error}") from error


class _Verification:
    """One run over the files of a bundle. Steps raise RefutedError; `run` makes findings of it."""

    def __init__(self, files: Mapping[str, bytes], manifest: Json, anchor: Anchor) -> None:
        self._files = files
        self._manifest = manifest
        self._anchor = anchor
        self._findings: list[Finding] = []
        self._steps = Steps()
        self._trees: dict[bytes, Tree] = {}
        self._keys: dict[str, Key] = {}
        self._used: dict[str, str] = {}
        self._spoke: dict[str, int] = {}
        self._suites: dict[str, Sequence[str]] = {}
        self._counted: dict[str, tuple[int, int]] = {}
        self._record = Record()
        self._complete = True
        self._hub = ""

    def run(self) -> Report:
        """Return the report on all of it. Raises RefutedError where nothing can be read at all."""
        items = self._manifest["items"]
        proofs = [read_proof(self._files[one["proof"]], one["index"]) for one in items]
        for note in (self._files[CHECKPOINT], *(note for _, note in proofs)):
            tree = Tree.parse(note)
            self._trees.setdefault(tree.text, tree).lines.update(tree.lines)
        self._try("log", self._check_trees, TREE)
        self._try("keys", self._read_keys, KEYS)
        for item, (path, note) in zip(items, proofs, strict=True):
            tree = self._trees[Tree.parse(note).text]
            check = partial(self._check_item, item, path, tree)
            self._try(f"entry {item['index']}", check, LEAF)
        narrative = Narrative(self._record, str(self._manifest["transfer_id"]))
        self._try("transfer", lambda: self._tell_story(narrative), STORY)
        self._try("keys", self._tell_keys, KEYS)
        self._tell_limits()
        complete = self._complete and narrative.outcome != UNKNOWN
        transfer_id = plain(str(self._manifest["transfer_id"]))
        findings, steps = tuple(self._findings), tuple(self._steps.made)
        return Report(transfer_id, narrative.outcome, complete, findings, steps)

    def _try(self, about: str, step: Callable[[], None], first: str) -> None:
        """Make findings of what a step raises; ``first`` is what it checks before all else."""
        self._steps.begin(first, about)
        try:
            step()
        except RefutedError as error:
            self._fail(about, str(error))
        except MALFORMED as error:
            self._fail(about, f"it is not of its form: {error!r}")

    def _fail(self, about: str, text: str) -> None:
        self._say(FAILED, about, text)
        self._steps.end(text, FAILED)

    def _say(self, status: str, about: str, text: str) -> None:
        self._findings.append(Finding.of(status, about, text))

    # --- step 2: the log ------------------------------------------------------------------------

    def _check_trees(self) -> None:
        heads = {(tree.origin, tree.size) for tree in self._trees.values()}
        if len(heads) < len(self._trees):
            raise RefutedError("two different trees of one size are here: the log was forked")
        if len({origin for origin, _ in heads}) > 1:
            raise RefutedError("the checkpoints are of different logs")
        for tree in self._trees.values():
            signed = tree.signed_by(key for key in self._anchor.logs if key.name == tree.origin)
            if not signed:
                text = f"no log of the anchor signed this tree of {tree.size} ({tree.origin})"
                raise RefutedError(text)
            kinds = " and ".join("ML-DSA-44" if key.kind == 6 else "Ed25519" for key in signed)
            root = tree.root.hex()[:16]
            text = f"{tree.origin} signed its tree of {tree.size} entries, root {root}… ({kinds})"
            self._say(PROVED, "log", text)
            self._steps.end(text)
            self._steps.begin(COSIGNATURES)
            self._check_witnesses(tree)
            self._steps.begin(TREE)

    def _check_witnesses(self, tree: Tree) -> None:
        names = {key: name for name, key in self._anchor.witnesses.items()}
        times = {names[key]: at for key, at in tree.signed_by(names).items() if at}
        shown = ", ".join(f"{name} at {_instant(times[name])}" for name in sorted(times))
        count = f"{len(times)} of {len(names)} witnesses confirm the tree of {tree.size}"
        if not self._anchor.is_met_by(times):
            asked = self._anchor.quorum
            raise RefutedError(f"{count} ({shown or 'none'}): not the quorum {asked} of the anchor")
        if self._anchor.quorum == "none":
            text = "that everybody is shown the same log: the anchor asks for no witness"
            self._say(NOT_PROVED, "log", text)
            self._steps.end(text, NOT_PROVED)
        else:
            text = f"{count}: {shown}; what it holds existed by then, and whoever asks for these "
            text += "witnesses is shown the same log"
            self._say(PROVED, "log", text)
            self._steps.end(text)

    # --- step 4: keys ---------------------------------------------------------------------------

    def _read_keys(self) -> None:
        """Take the keys that the bundle claims; what proves them comes with the entries."""
        for one in parse_json(self._files[KEYS_FILE], KEYS_FILE)["keys"]:
            key_id, der = str(one["key_id"]), decode_base64(one["public_key"])
            if not is_id_of(key_id, der) or one["participant"] != key_id[:5]:
                raise RefutedError(f"{key_id} is not the id of the key that stands under it")
            self._keys[key_id] = key = Key(der)
            key.since = parse_time(one["valid_from"]) if one["valid_from"] else None
            for end in (one["valid_until"], one["revoked_at"]):
                if end is not None:
                    key.end(parse_time(end))
        for key_id, der in self._anchor.pinned.items():
            key = self._keys.setdefault(key_id, Key(der))
            key.der, key.vouched, key.source = der, True, "the anchor pins it"
        logs = {key.public_key for key in self._anchor.logs}
        for key_id, key in self._keys.items():
            key.of_log = raw_ed25519(key.der) in logs
            if key.of_log and not self._anchor.pins(key_id[:5]):
                key.vouched, key.source = True, "it is the key of the log that the anchor names"
        if PARTICIPANTS in self._files:
            self._read_participants(self._files[PARTICIPANTS])

    def _read_participants(self, raw: bytes) -> None:
        """Take the hub's signed list of participants: its statement, outside the log."""
        stated, _ = open_signed(raw, PARTICIPANTS_TYP)
        at = stated["created_at"]
        self._set_hub(str(stated["sender"]))
        payload, _ = self._authentic(raw, PARTICIPANTS_TYP, self._hub, parse_time(at))
        for one in (key for row in payload["participants"] for key in row["keys"]):
            source = f"the hub's signed list of {at} gives it"
            self._register(one["key_id"], one["public_key"], one["valid_from"], source)
            for end in (one["valid_until"], one["revoked_at"]):
                if end is not None:
                    self._keys[one["key_id"]].end(parse_time(end))

    def _set_hub(self, code: str) -> None:
        """Take a code as that of the bundle's one hub. Raises RefutedError."""
        self._hub = self._hub or code
        if code != self._hub or (self._anchor.hubs and code not in self._anchor.hubs):
            raise RefutedError(f"{code[:20]} speaks as the hub, and is not the one trusted here")

    def _register(
        self, key_id: str, public_key: str, since: str, source: str, index: int | None = None
    ) -> None:
        """Take one statement of whose key this is, from when on; ``index``: its place in the log.

        Raises RefutedError, also for a key that had signed before anybody had said whose it is.
        """
        der, start = decode_base64(public_key), parse_time(since)
        if not is_id_of(key_id, der):
            raise RefutedError(f"{key_id[:40]} is registered with a key that is not its own")
        key = self._keys.setdefault(key_id, Key(der))
        if key.der != der or (key.since is not None and key.since != start):
            raise RefutedError(f"{key_id} was registered with another key or start than claimed")
        spoke = self._spoke.get(key_id)
        if index is not None and spoke is not None and not key.source:
            raise RefutedError(f"{key_id} signed entry {spoke} before it was registered at {index}")
        key.since, key.source = start, key.source or source

    def _authentic(self, raw: bytes, typ: str, signer: str, at: datetime) -> tuple[Json, list[str]]:
        """Return the payload of what the signer signed with keys valid then, and their ids."""
        payload, signatures = open_signed(raw, typ)
        for algorithm, key_id, signed, signature in signatures:
            key = self._keys.get(key_id)
            if key is None or key_id[:5] != signer:
                raise RefutedError(f"{key_id[:40]} is not known as a key of {signer}")
            if key.of_log and typ == ENVELOPE_TYP:
                raise RefutedError(f"it is signed for {signer} with the key of the log")
            key.check_window(key_id, at)
            if self._anchor.pins(signer) and not key.vouched:
                raise RefutedError(f"{key_id} is none of the keys of {signer} in the anchor")
            check_signature(key.der, algorithm, signed, signature)
            self._used[key_id] = algorithm
        return payload, [key_id for _, key_id, _, _ in signatures]

    def _tell_keys(self) -> None:
        resting = set[str]()
        for key_id, algorithm in sorted(self._used.items()):
            key, owner = self._keys[key_id], key_id[:5]
            text = f"the key {key_id} ({algorithm}) is {owner}'s: {key.source}"
            if key.source:
                self._say(PROVED, "keys", text)
                self._steps.end(text)
            else:
                self._complete = False
                text = f"whose key {key_id} ({algorithm}) is: its registration is not here"
                self._say(NOT_PROVED, "keys", text)
                self._steps.end(text, NOT_PROVED)
            if not key.vouched:
                resting.add(owner)
        if resting:
            listed = " and ".join(sorted(resting))
            text = f"who holds the keys of {listed}: it rests on the hub's statements alone, as "
            self._say(NOT_PROVED, "keys", f"{text}the anchor pins none of theirs")

    # --- steps 3 and 5: entries and their contents ----------------------------------------------

    def _check_item(self, item: Json, path: Sequence[bytes], tree: Tree) -> None:
        index = item["index"]
        raw = self._files[item["entry"]]
        check_inclusion(index, raw, path, tree)
        self._steps.end(f"it is leaf {index} of the tree of {tree.size} entries")
        self._steps.begin(CONTENT)
        entry = parse_json(raw, "the entry")
        names = COMMITTED.get(str(entry["kind"]))
        if entry["index"] != index or names is None or set(names) != set(entry["commitments"]):
            raise RefutedError("the entry says another index or kind than its place")
        self._record.entries[index] = entry
        self._check_counts(entry)
        contents = self._opened(item, entry, names)
        if contents:
            self._steps.end(f"the leaf commits to these very bytes: {' and '.join(contents)}")
        at, where = entry["at"], f"at {index} of {tree.size}, {entry['at']}"
        match entry["kind"], contents:
            case "envelope", {"envelope": envelope}:
                text = self._check_envelope(entry, envelope, contents.get("receipt"), item["salt"])
            case "delivery", {"delivery": delivery}:
                text = self._check_delivery(entry, delivery, item["salt"])
            case "act", {"act": act}:
                text = self._check_act(entry, act)
            case kind, _:
                text = f"there is an entry of kind {kind}, {entry['sender']} to "
                text += f"{entry['recipient'] or 'nobody'}, told of: {_parties(entry)}"
        self._say(PROVED, f"entry {index}", f"{text}; the log has it {where}")
        for name in (one for one in names if one not in contents):
            # What the hub decided is told in deliveries too; without it there is no outcome.
            self._complete = self._complete and name == "receipt" and "envelope" in contents
            text = f"what the {name} of {at} says: its bytes are not here (erased, or left out)"
            self._say(NOT_PROVED, f"entry {index}", text)
            self._steps.begin(CONTENT)
            self._steps.end(text, NOT_PROVED)

    def _check_counts(self, entry: Json) -> None:
        """Check that each participant's own count grows as the log does."""
        for code, count, previous in entry["parties"]:
            before, seen = self._counted.get(code, (0, -1))
            skipped = previous is not None and previous > seen
            if count <= before or (seen >= 0 and (previous is None or previous < seen)):
                raise RefutedError(
                    f"the count of {code} goes back: entry {seen} was number {before}"
                )
            if seen >= 0 and skipped != (count > before + 1):
                raise RefutedError(f"the count of {code} does not fit the entry before it")
            self._counted[code] = (count, entry["index"])

    def _opened(self, item: Json, entry: Json, names: Sequence[str]) -> dict[str, bytes]:
        """Return the contents that are here, each shown to be what the entry commits to."""
        paths = {name: item["contents"].get(name) for name in names}
        if set(item["contents"]) - set(names):
            raise RefutedError("there is content that the entry does not commit to")
        contents = {name: self._files[path] for name, path in paths.items() if path is not None}
        for name, content in contents.items():
            salt = decode_base64(item["salt"])
            if len(salt) != 16 or digest(salt + content) != entry["commitments"][name]:
                raise RefutedError(f"the {name} here is not the one that the log committed to")
        return contents

    def _check_envelope(self, entry: Json, raw: bytes, receipt: bytes | None, salt: str) -> str:
        sender = str(entry["sender"])
        self._steps.begin(SIGNATURE)
        payload, key_ids = self._authentic(raw, ENVELOPE_TYP, sender, parse_time(entry["at"]))
        if (payload["sender"], payload["recipient"]) != (sender, entry["recipient"]):
            raise RefutedError("the envelope is of other participants than the entry says")
        self._check_suite(entry, sender, key_ids)
        self._note_speakers(entry, key_ids)
        self._steps.end(f"{sender} signed the message {self._with(key_ids)}")
        said = self._record.add_envelope(entry, raw, payload)
        if receipt is not None:
            self._steps.begin(RECEIPT)
            self._check_receipt(entry, payload, receipt, salt)
        for one in said:
            self._learn_keys(one, key_ids)
        types = ", ".join(sorted({one.type for one in said}))
        answered = "" if receipt is None else "; the hub signed a receipt for it"
        return f"{sender} signed for {payload['recipient']}: {types}{answered}"

    def _with(self, key_ids: Sequence[str]) -> str:
        """Name the keys that signed, each with its algorithm."""
        named = " and ".join(f"{one} ({self._used[one]})" for one in key_ids)
        return f"with {named}, valid at that time"

    def _note_speakers(self, entry: Json, key_ids: Sequence[str]) -> None:
        for key_id in key_ids:
            self._spoke.setdefault(key_id, entry["index"])

    def _check_suite(self, entry: Json, sender: str, key_ids: Sequence[str]) -> None:
        """Check that a participant signed with no fewer keys than it must."""
        keys = [self._keys[one] for one in key_ids]
        suite = "+".join(sorted((self._used[one] for one in key_ids), key="ML-DSA-65".__eq__))
        allowed = self._suites.get(sender)
        if allowed and suite not in allowed:
            raise RefutedError(f"{sender} signs with {' or '.join(allowed)}; this is {suite}")
        hybrid = any(
            one[:5] == sender and is_post_quantum(der) for one, der in self._anchor.pinned.items()
        )
        if hybrid and not any(is_post_quantum(key.der) for key in keys):
            self._complete = False
            text = f"that {sender} signed with its ML-DSA-65 key: the anchor pins one, and only "
            self._say(NOT_PROVED, f"entry {entry['index']}", f"{text}{suite} is here")

    def _check_receipt(self, entry: Json, envelope: Json, raw: bytes, salt: str) -> None:
        receipt = self._by_hub(raw, RECEIPT_TYP, entry)
        told = (receipt["envelope_sha256"], receipt["receipt_for"], receipt["recipient"])
        about = (self._record.digests[entry["index"]], envelope["envelope_id"], entry["sender"])
        if told != about or (receipt["received_at"], receipt["entry_salt"]) != (entry["at"], salt):
            raise RefutedError("the receipt is for another envelope")
        asked = [one["message_id"] for one in envelope["messages"]]
        if [one["message_id"] for one in receipt["outcomes"]] != asked:
            raise RefutedError("the receipt answers other messages than the envelope has")
        for outcome in receipt["outcomes"]:
            self._record.answer(entry["index"], outcome)
        decided = ", ".join(sorted({str(one["outcome"]) for one in receipt["outcomes"]}))
        self._steps.end(f"{self._hub} signed the receipt for it: {decided}")

    def _check_delivery(self, entry: Json, raw: bytes, salt: str) -> str:
        self._steps.begin(DELIVERY)
        delivery = self._by_hub(raw, DELIVERY_TYP, entry)
        told = (delivery["recipient"], delivery["created_at"], delivery["entry_salt"])
        if told != (entry["recipient"], entry["at"], salt) or entry["sender"] != self._hub:
            raise RefutedError("the delivery is another one than the entry says")
        self._record.add_delivery(entry, raw, delivery)
        first, last = delivery["first_sequence"], delivery["last_sequence"]
        items = f"item {first}" if first == last else f"items {first} to {last}"
        self._steps.end(f"{self._hub} signed the delivery for {delivery['recipient']}, {items}")
        return f"the hub signed a delivery for {delivery['recipient']}: {items} of its mailbox"

    def _by_hub(self, raw: bytes, typ: str, entry: Json) -> Json:
        """Return what the one hub of this bundle signed as of an entry."""
        claimed, _ = open_signed(raw, typ)
        self._set_hub(str(claimed["sender"]))
        payload, key_ids = self._authentic(raw, typ, self._hub, parse_time(entry["at"]))
        if payload["log_index"] != entry["index"]:
            raise RefutedError("what the hub signed is of another entry")
        self._note_speakers(entry, key_ids)
        return payload

    def _check_act(self, entry: Json, raw: bytes) -> str:
        self._steps.begin(ACT)
        act = parse_json(raw, "the act")
        if (act["log_index"], act["at"]) != (entry["index"], entry["at"]):
            raise RefutedError("the act is of another entry")
        self._record.acts[entry["index"]] = act
        for one in act["detail"].get("keys", ()) if act["kind"] in _REGISTERING else ():
            source = f"the hub registered it, entry {entry['index']} of {act['at']}"
            index = int(entry["index"])
            self._register(one["key_id"], one["public_key"], one["valid_from"], source, index)
        if act["kind"] == "participant.add":
            self._suites[str(act["subject"])] = list(act["detail"].get("suites", ()))
        if act["kind"] == "key.revoke":
            self._end_key(str(act["subject"]), str(act["at"]))
        did = f"{act['actor']} did {act['kind']} {act['subject']}: {act['reason']}"
        self._steps.end(f"the hub states it: {act['kind']} {act['subject']}")
        return f"the hub states that {did}"

    def _learn_keys(self, said: Said, signers: Sequence[str]) -> None:
        """Take a new key that an old one names, and what ends old ones."""
        word, _ = self._record.answers.get((said.index, said.message_id), ("", {}))
        if word != "accepted":
            return
        if said.type == "key.revoke" and str(said.body["key_id"])[:5] == said.sender:
            self._end_key(str(said.body["key_id"]), said.at)
        if said.type == "key.rotate":
            raw = str(said.body["key_document"]).encode()
            document, ((algorithm, key_id, signed, signature),) = open_signed(raw, KEY_TYP)
            check_signature(decode_base64(document["public_key"]), algorithm, signed, signature)
            if key_id[:5] != said.sender:
                raise RefutedError(f"{said.sender} names a key that is not its own: {key_id[:40]}")
            source = f"{said.sender} named it under its key before, entry {said.index}"
            starts_at = said.body["starts_at"]
            self._register(key_id, document["public_key"], starts_at, source, said.index)
            new = self._keys[key_id]
            new.vouched = new.vouched or any(self._keys[one].vouched for one in signers)
            overlap = timedelta(seconds=int(said.body["overlap_seconds"]))
            for old_id, old in self._keys.items():
                same_kind = is_post_quantum(old.der) == is_post_quantum(new.der)
                if old_id[:5] == said.sender and old_id != key_id and same_kind:
                    old.end(parse_time(said.body["starts_at"]) + overlap)

    def _end_key(self, key_id: str, at: str) -> None:
        if key_id in self._keys:
            self._keys[key_id].end(parse_time(at))

    def _tell_story(self, narrative: Narrative) -> None:
        for one in narrative.tell():
            self._findings.append(one)
            self._steps.begin(STORY, one.about)
            self._steps.end(one.text, one.status)

    def _tell_limits(self) -> None:
        if self._record.acts:
            text = "who at the hub acted: names in acts are the hub's word, and what its "
            self._say(NOT_PROVED, "bundle", f"{text}administrators signed for them is not checked")
        text = "that no other entry is about this transfer or ended a key before: a bundle shows "
        text += "what it holds; the public log and each participant's own count show the rest"
        self._say(NOT_PROVED, "bundle", text)
        if "story.html" in self._files:
            text = "story.html: it is for reading, and nothing here rests on it"
            self._say(NOT_PROVED, "bundle", text)


_REGISTERING: Final = ("participant.add", "key.add")


def _instant(seconds: int) -> str:
    if seconds > 253_402_300_799:
        raise RefutedError("a witness gives a time after the year 9999")
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _parties(entry: Json) -> str:
    return " and ".join(str(code) for code, _, _ in entry["parties"]) or "nobody"
