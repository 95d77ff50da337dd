"""Where the lines of a connector's log go: to standard error, so that output stays the result."""

from __future__ import annotations

import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

__all__ = ["log_to_standard_error"]


def log_to_standard_error(*unsaid: str) -> None:
    """Send every line of every logger there, but for these events, unless logging was set up."""

    def say(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if event["event"] in unsaid:
            raise structlog.DropEvent
        return event

    if not structlog.is_configured():
        structlog.configure(
            processors=[say, *structlog.get_config()["processors"]],
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
