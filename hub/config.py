"""The hub's settings: read once at the start, checked, frozen.

A setting comes from, in this order: a command-line option, an environment variable
(``ITMO_HUB_DATABASE_URL``), the TOML file named by ``--config`` (or ``ITMO_HUB_CONFIG``), the
default.
Nested settings use two underscores: ``ITMO_HUB_LIMITS__ENVELOPE_BYTES_MAX``. Secrets never stand in
a setting: keys are named by URI, passphrases by the name of a variable or file.
"""

import ipaddress
import re
import tomllib
from datetime import UTC, time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, FilePath, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hub.checks.facts import Policy
from hub.protocol.console_policy import ConsolePolicy
from hub.protocol.limits import Limits
from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.protocol.retry_schedule import RetrySchedule

Port = Annotated[int, Field(ge=0, le=65_535)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}[0-9]{2}$")]
LogOrigin = Annotated[str, Field(pattern=r"^[!-*,-~]{1,200}$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class SettingsFileError(ValueError):
    """The settings file cannot be read as TOML."""


class Settings(BaseSettings):
    """Everything an operator may set. Quantities are units, times end with their unit."""

    model_config = SettingsConfigDict(
        env_prefix="ITMO_HUB_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    database_url: str = Field("sqlite:///itmo-hub.db", description="SQLite file or PostgreSQL URL")
    host: str = Field("127.0.0.1", description="address the door listens on")
    port: Port = Field(8470, description="port the door listens on; 0 takes a free one")
    metrics_port: Port | None = Field(None, description="operator's port for /metrics; none: off")
    hub_code: Code = "XHB01"
    international_registry_code: Code = "XIR01"
    mechanism_registry_code: Code = "XMR01"
    signers: tuple[str, ...] = Field((), description="URIs of the hub's keys (two: hybrid)")
    xml_signer: str | None = Field(
        None, description="URI of the hub's ES256 key for XML; none: a lone ES256 key in `signers`"
    )
    tls_certificate: FilePath | None = Field(None, description="PEM certificate chain for TLS 1.3")
    tls_key: FilePath | None = None
    tls_client_ca: FilePath | None = Field(None, description="PEM: ask participants for them too")
    allow_http_endpoints: bool = Field(False, description="push to http:// endpoints (loopback)")
    limits: Limits = Limits()
    policy: Policy = Policy()
    retry: RetrySchedule = RetrySchedule()
    reconciliation: ReconciliationPolicy = ReconciliationPolicy()
    console: ConsolePolicy = ConsolePolicy()
    batch_envelopes_max: PositiveInt = Field(256, description="envelopes that share one commit")
    queue_envelopes_max: PositiveInt = Field(2_000, description="envelopes waiting before 503")
    queue_bytes_max: PositiveInt = Field(268_435_456, description="bytes waiting before 503")
    request_seconds_max: PositiveFloat = Field(30.0, description="time for a body to arrive")
    idle_seconds_max: PositiveFloat = Field(75.0, description="time without a request")
    push_timeout_seconds: PositiveFloat = 30.0
    delivery_poll_seconds: PositiveFloat = Field(0.25, description="look for others' work")
    expiry_sweep_seconds: PositiveFloat = 1.0
    log_origin: LogOrigin | None = Field(
        None, description="name of the transparency log; none: itmo-hub.invalid/<hub code>"
    )
    log_signer: str | None = Field(
        None, description="URI of the log's Ed25519 key; none: the hub's first Ed25519 key"
    )
    log_settlement_signer: str | None = Field(
        None, description="URI of an ML-DSA-44 key that signs the settlement too"
    )
    checkpoint_seconds: PositiveFloat = Field(1.0, description="time between checkpoints")
    settlement_at: TimeOfDay = Field("00:10", description="time of the settlement, UTC")
    witness_policy: FilePath | None = Field(
        None, description="C2SP tlog-policy file: witnesses and the prompt quorum"
    )
    settlement_policy: FilePath | None = Field(
        None, description="C2SP tlog-policy file: the quorum of settlements"
    )
    witness_seconds: PositiveFloat = Field(10.0, description="time between questions to witnesses")
    witness_halt_count: PositiveInt | None = Field(
        None,
        description="witnesses that must contradict the log to halt it; none: 2, or the only one",
    )
    proposal_seconds_max: PositiveInt = Field(604_800, description="time to approve an act")
    retention_days: Annotated[int, Field(ge=7)] | None = Field(
        None, description="days after which bodies are erased (at least 7); none: kept for ever"
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"

    @property
    def origin(self) -> str:
        """The name of the transparency log: as set, or made of the hub's code."""
        return self.log_origin or f"itmo-hub.invalid/{self.hub_code.lower()}"

    @property
    def settlement_time(self) -> time:
        """The time of day of the settlement, UTC."""
        return time.fromisoformat(self.settlement_at).replace(tzinfo=UTC)

    @field_validator("limits")
    @classmethod
    def _nothing_is_limited_to_nothing(cls, limits: Limits) -> Limits:
        """Refuse a limit of zero: nothing could pass."""
        for name, value in limits.document().items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1")
        return limits

    @field_validator("reconciliation")
    @classmethod
    def _nights_can_be_run(cls, policy: ReconciliationPolicy) -> ReconciliationPolicy:
        """Refuse a time that is none, and numbers with which no session could end."""
        if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", policy.at) is None:
            raise ValueError(f"at: {policy.at!r} is not a time of day such as 01:30")
        for name in ("open_sessions_max", "answer_seconds", "due_days"):
            if getattr(policy, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("stagger_seconds", "movements_between", "alert_units_min"):
            if getattr(policy, name) < 0:
                raise ValueError(f"{name} must not be negative")
        return policy

    @field_validator("console")
    @classmethod
    def _people_can_sign_in(cls, policy: ConsolePolicy) -> ConsolePolicy:
        """Refuse addresses that are none, passwords in the clear, and sessions without time."""
        _require_address("url", policy.url, path=False)
        if policy.url.startswith("http:") and not _is_loopback(policy.host):
            raise ValueError(
                f"host: {policy.host} is reached from elsewhere, and {policy.url} would send "
                "passwords in the clear: put a TLS proxy before it and set its https:// address"
            )
        if not 0 <= policy.port <= 65_535:
            raise ValueError("port must be 0 to 65535")
        if not 0 < policy.session_idle_seconds <= policy.session_seconds_max:
            raise ValueError("session_idle_seconds must be 1 to session_seconds_max")
        if policy.oidc is not None:
            _require_address("oidc.issuer", policy.oidc.issuer, path=True)
            if not policy.oidc.client_id or not policy.oidc.name:
                raise ValueError("oidc.client_id and oidc.name must not be empty")
        for proxy in policy.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"trusted_proxies: {error}") from error
        return policy

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the TOML file after the environment."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def _require_address(name: str, url: str, *, path: bool) -> None:
    """Raise ValueError unless a URL is https, or http to this machine, and has nothing else."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or re.search(r"[^!-~]", url):
        raise ValueError(f"{name}: {url!r} is not an address such as https://console.example")
    if parts.username is not None or parts.query or parts.fragment or (parts.path and not path):
        raise ValueError(f"{name}: {url!r} must be an address without anything behind the host")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"{name}: {url} is unprotected; http:// is for this machine alone")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(config: Path | None = None, **options: Any) -> Settings:
    """Return the settings of a start: options given override file and environment.

    Raises pydantic.ValidationError naming each wrong setting, FileNotFoundError, SettingsFileError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if config is None:
        return Settings(**given)
    if not config.is_file():
        raise FileNotFoundError(f"no settings file {config}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsFileError(f"{config} is not TOML: {error}") from error
