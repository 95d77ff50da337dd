"""The three signed objects of the exchange, in either binding: one way in, one way out.

1. ``open_object``: which binding the bytes are in (XML begins with ``<``), and which keys claim to
   have signed. Nothing is believed yet.
   Long XML costs much more to open than JSON: whoever takes bytes from strangers verifies
   ``claim_first`` before that.
2. ``UnverifiedObject.verify``: the keys must speak for the participant at the time, and match.
3. ``UnverifiedObject.read``: the JSON value that was signed, and no byte beside it. From here on
   nobody can tell the bindings apart.
4. ``SigningKeys.seal``: the way back, to the exact bytes that are stored and sent.

JSON is a JWS (``keys.jws``), XML an enveloped XML Signature (``keys.xml_signatures``). libxml2
keeps every name it parses for the life of its thread: whoever opens XML of strangers does so in
threads that are replaced (docs/adr/0015).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec
from lxml import etree

from keys.algorithms import Algorithm
from keys.jws import UnverifiedJws, open_signed, sign, verify
from keys.signer import Signer
from keys.trust import TrustStore
from keys.xml_claims import read_claim
from keys.xml_reading import XmlLimits
from keys.xml_signatures import UnverifiedXml, XmlClaim, open_signed_xml, sign_xml, verify_xml
from message_schemas import json_codec, strict_xml, xml_codec
from message_schemas.envelopes import DELIVERY_TYP, ENVELOPE_TYP, RECEIPT_TYP
from message_schemas.strict_json import DEPTH_MAX
from message_schemas.validation import SchemaError
from message_schemas.xml_forms import NAMESPACE

__all__ = [
    "MEDIA_TYPES",
    "Binding",
    "BindingUnavailableError",
    "ObjectKind",
    "ObjectRefusedError",
    "ReadObject",
    "SigningKeys",
    "UnverifiedObject",
    "binding_of",
    "binding_of_media_type",
    "claim_first",
    "fault_of_binding",
    "nests_deeper",
    "open_object",
]

ObjectKind: TypeAlias = Literal["envelope", "receipt", "delivery"]


class Binding(StrEnum):
    """How an object is written and signed."""

    JSON = "json"
    XML = "xml"


MEDIA_TYPES: Final[Mapping[Binding, str]] = MappingProxyType(
    {Binding.JSON: "application/jose+json", Binding.XML: "application/xml"}
)
_TYPS: Final[Mapping[ObjectKind, str]] = MappingProxyType(
    {"envelope": ENVELOPE_TYP, "receipt": RECEIPT_TYP, "delivery": DELIVERY_TYP}
)
OBJECT_BYTES_MAX: Final = 64 * 1024 * 1024
"""The last resort; each door sets a smaller limit of its own before it comes here."""
_LONG_XML_BYTES: Final = 8_192
"""From here on opening XML costs more than its signature does."""
_AROUND_OTHERS: Final = (dict, list, tuple)
_BEFORE_MARKUP: Final = b" \t\r\n"


class ObjectRefusedError(ValueError):
    """What was signed is no value of its binding; ``path`` is a JSON pointer to the place."""

    def __init__(self, detail: str, path: str = "") -> None:
        super().__init__(detail)
        self.path = path


class BindingUnavailableError(ValueError):
    """There is no key to sign with in this binding."""


@dataclass(frozen=True, slots=True)
class ReadObject:
    """The JSON value that was signed; its schema is not checked yet.

    ``body_faults`` names, by the JSON pointer of a message's or notice's ``body``, what broke the
    XML form inside it; that body is an empty object in ``document``. Always empty in JSON.
    """

    document: Any
    body_faults: Mapping[str, SchemaError]


@dataclass(frozen=True, slots=True)
class UnverifiedObject:
    """A well-formed signed object of which nothing is known to be true yet."""

    kind: ObjectKind
    binding: Binding
    key_ids: tuple[str, ...]
    form: UnverifiedJws | UnverifiedXml

    def verify(self, trust: TrustStore, participant: str, at: datetime) -> None:
        """Check every signature with the keys that may speak for ``participant`` at ``at``.

        Raises KeyNotTrustedError, SuiteNotAcceptedError or SignatureInvalidError (``keys``).
        """
        if isinstance(self.form, UnverifiedXml):
            verify_xml(self.form, trust, participant, at)
        else:
            verify(self.form, trust, participant, at)

    def read(self, *, depth_max: int = DEPTH_MAX) -> ReadObject:
        """Return the JSON value that the signatures cover; its root may be anything in JSON.

        ``depth_max`` limits lists and objects inside each other. Raises ObjectRefusedError.
        """
        if isinstance(self.form, UnverifiedXml):
            return self._read_xml(self.form.element, depth_max)
        try:
            return ReadObject(json_codec.parse_strict(self.form.payload, depth_max=depth_max), {})
        except json_codec.JsonRefusedError as error:
            raise ObjectRefusedError(str(error)) from error

    def _read_xml(self, element: etree._Element, depth_max: int) -> ReadObject:
        try:
            read = xml_codec.read_document(self.kind, element)
        except xml_codec.XmlFormError as error:
            raise ObjectRefusedError(str(error), error.path) from error
        except strict_xml.XmlRefusedError as error:
            raise ObjectRefusedError(str(error)) from error
        if nests_deeper(read.document, depth_max):
            raise ObjectRefusedError(f"lists and objects nested deeper than {depth_max}")
        return ReadObject(read.document, read.body_faults)


def nests_deeper(value: Any, depth_max: int) -> bool:
    """Tell whether lists and objects of a JSON value stand inside each other deeper than this.

    A scalar has depth 0, as in ``strict_json``.
    """
    level = [value] if isinstance(value, _AROUND_OTHERS) else []
    for _ in range(depth_max):
        if not level:
            break
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, _AROUND_OTHERS)
        ]
    return bool(level)


def binding_of(raw: bytes) -> Binding:
    """Tell the binding of a signed object by its first character."""
    return Binding.XML if raw[:64].lstrip(_BEFORE_MARKUP)[:1] == b"<" else Binding.JSON


def binding_of_media_type(media_type: str) -> Binding | None:
    """Return the binding that a media type announces; ``text/xml`` and plain JSON count too."""
    match media_type.lower():
        case "application/jose+json" | "application/json":
            return Binding.JSON
        case "application/xml" | "text/xml":
            return Binding.XML
        case _:
            return None


def fault_of_binding(binding: str, suites: Collection[str]) -> str | None:
    """Return why a participant whose policy accepts these suites cannot speak a binding, or None.

    ES256 alone signs XML: a participant bound to another suite would receive what it may not send.
    """
    if binding != Binding.XML or Algorithm.ES256 in suites:
        return None
    listed = ", ".join(sorted(suites))
    return f"XML is signed with ES256 alone, and its signature suites are {listed}"


def claim_first(raw: bytes) -> XmlClaim | None:
    """Return the signature of long XML, to be verified before it is opened; None for all else.

    Who cannot verify it cannot verify the object either. Raises MalformedXmlError.
    """
    if len(raw) <= _LONG_XML_BYTES or binding_of(raw) is not Binding.XML:
        return None
    return read_claim(raw)


def open_object(
    raw: bytes, kind: ObjectKind, *, bytes_max: int = OBJECT_BYTES_MAX
) -> UnverifiedObject:
    """Read a signed object of either binding without believing any of it.

    Raises MalformedJwsError or MalformedXmlError (``keys.errors``).
    """
    if binding_of(raw) is Binding.XML:
        limits = XmlLimits(document_bytes_max=bytes_max)
        opened = open_signed_xml(raw, f"{{{NAMESPACE}}}{kind}", limits)
        return UnverifiedObject(kind, Binding.XML, (opened.key_id,), opened)
    unverified = open_signed(raw, _TYPS[kind], jws_bytes_max=bytes_max)
    return UnverifiedObject(kind, Binding.JSON, unverified.key_ids, unverified)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """One participant's private keys.

    ``json`` sign JSON: one, or two for a hybrid suite. ``xml`` is the ES256 key that signs XML.
    """

    json: tuple[Signer, ...]
    xml: Signer | None = None

    @classmethod
    def of(cls, signers: Sequence[Signer], xml_signer: Signer | None = None) -> "SigningKeys":
        """Return the keys; without one for XML, a lone ES256 key signs both."""
        if xml_signer is None and len(signers) == 1 and signers[0].algorithm == "ES256":
            xml_signer = signers[0]
        return cls(tuple(signers), xml_signer)

    def speaks(self, binding: Binding) -> bool:
        """Tell whether there is a key for the binding."""
        return bool(self.json) if binding is Binding.JSON else self.xml is not None

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Every key, each once."""
        if self.xml is None or self.xml.key_id in self.key_ids_of(Binding.JSON):
            return self.json
        return (*self.json, self.xml)

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self.key_ids_of(Binding.JSON) | self.key_ids_of(Binding.XML))

    def key_ids_of(self, binding: Binding) -> frozenset[str]:
        """The ids of the keys that sign in a binding."""
        if binding is Binding.JSON:
            return frozenset(signer.key_id for signer in self.json)
        return frozenset() if self.xml is None else frozenset({self.xml.key_id})

    def seal(self, kind: ObjectKind, document: Any, binding: Binding = Binding.JSON) -> bytes:
        """Return the signed bytes of a JSON value whose schema is satisfied.

        ``document`` is a dataclass of ``message_schemas.envelopes`` or a mapping; members of a
        mapping may be ``msgspec.Raw``. Raises BindingUnavailableError, SignerError, and for XML
        XmlUnwritableError (a text that XML cannot hold) and MalformedXmlError (beyond limits).
        """
        if not self.speaks(binding):
            remedy = "an ES256 key signs XML" if binding is Binding.XML else "a key signs JSON"
            raise BindingUnavailableError(f"no key to sign {binding} with: {remedy}")
        payload = msgspec.json.encode(
            document if isinstance(document, Mapping) else json_codec.encode_body(document)
        )
        if binding is Binding.JSON:
            return sign(payload, _TYPS[kind], self.json)
        assert self.xml is not None
        plain: dict[str, Any] = msgspec.json.decode(payload)
        limits = XmlLimits(document_bytes_max=OBJECT_BYTES_MAX)
        return sign_xml(xml_codec.encode_document(kind, plain), self.xml, limits)
