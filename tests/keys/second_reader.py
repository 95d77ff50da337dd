"""What the verifier of evidence makes of a signed document: it reads XML without libxml2.

The tests that attack ``keys.xml_signatures`` ask it about each document: the two must agree.
"""

from hub.evidence.archives import RefutedError
from hub.evidence.signatures import check_signature
from hub.evidence.xml_documents import canonical
from hub.evidence.xml_signatures import open_signed_xml
from keys.signer import Signer


def second_opinion(raw: bytes, root_name: str, signer: Signer) -> bytes | None:
    """Return the canonical content that the signer signed, None if it did not."""
    namespace, _, local = root_name.lstrip("{").partition("}")
    try:
        element, (algorithm, key_id, signed, signature) = open_signed_xml(raw, namespace, local)
        if key_id != signer.key_id:
            return None
        check_signature(signer.public_key_der, algorithm, signed, signature)
    except RefutedError:
        return None
    return canonical(element)
