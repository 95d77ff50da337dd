"""Texts signed by one or more keys, as C2SP signed-note (v1.0.0) lays them down.

    text, ending in a newline
    <empty line>
    — <key name> base64(key id, 4 bytes || signature)

1. A key is known by its name and its id: SHA-256(name || newline || type || public key)[:4]. As
   text it is a *vkey*: ``<name>+<id in lower hex>+base64(type || public key)``.
2. The last empty line parts the text from its signatures, so a text may hold empty lines.
3. Signatures of keys one does not know are left alone. Nothing here believes a note: who reads
   the text first asks `checkpoints` or `cosignatures` whether the keys it trusts have signed.
4. An Ed25519 key of small order is refused: it "verifies" texts that its owner never saw.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from hub.transparency_log.text_forms import decode_base64, encode_base64, read_text

Sign = Callable[[bytes], bytes]
"""Signs the bytes with a private key that never comes here."""

NOTE_BYTES_MAX: Final = 2 * 1024 * 1024
SIGNATURE_COUNT_MAX: Final = 512
"""200 witnesses with an Ed25519 and an ML-DSA-44 signature each, the log's own, and some more."""

KEY_ID_BYTES: Final = 4
_NAME_BYTES_MAX: Final = 255
_LINE_BEGIN: Final = "— "
_ED25519_PRIME: Final = 2**255 - 19
# The y coordinates of the eight points of small order on Curve25519's twisted Edwards form.
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


class NoteError(ValueError):
    """The bytes are not a note, a signature line or a verifier key; the message says why."""


class SignatureType(IntEnum):
    """The signature types of C2SP signed-note that this log and its witnesses use."""

    ED25519 = 1
    COSIGNATURE_ED25519 = 4
    COSIGNATURE_ML_DSA_44 = 6


PUBLIC_KEY_BYTES: Final = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE_ED25519: 32,
    SignatureType.COSIGNATURE_ML_DSA_44: 1312,
}


@dataclass(frozen=True)
class VerifierKey:
    """A public key under a name, for one type of signature. ``public_key`` is its raw bytes.

    Raises NoteError: the name or the key is not one that a note can carry.
    """

    name: str
    type: SignatureType
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if self.type not in PUBLIC_KEY_BYTES:
            raise NoteError(f"signature type {self.type} is not supported: 1, 4 or 6 are")
        wanted = PUBLIC_KEY_BYTES[self.type]
        if len(self.public_key) != wanted:
            raise NoteError(
                f"the key {self.name!r} of type {int(self.type)} has {len(self.public_key)} bytes,"
                f" not {wanted}"
            )
        if self.type is not SignatureType.COSIGNATURE_ML_DSA_44 and _is_weak(self.public_key):
            raise NoteError(f"the Ed25519 key {self.name!r} is of small order or not canonical")

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes that stand before each signature of this key."""
        encoded = self.name.encode("utf-8") + b"\n" + self.encoded
        return sha256(encoded).digest()[:KEY_ID_BYTES]

    @property
    def encoded(self) -> bytes:
        """The type byte and the public key."""
        return bytes([self.type]) + self.public_key

    @property
    def vkey(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self.encoded)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Return the key that a vkey spells. Raises NoteError."""
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise NoteError(f"{vkey[:64]!r} is not a vkey: <name>+<key id>+<base64 of the key>")
        name, key_id, text = parts
        try:
            encoded = decode_base64(text)
            kind = SignatureType(encoded[0] if encoded else 0)
        except ValueError as error:
            raise NoteError(f"the vkey of {name[:64]!r}: {error}") from error
        key = cls(name, kind, encoded[1:])
        if key.key_id.hex() != key_id:
            raise NoteError(
                f"the vkey of {name[:64]!r} says key id {key_id[:16]!r}, and its key gives"
                f" {key.key_id.hex()}: copy it again from its owner"
            )
        return key

    def is_signed(self, signature: bytes, data: bytes) -> bool:
        """Tell whether this key made ``signature`` (without id and timestamp) of ``data``."""
        try:
            self._native.verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    @cached_property
    def _native(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        if self.type is SignatureType.COSIGNATURE_ML_DSA_44:
            return MLDSA44PublicKey.from_public_bytes(self.public_key)
        return Ed25519PublicKey.from_public_bytes(self.public_key)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line. ``signature`` is what follows the key id: at least one byte.

    Raises NoteError: name, id or signature are not of the form of a line.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise NoteError(f"a signature of {self.name!r} lacks its key id or its bytes")

    @property
    def line(self) -> str:
        """The line as text, with its newline."""
        return f"{_LINE_BEGIN}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the signature of a line, with or without its newline. Raises NoteError."""
        if not line.startswith(_LINE_BEGIN):
            raise NoteError(f"a signature line begins with '— ', not with {line[:24]!r}")
        name, _, text = line.removeprefix(_LINE_BEGIN).removesuffix("\n").partition(" ")
        try:
            data = decode_base64(text)
        except ValueError as error:
            raise NoteError(f"the signature of {name[:64]!r}: {error}") from error
        return cls(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])

    def is_by(self, key: VerifierKey) -> bool:
        """Tell whether the line names this key; whether the key made it is another question."""
        return self.key_id == key.key_id and self.name == key.name


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signatures, none of them verified. ``text`` ends in a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Return the note that the bytes spell. Raises NoteError."""
        try:
            whole = read_text(data, NOTE_BYTES_MAX)
        except ValueError as error:
            raise NoteError(f"not a note: {error}") from error
        text, found, lines = whole.rpartition("\n\n")
        if not found or not lines:
            raise NoteError("not a note: no signatures after an empty line")
        return cls(text + "\n", parse_signatures(lines))

    def render(self) -> str:
        """Return the note as it is sent and kept. Raises NoteError when nothing has signed it."""
        if not self.signatures:
            raise NoteError("a note has at least one signature")
        return f"{self.text}\n{''.join(item.line for item in self.signatures)}"

    def with_signatures(self, lines: Iterable[NoteSignature | str]) -> Self:
        """Return the note with more signatures at its end; a line that it has is left out."""
        added = [NoteSignature.parse(item) if isinstance(item, str) else item for item in lines]
        return replace(self, signatures=tuple(dict.fromkeys([*self.signatures, *added])))

    def signatures_of(self, key: VerifierKey) -> list[NoteSignature]:
        """Return the signatures that name this key: none or one in a note as it should be."""
        return [item for item in self.signatures if item.is_by(key)]


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Return the signatures of lines that each end in a newline, at least one. Raises NoteError."""
    if not lines.endswith("\n"):
        raise NoteError("the last signature line does not end in a newline: is the text cut off?")
    separate = lines.removesuffix("\n").split("\n")
    if len(separate) > SIGNATURE_COUNT_MAX:
        raise NoteError(f"{len(separate)} signatures; at most {SIGNATURE_COUNT_MAX} are read")
    return tuple(NoteSignature.parse(line) for line in separate)


def sign_note(text: str, key: VerifierKey, sign: Sign) -> NoteSignature:
    """Return the Ed25519 signature of a text that ends in a newline (type 1).

    Raises NoteError: the key is of another type, the text is none, or ``sign`` is another key's.
    """
    if key.type is not SignatureType.ED25519:
        raise NoteError(f"{key.name!r} is a key for cosignatures, not for notes")
    try:
        data = read_text(text, NOTE_BYTES_MAX).encode("utf-8")
    except ValueError as error:
        raise NoteError(f"the text cannot be signed: {error}") from error
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a newline")
    signature = sign(data)
    if not key.is_signed(signature, data):
        raise NoteError(f"the signer does not hold the private key of {key.name!r}")
    return NoteSignature(key.name, key.key_id, signature)


def check_key_name(name: str) -> None:
    """Raise NoteError unless keys may be called so: no blank, plus or control character in it."""
    try:
        read_text(name, _NAME_BYTES_MAX)
    except ValueError as error:
        raise NoteError(f"the key name {name[:64]!r}: {error}") from error
    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise NoteError(f"the key name {name[:64]!r} is empty or holds a blank or a plus")


def _is_weak(raw: bytes) -> bool:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    return y >= _ED25519_PRIME or y in _SMALL_ORDER_Y
