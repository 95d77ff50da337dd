"""The section ``[views]`` of the settings: where the answers of pull and view come from.

[views]
url = "https://registry.example/view"    # its HTTP interface (views.py), or exports:
token = "env:VIEWS_TOKEN"                # or file:PATH
holdings = "holdings.jsonl"
history = "history.csv"
"""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keys.key_uris import counted_from


class ViewSettings(BaseModel):
    """Either ``url``, or ``holdings`` and ``history``; limits carry their unit last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    token: str | None = None
    holdings: Path | None = None
    history: Path | None = None
    items_max: int = Field(500, ge=1, le=1000)
    """At most so many rows in an answer, whatever is asked."""
    request_seconds_max: float = Field(20.0, gt=0)
    retry_delay_seconds_min: float = Field(1.0, gt=0)
    retry_delay_seconds_max: float = Field(300.0, gt=0)
    give_up_seconds: float = Field(3600.0, gt=0)
    """After so long without the books, the asker is told that there is no answer."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exports = self.holdings is not None or self.history is not None
        if (self.url is not None) == exports:
            raise ValueError("give url, or the exports holdings and history")
        if self.token is not None and self.url is None:
            raise ValueError("token goes with url")
        return self

    def counted_from(self, folder: Path) -> Self:
        """Return the settings with file names that count from a folder."""
        updates: dict[str, Any] = {
            name: folder / path
            for name in ("holdings", "history")
            if (path := getattr(self, name)) is not None
        }
        if self.token is not None:
            updates["token"] = counted_from(self.token, folder)
        return self.model_copy(update=updates)
