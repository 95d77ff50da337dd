"""Where a connector's log goes, and what is left out of it."""

import subprocess
import sys

from connectors.session.transport import Problem

SPEAKER = """
import structlog
from connectors.session.logs import log_to_standard_error
log_to_standard_error("message.refused")
structlog.get_logger().warning("message.refused", reference="XMR01-1")
structlog.get_logger().warning("envelope.postponed", envelope_id="01a2")
"""


def test_events_that_a_report_counts_are_left_out_of_the_log() -> None:
    """A feed with a million refused lines leaves its progress readable; other events are told."""
    done = subprocess.run([sys.executable, "-c", SPEAKER], check=True, capture_output=True)
    assert done.stdout == b""
    assert b"envelope.postponed" in done.stderr
    assert b"message.refused" not in done.stderr


def test_a_problem_is_told_in_whole_sentences() -> None:
    """What the hub says ends before its remedy begins, whether or not it set a full stop."""
    told = [
        str(Problem(415, 1003, "MEDIA_TYPE_NOT_SUPPORTED", detail, "Send JSON."))
        for detail in ("it takes no XML", "It takes no XML.", "")
    ]
    assert [text.partition(": ")[2] for text in told] == [
        "it takes no XML. Send JSON.",
        "It takes no XML. Send JSON.",
        " Send JSON.",
    ]
