"""Whom the reader trusts, and which tree heads of the log follow from that (C2SP formats).

1. An anchor is a tlog-policy (logs, witnesses, a quorum of them), alone or in an itmo-anchor/1
   document that also pins keys of the hub and of participants.
2. A tree head is believed when a log of the anchor signed it (signed-note, tlog-checkpoint) and
   enough witnesses confirmed it (tlog-cosignature; Ed25519 and ML-DSA-44).
3. An entry is in the log when hashing it up its path gives such a tree's root (RFC 9162 §2.1.3.2).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from hub.evidence.archives import (
    MALFORMED,
    RefutedError,
    UnusableError,
    decode_base64,
    digest,
    parse_json,
)

ANCHOR_FORMAT: Final = "itmo-anchor/1"
SIZE_MAX: Final = 2**63 - 1
ED25519_NOTE, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE = 1, 4, 6
_KEY_BYTES: Final = {ED25519_NOTE: 32, ED25519_COSIGNATURE: 32, ML_DSA_44_COSIGNATURE: 1312}


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key for signed notes; `kind` is the type of its signatures: 1, 4 or 6."""

    name: str
    kind: int
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str, kinds: Sequence[int]) -> NoteKey:
        """Return the key of a vkey, if it is of one of these types. Raises UnusableError."""
        try:
            name, key_id, material = vkey.split("+", 2)
            data = base64.b64decode(material, validate=True)
        except ValueError as error:
            raise UnusableError(f"{vkey[:60]!r} is not a vkey") from error
        key = cls(name, data[0] if data else 0, data[1:])
        if key.kind not in kinds or len(key.public_key) != _KEY_BYTES[key.kind]:
            raise UnusableError(f"the vkey of {name[:60]} is of a type that cannot stand there")
        if key.key_id.hex() != key_id:
            raise UnusableError(f"the vkey of {name[:60]} has a key id that is not its own")
        return key

    @property
    def key_id(self) -> bytes:
        """The first four bytes of a digest; with the name it tells whose a signature line is."""
        shown = self.name.encode("utf-8", "surrogateescape") + b"\n" + bytes([self.kind])
        return hashlib.sha256(shown + self.public_key).digest()[:4]

    def check(self, tree: Tree, signature: bytes) -> int | None:
        """Return when a tree was cosigned (POSIX seconds; None for type 1). Raises RefutedError."""
        stamp, rest = signature[:8], signature[8:]
        seconds = int.from_bytes(stamp, "big")
        try:
            if self.kind == ML_DSA_44_COSIGNATURE:
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(
                    rest, tree.cosigned_message(self.name, stamp)
                )
                return seconds
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            if self.kind == ED25519_NOTE:
                key.verify(signature, tree.text)
                return None
            key.verify(rest, f"cosignature/v1\ntime {seconds}\n".encode("ascii") + tree.text)
        except (InvalidSignature, ValueError) as error:
            text = f"the signature of {self.name} over the tree of {tree.size} is wrong"
            raise RefutedError(text) from error
        return seconds


@dataclass(slots=True)
class Tree:
    """One tree head, with every signature line that the checkpoints of a bundle have over it."""

    text: bytes
    origin: str
    size: int
    root: bytes
    lines: set[tuple[str, bytes, bytes]] = field(default_factory=set)

    @classmethod
    def parse(cls, note: bytes) -> Tree:
        """Return the tree of a signed checkpoint. Raises RefutedError."""
        try:
            body, _, signatures = note.decode("utf-8").rpartition("\n\n")
            origin, size, root, *_ = f"{body}\n".split("\n")
            tree = cls(f"{body}\n".encode(), origin, int(size), base64.b64decode(root))
            canonical = str(tree.size) == size and base64.b64encode(tree.root).decode() == root
            canonical = canonical and 0 <= tree.size <= SIZE_MAX
            if not (origin and canonical and len(tree.root) == 32 and signatures[-1] == "\n"):
                raise ValueError("origin, size, root and signatures are not of their form")
            for line in signatures[:-1].split("\n"):
                dash, name, encoded = line.split(" ")
                data = base64.b64decode(encoded, validate=True)
                if dash != "—" or not name or len(data) <= 4:
                    raise ValueError("a signature line is not of its form")
                tree.lines.add((name, data[:4], data[4:]))
        except MALFORMED as error:
            raise RefutedError(f"a checkpoint is malformed: {error}") from error
        return tree

    def cosigned_message(self, name: str, stamp: bytes) -> bytes:
        """Return what an ML-DSA-44 cosigner of that name signs (tlog-cosignature)."""
        shown = [one.encode("utf-8", "surrogateescape") for one in (name, self.origin)]
        cosigner, origin = (bytes([len(one)]) + one for one in shown)
        whole = bytes(8) + self.size.to_bytes(8, "big")
        return b"subtree/v1\n\0" + cosigner + stamp + origin + whole + self.root

    def signed_by(self, keys: Iterable[NoteKey]) -> dict[NoteKey, int | None]:
        """Return which of the keys signed, and when first.

        The time 0 is no time: with it a cosigner says only that the tree is one of the log's.
        Raises RefutedError for a false signature under a key's name, also beside a true one.
        """
        found: dict[NoteKey, int | None] = {}
        for key in keys:
            lines = [line for *named, line in self.lines if named == [key.name, key.key_id]]
            times = [key.check(self, line) for line in lines]
            if times:
                found[key] = min((one for one in times if one), default=times[0])
        return found


@dataclass(slots=True)
class Anchor:
    """What the reader trusts. `pinned` holds public keys (SubjectPublicKeyInfo) by key id.

    `hubs` are the codes whose keys it gives as a hub's; none: whichever hub the log's entries name.
    """

    logs: list[NoteKey] = field(default_factory=list)
    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str = ""
    pinned: dict[str, bytes] = field(default_factory=dict)
    hubs: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, data: bytes) -> Anchor:
        """Return the anchor that a policy or an itmo-anchor/1 document says.

        Raises UnusableError, naming the policy's line where there is one.
        """
        anchor = cls()
        try:
            text = data.decode("utf-8", "surrogateescape")
            if text.lstrip().startswith("{"):
                document = parse_json(data, "the anchor")
                if document["format"] != ANCHOR_FORMAT:
                    raise UnusableError(f"its format is not {ANCHOR_FORMAT}")
                text = document["policy"]
                hub_pins = list(document.get("hub_keys", ()))
                anchor.hubs = {str(one["key_id"])[:5] for one in hub_pins}
                pins = [*hub_pins, *document.get("participant_keys", ())]
                anchor.pinned = {one["key_id"]: decode_base64(one["public_key"]) for one in pins}
            for number, line in enumerate(text.split("\n"), start=1):
                anchor._read_line(number, line.replace("\t", " ").split())
        except (RefutedError, *MALFORMED) as error:
            raise UnusableError(f"the anchor cannot be read: {error}") from error
        if not anchor.logs or not anchor.quorum:
            raise UnusableError("the anchor names no log or no quorum (`quorum none` asks none)")
        for key_id, der in anchor.pinned.items():
            if not is_id_of(key_id, der):
                raise UnusableError(f"the anchor gives a key under {key_id[:40]}, not its own id")
        return anchor

    def _read_line(self, number: int, words: list[str]) -> None:
        """Take one line of the policy (tlog-policy). Raises UnusableError."""
        match words:
            case []:
                return
            case [word, *_] if word.startswith("#"):
                return
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(NoteKey.parse(vkey, (ED25519_NOTE, ML_DSA_44_COSIGNATURE)))
            case ["witness", name, vkey] | ["witness", name, vkey, _] if self._is_free(name):
                key = NoteKey.parse(vkey, (ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE))
                if any(key.public_key == one.public_key for one in self.witnesses.values()):
                    raise UnusableError(f"line {number} of the policy repeats a witness's key")
                self.witnesses[name] = key
            case ["group", name, count, *members] if self._is_free(name) and members:
                wanted = {"any": 1, "all": len(members)}.get(count) or int(count)
                known = all(one in self.witnesses or one in self.groups for one in members)
                if not (known and 1 <= wanted <= len(set(members)) == len(members)):
                    raise UnusableError(f"line {number} of the policy: there is no such group")
                self.groups[name] = (wanted, members)
            case ["quorum", name] if not self.quorum and (
                name == "none" or name in self.witnesses or name in self.groups
            ):
                self.quorum = name
            case _:
                raise UnusableError(f"line {number} of the policy cannot be read")

    def _is_free(self, name: str) -> bool:
        return name != "none" and name not in self.witnesses and name not in self.groups

    def is_met_by(self, confirmed: Iterable[str], name: str | None = None) -> bool:
        """Tell whether these witnesses make the quorum, or the named group."""
        name, names = self.quorum if name is None else name, set(confirmed)
        if name in self.groups:
            wanted, members = self.groups[name]
            return sum(self.is_met_by(names, member) for member in members) >= wanted
        return name == "none" or name in names

    def pins(self, participant: str) -> bool:
        """Tell whether the anchor pins a key of the participant."""
        return any(key_id[:5] == participant for key_id in self.pinned)


def is_id_of(key_id: str, der: bytes) -> bool:
    """Tell whether a key id follows from the key: the code, and 16 digits of its digest."""
    return key_id[5:] == f"-{digest(der)[:16]}"


def read_proof(data: bytes, index: int) -> tuple[list[bytes], bytes]:
    """Return the path and the checkpoint of a tlog-proof of that index. Raises RefutedError."""
    head, _, note = data.partition(b"\n\n")
    lines = head.decode("ascii", "replace").split("\n")
    if lines[1:] and lines[1].startswith("extra "):
        del lines[1]
    if lines[:2] != ["c2sp.org/tlog-proof@v1", f"index {index}"]:
        raise RefutedError("its proof is not one of this index")
    try:
        path = [base64.b64decode(line, validate=True) for line in lines[2:]]
    except ValueError as error:
        raise RefutedError("a hash of its proof is not base64") from error
    if any(len(one) != 32 for one in path):
        raise RefutedError("a hash of its proof has not 32 bytes")
    return path, note


def check_inclusion(index: int, entry: bytes, path: Sequence[bytes], tree: Tree) -> None:
    """Check that an entry is the leaf of that index (RFC 9162 §2.1.3.2). Raises RefutedError."""
    at, last = index, tree.size - 1
    found = hashlib.sha256(b"\0" + entry).digest()
    for sibling in path:
        if last == 0:
            raise RefutedError(f"the path to entry {index} is too long")
        if at % 2 == 1 or at == last:
            found = hashlib.sha256(b"\1" + sibling + found).digest()
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            found = hashlib.sha256(b"\1" + found + sibling).digest()
        at, last = at // 2, last // 2
    if not 0 <= index < tree.size or last != 0 or found != tree.root:
        raise RefutedError(f"it is not entry {index} of the log's tree of {tree.size} entries")
