"""What an operator sets, in one TOML file. No secret stands in it: keys are named by URI.

    participant = "THA01"
    database = "registry.sqlite"

    reconciliation_secret = "link-secret"    # the secret of the link, for comparing books

    [hub]
    url = "https://hub.example"
    key_documents = ["XHB01.key.json"]       # handed over by hand: the anchor of all trust
    binding = "json"                         # or "xml", signed with one ES256 key

    [keys]
    uris = ["file:THA01.pem?passphrase-env=THA01_PASSPHRASE"]

    [delivery]
    mode = "pull"                            # or "push", with listen = "0.0.0.0:9443"

    [api]
    listen = "127.0.0.1:8601"                # loopback only
    token_file = "api-token"

    [log]                                    # the hub's transparency log; these are the defaults
    log_seconds = 10
    log_audit_at = "02:15"

    [witness]                                # only if we cosign it
    witness_signer = "file:witness.key?passphrase-env=WITNESS_PASSPHRASE"

Relative file names count from the folder of the TOML file.
"""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connectors.party_registry.policy import AcceptancePolicy
from connectors.session.settings import HUB, FileSettings, SessionSettings
from hub.protocol.signed_objects import Binding

__all__ = ["ConfigError", "RegistryConfig", "load_config", "split_address"]

Code = Annotated[str, Field(pattern=r"^[A-Z]{3}\d{2}$")]


class ConfigError(Exception):
    """The settings file is missing or wrong; the text names file and field."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSection(_Section):
    """Where the hub is, its public key documents, and the binding in which we write to it."""

    url: str
    code: Code = HUB
    key_documents: tuple[Path, ...] = Field(min_length=1)
    binding: Binding = Binding.JSON


class KeysSection(_Section):
    """The private keys by URI: one, or two for a hybrid suite."""

    uris: tuple[str, ...] = Field(min_length=1, max_length=2)


class DeliverySection(_Section):
    """How deliveries come: fetched, or pushed to an address that the hub can reach."""

    mode: Literal["pull", "push"] = "pull"
    listen: str = "127.0.0.1:8611"
    path: str = "/deliveries"
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None


class ApiSection(_Section):
    """The local API, on loopback only."""

    listen: str = "127.0.0.1:8601"
    token_file: Path = Path("api-token")

    @field_validator("listen")
    @classmethod
    def _loopback(cls, value: str) -> str:
        host, _ = split_address(value)
        if host != "localhost" and not ip_address(host).is_loopback:
            raise ValueError("the local API listens on a loopback address only")
        return value


class AcceptanceSection(_Section):
    """What to answer to proposals."""

    mode: Literal["auto", "ask"] = "ask"
    trusted: tuple[Code, ...] = ()
    auto_quantity_max: int | None = Field(None, ge=1)


class WebhookSection(_Section):
    """Where events go, and the file with the secret that signs them."""

    url: str
    secret_file: Path
    request_seconds_max: float = Field(10.0, gt=0)


class LogSection(_Section):
    """How the hub's transparency log is watched; see `connectors.session.settings`."""

    log_seconds: float = Field(10.0, ge=0)
    log_stale_seconds: float = Field(60.0, gt=0)
    log_proofs_per_round_max: int = Field(32, ge=1)
    log_audit_at: str = Field("02:15", pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d$")


class WitnessSection(_Section):
    """The witness of the hub's log: keys of its own, by URI, and where add-checkpoint is served.

    Deliveries by push: beside their address. By pull: at `listen`, or, without it, nowhere: then
    our cosignatures are handed to the hub after each look.
    """

    witness_signer: str
    witness_settlement_signer: str | None = None
    witness_name: str | None = None
    path: str = Field("/witness", pattern=r"^(/[A-Za-z0-9._-]+)+$")
    listen: str | None = None


class LimitsSection(_Section):
    """Limits of the session; see `connectors.session.settings`."""

    messages_per_envelope_max: int = Field(500, ge=1, le=500)
    in_flight_per_recipient_max: int = Field(1, ge=1, le=64)
    retry_delay_seconds_min: float = Field(1.0, gt=0)
    retry_delay_seconds_max: float = Field(3600.0, gt=0)
    fetch_wait_seconds: int = Field(25, ge=0, le=30)


class RegistryConfig(FileSettings):
    """The settings of a Party registry connector."""

    participant: Code
    database: Path = Path("registry.sqlite")
    book: bool = True
    """Whether this process keeps the registry's book; without, it only connects one."""
    reconciliation_secret: Path | None = None
    """The secret of our link with the hub; without one no digests of the book are told."""
    reconciliation_by_api: bool = False
    """Without a book: the registry behind the local API answers the hub's questions itself."""
    hub: HubSection
    keys: KeysSection
    delivery: DeliverySection = DeliverySection()
    api: ApiSection = ApiSection()
    acceptance: AcceptanceSection = AcceptanceSection()
    webhooks: WebhookSection | None = None
    limits: LimitsSection = LimitsSection()
    log: LogSection = LogSection()
    witness: WitnessSection | None = None

    @field_validator("keys")
    @classmethod
    def _keys_of_the_binding(cls, keys: KeysSection, info: ValidationInfo) -> KeysSection:
        hub = info.data.get("hub")
        if hub is not None and hub.binding is Binding.XML and len(keys.uris) != 1:
            raise ValueError(
                f'[hub] binding = "xml" is signed with one ES256 key, and {len(keys.uris)} are '
                'named: name that one alone, or write binding = "json"'
            )
        return keys

    @model_validator(mode="after")
    def _one_answers(self) -> RegistryConfig:
        if self.book and self.reconciliation_by_api:
            raise ValueError(
                "reconciliation_by_api is for registries with their own book: "
                "write book = false, or leave it out"
            )
        return self

    def session_settings(self) -> SessionSettings:
        """Return the settings of the session."""
        return SessionSettings(
            participant=self.participant,
            hub=self.hub.code,
            hub_url=self.hub.url,
            binding=self.hub.binding,
            delivery_mode=self.delivery.mode,
            **self.limits.model_dump(),
            **self.log.model_dump(),
        )

    def policy(self) -> AcceptancePolicy:
        """Return the acceptance policy."""
        return AcceptancePolicy(
            mode=self.acceptance.mode,
            trusted=frozenset(self.acceptance.trusted),
            auto_quantity_max=self.acceptance.auto_quantity_max,
        )


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port`. Raises ValueError for another form."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port")
    return host.strip("[]"), int(port)


def load_config(path: Path) -> RegistryConfig:
    """Return the settings in a TOML file, with file names made absolute.

    Raises:
        ConfigError: the file cannot be read or a field is wrong.
    """
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        config = RegistryConfig(**document)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None
    return _absolute(config, path.resolve().parent)


def _absolute(config: RegistryConfig, folder: Path) -> RegistryConfig:
    documents = tuple(folder / name for name in config.hub.key_documents)
    uris = tuple(_absolute_uri(uri, folder) for uri in config.keys.uris)
    updates: dict[str, Any] = {
        "database": folder / config.database,
        "hub": config.hub.model_copy(update={"key_documents": documents}),
        "keys": KeysSection(uris=uris),
        "api": config.api.model_copy(update={"token_file": folder / config.api.token_file}),
    }
    if config.witness is not None:
        signers = {
            name: _absolute_uri(uri, folder)
            for name in ("witness_signer", "witness_settlement_signer")
            if (uri := getattr(config.witness, name)) is not None
        }
        updates["witness"] = config.witness.model_copy(update=signers)
    if config.reconciliation_secret is not None:
        updates["reconciliation_secret"] = folder / config.reconciliation_secret
    if config.webhooks is not None:
        secret = folder / config.webhooks.secret_file
        updates["webhooks"] = config.webhooks.model_copy(update={"secret_file": secret})
    delivery = {
        name: folder / value
        for name in ("certificate_file", "certificate_key_file")
        if (value := getattr(config.delivery, name)) is not None
    }
    updates["delivery"] = config.delivery.model_copy(update=delivery)
    return config.model_copy(update=updates)


def _absolute_uri(uri: str, folder: Path) -> str:
    """Let a `file:` URI count from the folder of the settings; other URIs stay."""
    scheme, _, rest = uri.partition(":")
    if scheme != "file" or rest.startswith("/"):
        return uri
    return f"file:{folder / rest}"
