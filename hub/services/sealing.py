"""Seal what the hub says in the binding that the other end reads, and read it again.

A value that XML cannot hold, or no longer a key to sign it with, is our trouble and must not stop
a mailbox or leave an envelope without its receipt: it then leaves in JSON, and the hub's log says
so. A receiver tells the binding by the bytes, not by what it asked for.
"""

from typing import Any, Final

import structlog

from hub.protocol.signed_objects import (
    Binding,
    BindingUnavailableError,
    ObjectKind,
    SigningKeys,
    open_object,
)
from keys.errors import MalformedXmlError
from message_schemas.xml_codec import XmlUnwritableError

log = structlog.get_logger(__name__)

_OWN_DEPTH_MAX: Final = 64
"""What the hub wrote itself is no danger to it; this only has to be deeper than that ever is."""


def seal(keys: SigningKeys, kind: ObjectKind, document: Any, binding: Binding) -> bytes:
    """Return the signed bytes of a value, in JSON if it cannot be in XML. Raises SignerError."""
    try:
        return keys.seal(kind, document, binding)
    except (XmlUnwritableError, MalformedXmlError, BindingUnavailableError) as error:
        if binding is Binding.JSON:
            raise
        log.error("not written in XML, sent in JSON", kind=kind, detail=str(error)[:300])
        return keys.seal(kind, document, Binding.JSON)


def read_own(raw: bytes, kind: ObjectKind) -> dict[str, Any]:
    """Return what the hub once sealed and stored, of either binding, without verifying it."""
    document: dict[str, Any] = open_object(raw, kind).read(depth_max=_OWN_DEPTH_MAX).document
    return document
