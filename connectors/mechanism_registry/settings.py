"""What an operator sets, in one TOML file. No secret stands in it: keys are named by URI.

    participant = "XMR01"
    hub_url = "https://hub.example"
    hub_keys = ["XHB01.key.json"]            # the hub's public key documents, handed over by hand
    signing_keys = ["file:XMR01.pem?passphrase-env=XMR01_PASSPHRASE"]
    database = "mechanism.sqlite"
    binding = "json"                         # or "xml", signed with one ES256 key

    mapping = "a64-export.toml"              # from the source's names to ours, if it needs one

    source = "https://registry.example/feed" # for `mechanism poll`; see source_settings.py

    [shares]
    rounding = "up"                          # up, down or half-even: written nowhere, so a setting

Relative file names count from the folder of the TOML file.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.mechanism_registry.issuances.shares import ShareRounding, ShareRules
from connectors.mechanism_registry.sources.settings import SourceSettings
from connectors.mechanism_registry.views.settings import ViewSettings
from connectors.session.settings import FileSettings, SessionSettings
from hub.protocol.signed_objects import Binding
from keys.key_uris import counted_from

Code = Annotated[str, Field(pattern=r"^[A-Z]{3}\d{2}$")]
Share = Annotated[Decimal, Field(ge=0, lt=1)]


class SettingsError(Exception):
    """The settings file is missing or wrong; the text names file and field."""


class ShareSettings(BaseModel):
    """The shares taken from an issuance (3/CMA.3 a.58-59), as fractions, and their rounding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sop_share: Share = Decimal("0.05")
    omge_share: Share = Decimal("0.02")
    rounding: ShareRounding = ShareRounding.UP

    def rules(self) -> ShareRules:
        """Return the rules as the pure part takes them."""
        return ShareRules(self.sop_share, self.omge_share, self.rounding)


class MechanismSettings(FileSettings):
    """The settings of the mechanism registry's connector."""

    participant: Code = "XMR01"
    hub: Code = "XHB01"
    hub_url: str
    hub_keys: tuple[Path, ...] = Field(min_length=1)
    signing_keys: tuple[str, ...] = Field(min_length=1, max_length=2)
    database: Path = Path("mechanism.sqlite")
    delivery_mode: Literal["pull", "none"] = "pull"
    """Whether the mailbox is fetched while a feed is pushed."""
    binding: Binding = Binding.JSON
    """How we write to the hub, and get deliveries: XML is signed with one ES256 key."""
    mapping: Path | None = None
    """From the source's names to ours; without one a feed has our own."""
    shares: ShareSettings = ShareSettings()
    views: ViewSettings | None = None
    source: SourceSettings | None = None
    """A feed polled over HTTP; an address alone stands for the rest as usual."""
    messages_per_envelope_max: int = Field(500, ge=1, le=500)
    messages_waiting_max: int = Field(4_000, ge=1)
    """How many messages may wait in the outbox before the feed is read on."""
    retry_delay_seconds_min: float = Field(1.0, gt=0)
    retry_delay_seconds_max: float = Field(3600.0, gt=0)

    log_seconds: float = Field(10.0, ge=0)
    """Between looks at the hub's transparency log; 0 means never."""
    log_stale_seconds: float = Field(60.0, gt=0)

    @field_validator("source", mode="before")
    @classmethod
    def _address_alone(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    def session_settings(self) -> SessionSettings:
        """Return the settings of the session that carries the messages."""
        return SessionSettings(
            participant=self.participant,
            hub=self.hub,
            hub_url=self.hub_url,
            delivery_mode=self.delivery_mode,
            binding=self.binding,
            messages_per_envelope_max=self.messages_per_envelope_max,
            retry_delay_seconds_min=self.retry_delay_seconds_min,
            retry_delay_seconds_max=self.retry_delay_seconds_max,
            log_seconds=self.log_seconds,
            log_stale_seconds=self.log_stale_seconds,
            log_audit_at="",  # a run lasts minutes: `mechanism log audit`, by a timer of its own
        )


def load_settings(path: Path) -> MechanismSettings:
    """Return the settings in a TOML file. Raises SettingsError saying what is wrong with it."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = MechanismSettings(**document)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
    folder = path.resolve().parent
    return settings.model_copy(
        update={
            "database": folder / settings.database,
            "mapping": None if settings.mapping is None else folder / settings.mapping,
            "hub_keys": tuple(folder / name for name in settings.hub_keys),
            "signing_keys": tuple(counted_from(uri, folder) for uri in settings.signing_keys),
            "views": settings.views and settings.views.counted_from(folder),
            "source": settings.source and settings.source.counted_from(folder),
        }
    )
