"""What can be wrong with a key or a signature, each fault with a word that never changes.

1. The `reason` of an error is for machines: a caller maps it to its own response code.
2. The detail is for the operator at the other end: one sentence, never key material.
3. A fault of the bytes (`MalformedJwsError`, `MalformedXmlError`), of the key
   (`KeyNotTrustedError` and its kinds) and of the mathematics (`SignatureInvalidError`) are
   different types: whose fault it is differs.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "JwsFault",
    "KeyExpiredError",
    "KeyFileError",
    "KeyNotTrustedError",
    "KeyNotYetValidError",
    "KeyOfAnotherParticipantError",
    "KeyRevokedError",
    "KeyUnknownError",
    "KeysError",
    "MalformedDocumentError",
    "MalformedJwsError",
    "MalformedKeyError",
    "MalformedXmlError",
    "PossessionInvalidError",
    "SignatureInvalidError",
    "SignerError",
    "SuiteNotAcceptedError",
    "TrustStoreError",
    "XmlFault",
]


class JwsFault(StrEnum):
    """The closed list of ways in which bytes fail to be one of our signed objects."""

    TOO_LARGE = "jws-too-large"
    NOT_ASCII = "jws-not-ascii"
    NOT_JSON = "jws-not-json"
    WRONG_MEMBERS = "jws-wrong-members"
    SIGNATURE_COUNT = "jws-signature-count"
    NOT_BASE64URL = "jws-not-base64url"
    HEADER_INVALID = "jws-header-invalid"
    TYP_UNEXPECTED = "jws-typ-unexpected"
    ALGORITHM_NOT_ALLOWED = "jws-algorithm-not-allowed"
    KEY_ID_INVALID = "jws-key-id-invalid"
    KEY_REPEATED = "jws-key-repeated"


class XmlFault(StrEnum):
    """The closed list of ways in which bytes fail to be one of our signed XML documents."""

    TOO_LARGE = "xml-too-large"
    NOT_UTF8 = "xml-not-utf8"
    MARKUP_NOT_ALLOWED = "xml-markup-not-allowed"
    NAMESPACE_COUNT = "xml-namespace-count"
    NOT_WELL_FORMED = "xml-not-well-formed"
    TOO_DEEP = "xml-too-deep"
    ATTRIBUTE_COUNT = "xml-attribute-count"
    ROOT_UNEXPECTED = "xml-root-unexpected"
    SIGNATURE_MISSING = "xml-signature-missing"
    SIGNATURE_COUNT = "xml-signature-count"
    SIGNATURE_FORM = "xml-signature-form"
    REFERENCE_NOT_WHOLE = "xml-reference-not-whole"
    ALGORITHM_NOT_ALLOWED = "xml-algorithm-not-allowed"
    NOT_BASE64 = "xml-not-base64"
    KEY_ID_INVALID = "xml-key-id-invalid"


class KeysError(Exception):
    """Anything this package refuses. Carries a stable `reason` and a sentence of detail."""

    reason: str = "keys-error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MalformedJwsError(KeysError):
    """The bytes are not a signed object of the form of `docs/adr/0002`; nothing was verified."""

    def __init__(self, fault: JwsFault, detail: str) -> None:
        super().__init__(detail)
        self.reason = fault.value


class MalformedXmlError(KeysError):
    """The bytes are not a signed document of the form of `docs/adr/0015`; nothing was verified."""

    def __init__(self, fault: XmlFault, detail: str) -> None:
        super().__init__(detail)
        self.reason = fault.value


class SignatureInvalidError(KeysError):
    """The signature does not match the bytes that arrived, or not with this key's algorithm."""

    reason = "signature-invalid"


class SuiteNotAcceptedError(KeysError):
    """The signatures are right, but not of a suite this participant must sign with."""

    reason = "suite-not-accepted"


class KeyNotTrustedError(KeysError):
    """No key may speak for this participant at this time under this key id."""

    reason = "key-not-trusted"


class KeyUnknownError(KeyNotTrustedError):
    """The key id is not registered."""

    reason = "key-unknown"


class KeyOfAnotherParticipantError(KeyNotTrustedError):
    """The key is registered, but speaks for somebody else."""

    reason = "key-of-another-participant"


class KeyNotYetValidError(KeyNotTrustedError):
    """The key's window has not begun."""

    reason = "key-not-yet-valid"


class KeyExpiredError(KeyNotTrustedError):
    """The key's window has ended."""

    reason = "key-expired"


class KeyRevokedError(KeyNotTrustedError):
    """The key was revoked at or before the time asked about."""

    reason = "key-revoked"


class TrustStoreError(KeysError):
    """The records offered cannot form one trust store: our own data contradict themselves."""

    reason = "trust-store-inconsistent"


class MalformedKeyError(KeysError):
    """The bytes are not a public key this exchange allows, in its one DER encoding."""

    reason = "key-malformed"


class MalformedDocumentError(KeysError):
    """A public key document has wrong members, values or a key id that does not fit its key."""

    reason = "key-document-malformed"


class PossessionInvalidError(KeysError):
    """A key document is not signed by the key it describes."""

    reason = "possession-invalid"


class SignerError(KeysError):
    """A private key cannot be opened or used: the URI, the passphrase, the file or the token."""

    reason = "signer-unavailable"


class KeyFileError(SignerError):
    """A key file is missing, readable by others, not encrypted, or already there."""

    reason = "key-file-refused"
