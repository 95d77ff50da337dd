"""Write an anchor: whom a reader of evidence may trust, if he trusts who gave it to him."""

import base64
import json
from collections.abc import Mapping

from hub.evidence.anchors import ANCHOR_FORMAT


def write(
    policy: bytes, hub_keys: Mapping[str, bytes], participant_keys: Mapping[str, bytes]
) -> bytes:
    """Return an itmo-anchor/1 document of a tlog-policy and public keys (DER) by key id."""
    document = {
        "format": ANCHOR_FORMAT,
        "policy": policy.decode("utf-8", "surrogateescape"),
        "hub_keys": _pins(hub_keys),
        "participant_keys": _pins(participant_keys),
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _pins(keys: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [
        {"key_id": key_id, "public_key": base64.b64encode(der).decode("ascii")}
        for key_id, der in sorted(keys.items())
    ]
