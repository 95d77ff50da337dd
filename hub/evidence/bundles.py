"""Write the evidence of one transfer as one file, and read it again.

    manifest.json            what is in it, item by item in the order of the log
    checkpoint.txt           the newest tree head, cosigned
    entries/<index>.json     a leaf's exact bytes       proofs/<index>.tlog-proof   its C2SP proof
    contents/<index>.<name>  what the leaf commits to, unless it was erased: .jws or .xml as it is
    keys.json                the public keys that signed, and when they were valid
    participants.jws         the hub's signed list of participants, where that is at hand
    story.html               the same for a person to read and print; it proves nothing

The same values give the same bytes.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from hub.evidence.archives import (
    BUNDLE_FORMAT,
    MANIFEST,
    archive,
    decode_base64,
    digest,
    parse_json,
    read_archive,
    read_manifest,
)
from hub.evidence.verification import CHECKPOINT, KEYS_FILE, PARTICIPANTS
from hub.evidence.xml_signatures import is_xml

STORY: Final = "story.html"


@dataclass(frozen=True, slots=True)
class BundleItem:
    """One leaf of the log with all that belongs to it.

    `proof` is a tlog-proof. `salt` (16 bytes) and `contents`, by name, are None once erased.
    `role` says in a word or two why the item is here; nothing rests on it.
    """

    index: int
    kind: str
    role: str
    entry: bytes
    proof: bytes
    salt: bytes | None
    contents: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class BundleKey:
    """A public key (base64url of its SubjectPublicKeyInfo) and its window; times are RFC 3339.

    `registered_at` is the log index of the act or envelope that named it, if that is known.
    """

    key_id: str
    participant: str
    algorithm: str
    public_key: str
    valid_from: str | None
    valid_until: str | None
    revoked_at: str | None
    registered_at: int | None

    @classmethod
    def of(cls, key_id: str, algorithm: str, der: bytes, **window: Any) -> "BundleKey":
        """Return a key of the participant that its id names; a window not given is open."""
        names = ("valid_from", "valid_until", "revoked_at", "registered_at")
        text = base64.urlsafe_b64encode(der).decode("ascii").rstrip("=")
        known = {name: window.get(name) for name in names}
        return cls(key_id, key_id[:5], algorithm, text, **known)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one transfer. `made_by` names the participant that exports it."""

    transfer_id: str
    made_at: str
    made_by: str
    log_origin: str
    checkpoint: bytes
    items: Sequence[BundleItem]
    keys: Sequence[BundleKey]
    participants: bytes | None = None


def write(evidence: Evidence, story: str) -> bytes:
    """Return the bundle's bytes; `story` is the page that `stories.render` makes of it."""
    files = {CHECKPOINT: evidence.checkpoint, STORY: story.encode("utf-8")}
    if evidence.participants is not None:
        files[PARTICIPANTS] = evidence.participants
    files[KEYS_FILE] = _document({"keys": [asdict(key) for key in evidence.keys]})
    items = sorted(evidence.items, key=lambda item: item.index)
    listed = []
    for item in items:
        paths = {
            name: None if content is None else f"contents/{item.index}.{_named(name, content)}"
            for name, content in item.contents.items()
        }
        shown = {
            "index": item.index,
            "kind": item.kind,
            "role": item.role,
            "entry": f"entries/{item.index}.json",
            "proof": f"proofs/{item.index}.tlog-proof",
            "salt": None if item.salt is None else _salt_text(item.salt),
            "contents": paths,
        }
        files[str(shown["entry"])], files[str(shown["proof"])] = item.entry, item.proof
        files |= {path: item.contents[name] or b"" for name, path in paths.items() if path}
        listed.append(shown)
    files[MANIFEST] = _document(
        {
            "format": BUNDLE_FORMAT,
            "transfer_id": evidence.transfer_id,
            "made_at": evidence.made_at,
            "made_by": evidence.made_by,
            "log_origin": evidence.log_origin,
            "files": [{"path": path, "sha256": digest(files[path])} for path in sorted(files)],
            "items": listed,
        }
    )
    return archive(files)


def read(bundle: bytes) -> Evidence:
    """Return what a bundle holds; nothing of it is verified. Raises UnusableError."""
    files = read_archive(bundle)
    manifest = read_manifest(files)
    items = [
        BundleItem(
            index=one["index"],
            kind=one["kind"],
            role=one["role"],
            entry=files[one["entry"]],
            proof=files[one["proof"]],
            salt=None if one["salt"] is None else decode_base64(one["salt"]),
            contents={
                name: None if path is None else files[path]
                for name, path in one["contents"].items()
            },
        )
        for one in manifest["items"]
    ]
    return Evidence(
        transfer_id=manifest["transfer_id"],
        made_at=manifest["made_at"],
        made_by=manifest["made_by"],
        log_origin=manifest["log_origin"],
        checkpoint=files[CHECKPOINT],
        items=items,
        keys=[BundleKey(**one) for one in parse_json(files[KEYS_FILE], KEYS_FILE)["keys"]],
        participants=files.get(PARTICIPANTS),
    )


def erased(item: BundleItem) -> BundleItem:
    """Return the item as it is once its salt and bodies are erased."""
    return replace(item, salt=None, contents=dict.fromkeys(item.contents))


def _named(name: str, content: bytes) -> str:
    if name == "act":
        return "act.json"
    return f"{name}.xml" if is_xml(content) else f"{name}.jws"


def _document(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _salt_text(salt: bytes) -> str:
    return base64.urlsafe_b64encode(salt).decode("ascii").rstrip("=")
