"""The JSON Schema documents of version 1, as they lie in the package.

One file a message type, notice type and payload, and ``common`` for what they share. They are
read once, at import; ``TEXTS`` holds the bytes as they are served at ``/v1/schemas/``.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

VERSION: Final = 1
PAYLOADS: Final = ("envelope", "receipt", "delivery")
_SUFFIX: Final = ".schema.json"


def _read_texts() -> Mapping[str, bytes]:
    folder = files("message_schemas").joinpath("json", f"v{VERSION}")
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return MappingProxyType(
        {
            entry.name.removesuffix(_SUFFIX): entry.read_bytes()
            for entry in found
            if entry.name.endswith(_SUFFIX)
        }
    )


TEXTS: Final[Mapping[str, bytes]] = _read_texts()
"""Name (``transfer.proposal``, ``envelope``, ``common`` …) to the document's bytes."""

DOCUMENTS: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {name: json.loads(text) for name, text in TEXTS.items()}
)
"""The same, parsed."""
