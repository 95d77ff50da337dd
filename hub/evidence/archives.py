"""The file that holds a bundle: a ZIP archive of which every byte is determined by its content.

1. The files stand stored (not packed), in order, undated; the comment is the manifest's digest.
2. So a reader writes the archive anew and compares: a byte that differs anywhere is found, also
   one that no program would look at.
3. The manifest lists every other file with its digest, and the items in the order of the log.
"""

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

BUNDLE_FORMAT: Final = "itmo-evidence/1"
MANIFEST: Final = "manifest.json"
ARCHIVE_BYTES_MAX: Final = 256 * 1024 * 1024
FILE_COUNT_MAX: Final = 4096
_PATH: Final = re.compile(r"(?:[a-z]+/)?[a-z0-9][a-z0-9._-]{0,99}")
# What reading a value of an unknown shape can raise.
MALFORMED: Final = (
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ValueError,
    OverflowError,
    RecursionError,
)


class UnusableError(ValueError):
    """The bundle or the anchor cannot be read at all; the text says why."""


class RefutedError(Exception):
    """Something that a bundle claims is false; the text says what."""


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return the one archive of these files, by path; `manifest.json` is among them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        for path in sorted(files, key=lambda name: (name != MANIFEST, name)):
            member = zipfile.ZipInfo(path)  # stored, dated 1980-01-01
            member.create_system, member.external_attr = 3, 0o644 << 16
            opened.writestr(member, files[path])
        opened.comment = digest(files[MANIFEST]).encode("ascii")
    return target.getvalue()


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the files of a bundle by path. Raises UnusableError unless `data` is their archive."""
    if len(data) > ARCHIVE_BYTES_MAX:
        raise UnusableError(f"{len(data)} bytes are more than a bundle has")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            members = opened.infolist()
            stored = not any(one.compress_type or one.flag_bits for one in members)
            content_bytes = sum(one.file_size for one in members)
            if not stored or len(members) > FILE_COUNT_MAX or content_bytes > len(data):
                raise UnusableError("the archive is not of the kind that evidence comes in")
            files = {one.filename: opened.read(one) for one in members}
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, *MALFORMED) as error:
        raise UnusableError(f"the file is damaged or no bundle: {error}") from error
    if not all(_PATH.fullmatch(name) for name in files):
        raise UnusableError("a file of the archive has a name that no bundle has")
    if MANIFEST not in files or archive(files) != data:
        raise UnusableError("the file is damaged: a byte differs from what its content makes")
    return files


def read_manifest(files: Mapping[str, bytes]) -> Json:
    """Return the manifest, checked against the files. Raises UnusableError."""
    try:
        manifest = parse_json(files[MANIFEST], "the manifest")
        listed = {one["path"]: one["sha256"] for one in manifest["files"]}
        indices = [int(item["index"]) for item in manifest["items"]]
        shape = str(manifest["format"])
    except (RefutedError, *MALFORMED) as error:
        raise UnusableError(f"the manifest cannot be read: {error}") from error
    if shape != BUNDLE_FORMAT:
        raise UnusableError(f"the format is {shape[:40]!r}; this verifier reads {BUNDLE_FORMAT}")
    if len(listed) != len(manifest["files"]) or listed.keys() != files.keys() - {MANIFEST}:
        raise UnusableError("the manifest does not list exactly the files of the archive")
    for path, wanted in listed.items():
        if digest(files[path]) != wanted:
            raise UnusableError(f"{path} is not the file that the manifest lists")
    if indices != sorted(set(indices)):
        raise UnusableError("the items are not in the order of the log")
    return manifest


def digest(data: bytes) -> str:
    """Return the SHA-256 of exact bytes, lower hex."""
    return hashlib.sha256(data).hexdigest()


def _members_once(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def parse_json(data: bytes | str, what: str) -> Json:
    """Return a JSON object in which no member stands twice. Raises RefutedError."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_members_once)
    except (ValueError, RecursionError) as error:
        raise RefutedError(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RefutedError(f"{what} is not a JSON object")
    return value


def decode_base64(text: str) -> bytes:
    """Return the bytes of base64 or base64url, padded or not (RFC 4648). Raises ValueError."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    if base64.b64encode(data).decode("ascii").rstrip("=") != plain:
        raise ValueError("base64 with bits to spare")
    return data


def parse_time(text: str) -> datetime:
    """Return the aware time of an RFC 3339 text in UTC. Raises ValueError."""
    if not text.endswith("Z"):
        raise ValueError(f"{text[:40]!r} is not a time in UTC")
    return datetime.fromisoformat(text)
