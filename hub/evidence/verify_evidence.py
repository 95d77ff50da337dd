"""Verify the evidence of one transfer, offline: ``verify_evidence.py FILE --trust ANCHOR``.

Needs Python 3.11 or newer and the library `cryptography` (one that knows ML-DSA), nothing else.
FILE is a bundle; ANCHOR says whom you trust: a C2SP tlog-policy, or an itmo-anchor/1 document.

Prints a line for each thing that is PROVED, NOT PROVED or FAILED, and a verdict. Exit status:
0 proved (what is missing is said), 1 something is false, 2 the file or the anchor is unusable.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.evidence.archives import UnusableError
from hub.evidence.verification import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a file named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", help="the bundle")
    parser.add_argument("--trust", required=True, help="the anchor: a policy or itmo-anchor/1")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    try:
        bundle, anchor = Path(given.file).read_bytes(), Path(given.trust).read_bytes()
    except OSError as error:
        print(f"UNUSABLE: {error}", file=sys.stderr)
        return 2
    return tell(bundle, anchor, as_json=given.json)


def tell(bundle: bytes, anchor: bytes, *, as_json: bool) -> int:
    """Verify a bundle by an anchor, print what was found, and return the exit status."""
    try:
        report = verify(bundle, anchor)
    except UnusableError as error:
        print(f"UNUSABLE: {error}", file=sys.stderr)
        return 2
    shown = json.dumps(report.document(), indent=2, ensure_ascii=False)
    print(shown if as_json else "\n".join(report.lines()))
    return 1 if report.verdict == "failed" else 0


if __name__ == "__main__":
    sys.exit(main())
