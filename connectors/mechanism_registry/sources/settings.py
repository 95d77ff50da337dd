"""The section ``[source]`` of the settings: a feed that is fetched page by page over HTTP.

[source]
url = "https://registry.example/feed"    # or, alone: source = "https://registry.example/feed"
token = "env:FEED_TOKEN"                 # or file:PATH
format = "jsonl"                         # jsonl, csv, xml
"""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.mechanism_registry.feeds.lines import FeedFormat
from keys.key_uris import counted_from

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OUR_PARAMETERS = frozenset({"after", "limit"})


class SourceSettings(BaseModel):
    """Where pages come from, and how; limits carry their unit last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "source"
    """Under this name the cursor is kept; another name begins from the beginning."""
    format: FeedFormat = FeedFormat.JSON_LINES
    token: str | None = None
    pages: Path = Path("pages")
    """The folder of the pages fetched."""
    keep_pages: bool = False
    """Whether pages stay when all their lines are with the hub."""
    page_lines: int = Field(5_000, ge=1, le=100_000)
    page_bytes_max: int = Field(32 * 1024 * 1024, ge=1_024)
    poll_seconds: float = Field(30.0, gt=0)
    """Between the end of what there is and the next look."""
    request_seconds_max: float = Field(60.0, gt=0)
    attempts_max: int = Field(6, ge=1)
    """So often one page is asked for before a run gives up."""
    retry_delay_seconds_min: float = Field(1.0, gt=0)
    retry_delay_seconds_max: float = Field(60.0, gt=0)

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        """A token must not travel in the clear, and our parameters are ours."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an https:// address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must be https://; http is for loopback only")
        if parts.username is not None or parts.fragment:
            raise ValueError("must hold neither a user name nor a fragment; use token")
        if OUR_PARAMETERS & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
            raise ValueError("must not hold after or limit; these change from page to page")
        return url

    def counted_from(self, folder: Path) -> Self:
        """Return the settings with file names that count from a folder."""
        token = None if self.token is None else counted_from(self.token, folder)
        return self.model_copy(update={"pages": folder / self.pages, "token": token})
