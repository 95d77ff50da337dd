"""Did anybody we know sign this long document at all? Asked before the whole of it is read.

A megabyte of XML costs two hundred times what its signature does, and whoever may post can send
one without any key. So a long document is looked at from its end first:

1. The signature is the last child of the root: it ends with the last end tag but one, and begins
   with the last start tag of its name. Markup cannot hide from a search for its bytes.
2. It has at most the tags of the one form, so reading it alone costs nothing to speak of.
3. Its canonical SignedInfo needs nothing of what is around it but the namespace of its prefix, so
   the signature over it can be checked now.

A signature seen before passes this with any document. So it proves nothing, and whoever passes is
read and verified as everybody else (`keys.xml_signatures`); who does not pass would not there.
"""

from __future__ import annotations

import re
from typing import Final

from keys.errors import MalformedXmlError, XmlFault
from keys.xml_reading import DEFAULT_LIMITS, declarations_over, read_canonical
from keys.xml_signatures import DSIG_NAMESPACE, XmlClaim, claim_of

__all__ = ["read_claim"]

_END_TAG: Final = re.compile(rb"</((?:[^\s<>:/]+:)?Signature)\s*>")
_PREFIX: Final = re.compile(rb"</?([^\s<>:/=\"']+):")
_TAGS_MAX: Final = 26
"""A start tag and an end tag for each of the thirteen elements."""


def read_claim(raw: bytes) -> XmlClaim:
    """Return who says to have signed a document, and over what; the document is not read.

    Raises:
        MalformedXmlError: there is no signature of the one form at its end.
    """
    block = _signature_in(raw)
    if block.count(b"<") > _TAGS_MAX:
        detail = f"the signature has more than {_TAGS_MAX} tags"
        raise MalformedXmlError(XmlFault.SIGNATURE_FORM, detail)
    # A namespace that is declared outside SignedInfo costs its canonical form the square of them.
    if declarations_over(DEFAULT_LIMITS.namespace_count_max, block):
        detail = f"more than {DEFAULT_LIMITS.namespace_count_max} namespace declarations"
        raise MalformedXmlError(XmlFault.NAMESPACE_COUNT, detail)
    namespace = DSIG_NAMESPACE.encode("ascii")
    prefixes = b"".join(
        b' xmlns:%b="%b"' % (prefix, namespace) for prefix in sorted(set(_PREFIX.findall(block)))
    )
    around = read_canonical(b'<w xmlns="%b"%b>%b</w>' % (namespace, prefixes, block))
    if len(around) != 1:
        raise MalformedXmlError(XmlFault.SIGNATURE_COUNT, "there is no single signature at the end")
    return claim_of(around[0])


def _signature_in(raw: bytes) -> bytes:
    """Return the bytes of the last child element of the root, which must be a signature."""
    last = raw.rfind(b"</", 0, max(raw.rfind(b"</"), 0))
    end = _END_TAG.match(raw, last) if last >= 0 else None
    if end is None:
        detail = "the last child element of the root is no signature"
        raise MalformedXmlError(XmlFault.SIGNATURE_MISSING, detail)
    start = max(
        raw.rfind(b"<" + end[1] + after, 0, last) for after in (b">", b" ", b"\t", b"\r", b"\n")
    )
    if start < 0:
        raise MalformedXmlError(XmlFault.SIGNATURE_MISSING, "a signature ends that never began")
    return raw[start : end.end()]
