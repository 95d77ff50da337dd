"""Where the lines of a connector's log go: to standard error, so that output stays the result."""

from __future__ import annotations

import sys

import structlog

__all__ = ["log_to_standard_error"]


def log_to_standard_error() -> None:
    """Send every line of every logger there, unless logging was set up before."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
