"""What a session is told before it starts: who we are, where the hub is, and every limit.

Nothing in here is secret: keys are opened elsewhere, by URI. The programs around a session read
what an operator sets from one file, as `FileSettings`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hub.protocol.signed_objects import Binding

__all__ = ["HUB", "FileSettings", "SessionSettings"]

HUB: Final = "XHB01"
_TIME_OF_DAY: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The settings of one session. Limits carry their unit last.

    Raises:
        ValueError: a limit is not positive, or the delivery mode is unknown.
    """

    participant: str
    hub_url: str
    hub: str = HUB
    delivery_mode: str = "pull"  # "push": the hub posts to us; "pull": we fetch; "none": send only
    binding: Binding = Binding.JSON  # how we write; what arrives is read in either
    messages_per_envelope_max: int = 500
    envelope_bytes_max: int = 1_048_576
    in_flight_per_recipient_max: int = 1
    answer_bytes_max: int = 4_194_304
    delivery_bytes_max: int = 16_777_216
    retry_delay_seconds_min: float = 1.0
    retry_delay_seconds_max: float = 3600.0
    request_seconds_max: float = 40.0
    fetch_wait_seconds: int = 25
    fetch_items_max: int = 100
    clock_skew_seconds_max: float = 300.0
    participants_age_seconds_max: float = 3600.0
    participants_refresh_seconds_min: float = 1.0
    log_seconds: float = 10.0  # between looks at the hub's transparency log; 0: never
    log_nudge_seconds: float = 1.0  # from a receipt or delivery to the look that proves it
    log_stale_seconds: float = 60.0  # how long a promised entry may lack a checkpoint
    log_proofs_per_round_max: int = 32
    log_audit_at: str = "02:15"  # UTC, once a day; empty: only when asked for

    def __post_init__(self) -> None:
        if self.delivery_mode not in {"push", "pull", "none"}:
            raise ValueError(f"delivery_mode is {self.delivery_mode!r}: push, pull or none")
        if self.in_flight_per_recipient_max < 1 or self.messages_per_envelope_max < 1:
            raise ValueError("an envelope holds a message at least, and one may be in flight")
        if not 0 < self.retry_delay_seconds_min <= self.retry_delay_seconds_max:
            raise ValueError("the retry delays are not in order")
        if self.request_seconds_max <= self.fetch_wait_seconds:
            raise ValueError("request_seconds_max must leave room for fetch_wait_seconds")
        if min(self.log_seconds, self.log_nudge_seconds, self.log_stale_seconds) < 0:
            raise ValueError("log_seconds and the other times of the log are not negative")
        if self.log_proofs_per_round_max < 1:
            raise ValueError("log_proofs_per_round_max is 1 at least")
        if self.log_audit_at and not _TIME_OF_DAY.fullmatch(self.log_audit_at):
            raise ValueError(f"log_audit_at is {self.log_audit_at!r}: HH:MM in UTC, or empty")


class FileSettings(BaseSettings):
    """What an operator sets in one file: every field known, and none changed later."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the file that was named, and nothing of the environment beside it."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
