"""Keys in a hardware module, through PKCS#11: the private key never leaves the token.

1. Open a session, log in with the PIN from its source, find the private key and its public half.
2. Prove once that the two belong together, so that a wrong object is found at start, not in the
   first message.
3. Sign under a lock (a session does one thing at a time). If the token went away, open it again
   once; a second failure is the caller's to know.

Ed25519 uses CKM_EDDSA. ES256 hashes here and uses CKM_ECDSA, which every token has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, NoReturn, TypeVar, final

import pkcs11
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error

from keys.algorithms import Algorithm, load_public_key, public_key_der, signature_is_valid
from keys.errors import SignerError
from keys.key_uris import Pkcs11Uri
from keys.public_keys import PublicKey

__all__ = ["HsmSigner"]

_P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")
_OCTET_STRING_TAG: Final = 0x04
# No signing input of a JWS looks like this: it has blanks in it.
_PROBE: Final = b"itmo-hub: does the private key belong to the public key?"

_Result = TypeVar("_Result")


@final
class HsmSigner:
    """Signs for a participant with a key in a PKCS#11 token. A `keys.signer.Signer`.

    Raises:
        SignerError: module, token, login or key is missing or not usable.
        MalformedKeyError: the participant code is malformed.
    """

    __slots__ = ("_key", "_lock", "_pin", "_public", "_uri")

    def __init__(self, uri: Pkcs11Uri, participant: str, pin: Callable[[], str] | None) -> None:
        self._uri = uri
        self._pin = pin
        self._lock = Lock()
        self._key: Any = None
        session = _guarded(self._open_session)
        self._key = _guarded(lambda: self._find(session, ObjectClass.PRIVATE_KEY))
        public = _guarded(lambda: _public_der(self._find(session, ObjectClass.PUBLIC_KEY)))
        self._public = PublicKey.from_der(participant, public)
        _, native = load_public_key(public)
        if not signature_is_valid(native, self.sign(_PROBE), _PROBE):
            raise SignerError("the token's private and public key do not belong together")

    @property
    def key_id(self) -> str:
        """The id under which the public key is registered."""
        return self._public.key_id

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the key."""
        return self._public.algorithm

    @property
    def public_key_der(self) -> bytes:
        """The SubjectPublicKeyInfo of the public key, DER."""
        return self._public.public_key_der

    def sign(self, data: bytes) -> bytes:
        """Return the signature as JWS carries it; opens the token again once if it went away.

        Raises:
            SignerError: the token refuses twice.
        """
        with self._lock:
            try:
                return self._sign_once(data)
            except PKCS11Error:
                self._key = None
            return _guarded(lambda: self._sign_once(data))

    def _sign_once(self, data: bytes) -> bytes:
        if self._key is None:
            self._key = self._find(self._open_session(), ObjectClass.PRIVATE_KEY)
        if self._public.algorithm is Algorithm.ED25519:
            return bytes(self._key.sign(data, mechanism=Mechanism.EDDSA))
        digest = hashlib.sha256(data).digest()
        return bytes(self._key.sign(digest, mechanism=Mechanism.ECDSA))

    def _open_session(self) -> Any:
        module = pkcs11.lib(str(self._uri.module_path))
        serial = None if self._uri.serial is None else self._uri.serial.encode()
        tokens = list(module.get_tokens(token_label=self._uri.token, token_serial=serial))
        if len(tokens) != 1:
            raise SignerError(f"{len(tokens)} tokens fit the URI; exactly one must")
        if self._pin is None:
            return tokens[0].open()
        try:
            return tokens[0].open(user_pin=self._pin())
        except pkcs11.UserAlreadyLoggedIn:
            # A login is the process's, not the session's: another signer of this token has made it.
            return tokens[0].open()

    def _find(self, session: Any, kind: ObjectClass) -> Any:
        wanted = {"label": self._uri.object_label, "id": self._uri.object_id}
        return session.get_key(object_class=kind, **wanted)

    def __repr__(self) -> str:
        return f"HsmSigner({self.key_id}, {self.algorithm})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither pickled nor copied: it holds a session")


def _guarded(act: Callable[[], _Result]) -> _Result:
    try:
        return act()
    except (PKCS11Error, OSError) as error:
        kind = type(error).__name__
        raise SignerError(f"the token refused: {kind} {error}".rstrip()) from error


def _public_der(key: Any) -> bytes:
    """Return the SubjectPublicKeyInfo of a public key object, from its point."""
    point = bytes(key[Attribute.EC_POINT])
    if key.key_type is KeyType.EC_EDWARDS:
        return public_key_der(Ed25519PublicKey.from_public_bytes(_unwrapped(point, 32)))
    if key.key_type is KeyType.EC and bytes(key[Attribute.EC_PARAMS]) == _P256_PARAMETERS:
        raw = _unwrapped(point, 65)
        return public_key_der(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw))
    raise SignerError("the token's key is neither Ed25519 nor EC on P-256")


def _unwrapped(point: bytes, length: int) -> bytes:
    """Take the point out of its DER OCTET STRING; some tokens leave that out."""
    if len(point) == length:
        return point
    if len(point) == length + 2 and point[0] == _OCTET_STRING_TAG and point[1] == length:
        return point[2:]
    raise SignerError("the token's public point has an unknown form")
