"""The hub's settings: read once at the start, checked, frozen.

A setting comes from, in this order: a command-line option, an environment variable
(``ITMO_HUB_DATABASE_URL``), the TOML file named by ``--config`` (or ``ITMO_HUB_CONFIG``), the
default.
Nested settings use two underscores: ``ITMO_HUB_LIMITS__ENVELOPE_BYTES_MAX``. Secrets never stand in
a setting: keys are named by URI, passphrases by the name of a variable or file.
"""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hub.checks.facts import Policy
from hub.protocol.limits import Limits
from hub.protocol.retry_schedule import RetrySchedule


class Settings(BaseSettings):
    """Everything an operator may set. Quantities are units, times end with their unit."""

    model_config = SettingsConfigDict(
        env_prefix="ITMO_HUB_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    database_url: str = Field("sqlite:///itmo-hub.db", description="SQLite file or PostgreSQL URL")
    host: str = Field("127.0.0.1", description="address the door listens on")
    port: int = Field(8470, description="port the door listens on; 0 takes a free one")
    metrics_port: int | None = Field(None, description="operator's port for /metrics; none: off")
    hub_code: str = "XHB01"
    international_registry_code: str = "XIR01"
    mechanism_registry_code: str = "XMR01"
    signers: tuple[str, ...] = Field((), description="URIs of the hub's keys (two: hybrid)")
    tls_certificate: Path | None = Field(None, description="PEM certificate chain for TLS 1.3")
    tls_key: Path | None = None
    tls_client_ca: Path | None = Field(None, description="PEM: ask participants for certificates")
    allow_http_endpoints: bool = Field(False, description="push to http:// endpoints (loopback)")
    limits: Limits = Limits()
    policy: Policy = Policy()
    retry: RetrySchedule = RetrySchedule()
    batch_envelopes_max: int = Field(256, description="envelopes that share one commit")
    queue_envelopes_max: int = Field(2_000, description="envelopes waiting before 503")
    queue_bytes_max: int = Field(268_435_456, description="bytes waiting before 503")
    request_seconds_max: float = Field(30.0, description="time for a request's body to arrive")
    idle_seconds_max: float = Field(75.0, description="time a connection may be without a request")
    push_timeout_seconds: float = 30.0
    delivery_poll_seconds: float = Field(0.25, description="look for work of other hub processes")
    expiry_sweep_seconds: float = 1.0
    log_level: str = "info"

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


def load(config: Path | None = None, **options: Any) -> Settings:
    """Return the settings of a start: options given override file and environment.

    Raises pydantic.ValidationError naming each wrong setting, or FileNotFoundError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if config is None:
        return Settings(**given)
    if not config.is_file():
        raise FileNotFoundError(f"no settings file {config}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FromFile(**given)
