"""An OpenID provider: the way there, and what it says about whoever comes back.

1. Authorization code flow with PKCE (S256), ``state`` and ``nonce``: a code that was stolen, or
   given to somebody else's browser, is worth nothing.
2. The ID token counts if it is signed by a key the provider publishes, for us, by this issuer,
   with our nonce, and not over. No other word of the provider is believed.
3. A provider that is slow, large, wrong or away makes a sign-in fail, with the reason for the
   operator's log; nothing more happens.

Authlib makes the requests, the house's HTTP client carries them, joserfc reads the token.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from hub.protocol.console_policy import OidcPolicy
from hub.services.start_errors import StartError
from keys.errors import KeyFileError
from keys.key_files import read_secret_file

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
"""What an ID token may be signed with: with a key pair, never with a shared secret, never not."""
CALLBACK: Final = "/sign-in/provider/back"
SCOPE: Final = "openid"
ANSWER_BYTES_MAX: Final = 512 * 1024
SECONDS_MAX: Final = 10
LEEWAY_SECONDS: Final = 60
KEPT_FOR: Final = timedelta(hours=1)
ASKED_AGAIN_AFTER: Final = timedelta(seconds=30)
SUBJECT_CHARACTERS_MAX: Final = 255
_VERIFIER_CHARACTERS: Final = 64
_METHODS: Final = ("client_secret_basic", "client_secret_post")


class ProviderError(Exception):
    """The provider, or what came back from it, is not as it must be; for the log, not for pages."""


@dataclass(frozen=True, slots=True)
class Departure:
    """The address a browser is sent to, and what must be remembered until it is back."""

    address: str
    callback: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider publishes about itself."""

    authorization: str
    token: str
    keys: str
    client_auth: str
    says_issuer: bool


class Provider:
    """The provider of a console. Methods are asynchronous and raise ProviderError."""

    def __init__(self, policy: OidcPolicy, clock: Callable[[], datetime]) -> None:
        self.policy = policy
        self._clock = clock
        self._secret = _secret_of(policy)
        self._metadata: Metadata | None = None
        self._metadata_at: datetime | None = None
        self._keys: KeySet | None = None
        self._keys_at: datetime | None = None

    async def departure(self, origin: str) -> Departure:
        """Return where to send a browser that reached the console at an address."""
        metadata = await self._known()
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(_VERIFIER_CHARACTERS)[:_VERIFIER_CHARACTERS]
        callback = origin.rstrip("/") + CALLBACK
        client = OAuth2Client(
            session=None,
            client_id=self.policy.client_id,
            redirect_uri=callback,
            scope=SCOPE,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            metadata.authorization, state=state, code_verifier=verifier, nonce=nonce
        )
        return Departure(address, callback, state, nonce, verifier)

    async def subject(self, query: Mapping[str, str], departure: Departure) -> str:
        """Return who came back, as the provider calls them."""
        metadata = await self._known()
        if not secrets.compare_digest(
            query.get("state", "").encode("utf-8", "replace"), departure.state.encode()
        ):
            raise ProviderError("the state is not the one this browser was sent with")
        said = query.get("iss")
        if (said is not None or metadata.says_issuer) and said != self.policy.issuer:
            raise ProviderError(
                f"the answer is of {str(said)[:100]!r}, not of {self.policy.issuer}"
            )
        if "error" in query:
            raise ProviderError(f"the provider says {query['error'][:100]!r}")
        code = query.get("code", "")
        if not code:
            raise ProviderError("the provider sent no code")
        answer = await self._token(metadata, code, departure)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider gave no ID token")
        return await self._subject_of(metadata, token, departure.nonce)

    # --- the token -------------------------------------------------------------------------------

    async def _token(self, metadata: Metadata, code: str, departure: Departure) -> dict[str, Any]:
        """Exchange the code for tokens."""
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=departure.callback,
            code_verifier=departure.verifier,
            **({} if self._secret else {"client_id": self.policy.client_id}),
        )
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        auth = ClientAuth(
            self.policy.client_id, self._secret, metadata.client_auth if self._secret else "none"
        )
        to, headers, body = auth.prepare("POST", metadata.token, headers, body)
        return await self._fetch(to, "token", data=body, headers=headers)

    async def _subject_of(self, metadata: Metadata, token: str, nonce: str) -> str:
        """Return the subject of an ID token that counts."""
        try:
            try:
                read = jwt.decode(token, await self._key_set(metadata), list(ALGORITHMS))
            except (InvalidKeyIdError, ValueError):
                # The provider may have new keys; it is not asked for them at every bad token.
                keys = await self._key_set(metadata, anew=True)
                read = jwt.decode(token, keys, list(ALGORITHMS))
            JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.policy.issuer},
                aud={"essential": True, "value": self.policy.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(read.claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ProviderError(f"the ID token does not count: {error}") from error
        claims = read.claims
        audience, party = claims["aud"], claims.get("azp")
        is_for_many = isinstance(audience, list) and len(audience) > 1
        if (is_for_many or party is not None) and party != self.policy.client_id:
            raise ProviderError("the ID token was made for another client (azp)")
        subject = claims["sub"]
        if not 1 <= len(subject) <= SUBJECT_CHARACTERS_MAX or not subject.isprintable():
            raise ProviderError("the subject of the ID token is no possible one")
        return str(subject)

    # --- what the provider publishes -------------------------------------------------------------

    async def _known(self) -> Metadata:
        now = self._clock()
        at = self._metadata_at
        if self._metadata is not None and at is not None and now - at < KEPT_FOR:
            return self._metadata
        where = self.policy.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._fetch(where, "metadata")
        if document.get("issuer") != self.policy.issuer:
            raise ProviderError(
                f"{where} is of {str(document.get('issuer'))[:100]!r}, and oidc.issuer is "
                f"{self.policy.issuer!r}: they must be the same, character by character"
            )
        auth = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        chosen = next((one for one in _METHODS if one in auth), None)
        if chosen is None and self._secret:
            raise ProviderError(f"the provider takes a client's secret by none of {_METHODS}")
        self._metadata = Metadata(
            authorization=_endpoint(document, "authorization_endpoint"),
            token=_endpoint(document, "token_endpoint"),
            keys=_endpoint(document, "jwks_uri"),
            client_auth=chosen or "none",
            says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )
        self._metadata_at = now
        return self._metadata

    async def _key_set(self, metadata: Metadata, *, anew: bool = False) -> KeySet:
        now, at = self._clock(), self._keys_at
        patience = ASKED_AGAIN_AFTER if anew else KEPT_FOR
        if self._keys is not None and at is not None and now - at < patience:
            return self._keys
        document = await self._fetch(metadata.keys, "keys")
        keys = [one for one in document.get("keys") or [] if _is_for_signatures(one)]
        self._keys = KeySet.import_key_set({"keys": keys})
        self._keys_at = now
        return self._keys

    async def _fetch(self, url: str, what: str, **asked: Any) -> dict[str, Any]:
        """Return the JSON object at an address; follows nowhere else, reads only so much."""
        method = "POST" if asked else "GET"
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=SECONDS_MAX), trust_env=False
                ) as session,
                session.request(method, url, allow_redirects=False, **asked) as response,
            ):
                text = await _bounded(response, what)
                if response.status != 200:
                    raise ProviderError(f"{what}: the provider answers {response.status}")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderError(f"{what}: {url} does not answer: {error!r}") from error
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{what}: {url} answers no JSON") from error
        if not isinstance(document, dict):
            raise ProviderError(f"{what}: {url} answers no JSON object")
        return document


async def _bounded(response: aiohttp.ClientResponse, what: str) -> bytes:
    read = bytearray()
    async for part in response.content.iter_chunked(16_384):
        read += part
        if len(read) > ANSWER_BYTES_MAX:
            raise ProviderError(f"{what}: the provider answers more than {ANSWER_BYTES_MAX} bytes")
    return bytes(read)


def _endpoint(document: Mapping[str, Any], name: str) -> str:
    """Return an address of the metadata: protected, or on this machine."""
    value = document.get(name)
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or not parts.hostname:
        raise ProviderError(f"the provider's metadata have no {name}")
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise ProviderError(f"the provider's {name} is unprotected")
    assert isinstance(value, str), "it has parts"
    return value


def _is_for_signatures(key: Any) -> bool:
    return isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") != "oct"


def _secret_of(policy: OidcPolicy) -> str | None:
    """Return the client's secret. Raises StartError."""
    if policy.client_secret_file is None:
        return None
    try:
        secret = read_secret_file(Path(policy.client_secret_file)).decode().strip()
    except (KeyFileError, UnicodeDecodeError) as error:
        raise StartError(f"console.oidc.client_secret_file cannot be used: {error}") from error
    if not secret:
        raise StartError(f"console.oidc.client_secret_file: {policy.client_secret_file} is empty")
    return secret
