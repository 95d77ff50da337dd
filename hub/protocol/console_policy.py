"""Where people reach the console, how they sign in there, and how long they stay signed in.

All of it are settings of the console (``console`` in the TOML file). Secrets stand in files, named
by their paths; times end with their unit.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class OidcPolicy:
    """The provider people may sign in with instead of a password; it looks after their factors.

    ``issuer`` is its address as its tokens have it, ``name`` what the sign-in page calls it.
    """

    issuer: str
    client_id: str
    client_secret_file: str | None = None
    name: str = "OpenID Connect"


@dataclass(frozen=True, slots=True)
class ConsolePolicy:
    """What the operator decides about the console.

    ``url`` is the address people type, ``host`` and ``port`` where the console listens; they differ
    behind a proxy, and ``trusted_proxies`` are the addresses whose ``X-Forwarded-For`` is believed.
    Browsers make passkeys for names only: ``localhost`` has them, ``127.0.0.1`` has not.
    ``secret`` names the file that seals second factors; without it one is made beside the database.
    ``log_keys`` are public keys of the log (vkeys), where it has one of its own (``log_signer``).
    With ``second_factor`` "required" a password alone opens nothing but one's own set-up.
    """

    url: str = "http://localhost:8480"
    host: str = "127.0.0.1"
    port: int = 8480
    secret: str | None = None
    second_factor: Literal["required", "optional"] = "required"
    session_idle_seconds: int = 3_600
    session_seconds_max: int = 43_200
    oidc: OidcPolicy | None = None
    public_page: bool = True
    trusted_proxies: tuple[str, ...] = ()
    log_keys: tuple[str, ...] = ()
