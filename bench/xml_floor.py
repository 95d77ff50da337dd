"""The floor for XML: what signxml, a kept library, takes to sign and to verify the same envelope.

signxml takes a public key only in a certificate, so one is made that signs itself. It does less
than the door: no limits, no trust at a time, no reading of values.
"""

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from bench.floor import rate
from tests.integration.peers import now

_EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0


def _certificate(key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "THA01")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def signxml_milliseconds(unsigned: bytes) -> tuple[float, float]:
    """Return the CPU milliseconds to sign, and to parse and verify, one XML document."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, now())
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=_EXCLUSIVE,
    )
    wanted = SignatureConfiguration(
        location="./",
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        default_reference_c14n_method=_EXCLUSIVE,
    )

    def sign() -> bytes:
        return etree.tostring(signer.sign(etree.fromstring(unsigned), key=key, cert=[certificate]))

    signed = sign()

    def verify() -> Any:
        # Schema validation is signxml's own, of the signature; it is on by default and stays on.
        return XMLVerifier().verify(signed, x509_cert=certificate, expect_config=wanted)

    return 1_000 / rate(sign), 1_000 / rate(verify)
