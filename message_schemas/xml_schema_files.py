"""The XML Schema documents of version 1, as they lie in the package.

One file a message type, notice type and payload, ``common`` for what they share, and
``itmo-exchange``, which includes them all: with it a validator looks into message bodies too.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

ALL: Final = "itmo-exchange"
_VERSION: Final = 1
_SUFFIX: Final = ".xsd"


def _read_texts() -> Mapping[str, bytes]:
    folder = files("message_schemas").joinpath("xml", f"v{_VERSION}")
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return MappingProxyType(
        {
            entry.name.removesuffix(_SUFFIX): entry.read_bytes()
            for entry in found
            if entry.name.endswith(_SUFFIX)
        }
    )


TEXTS: Final[Mapping[str, bytes]] = _read_texts()
"""Name (``transfer.proposal``, ``envelope``, ``common``, ``itmo-exchange`` …) to its bytes."""
