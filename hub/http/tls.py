"""The server's TLS: 1.3 and nothing older, client certificates where they are asked for."""

import ssl
from pathlib import Path

from hub.services.start_errors import StartError


def server_context(
    certificate: Path | None, key: Path | None, client_ca: Path | None
) -> ssl.SSLContext | None:
    """Return the context of PEM files; None without a certificate (plain HTTP).

    Raises StartError when a file does not hold what it should.
    """
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        files = (certificate, key, client_ca)
        named = ", ".join(str(path) for path in files if path is not None)
        raise StartError(f"TLS cannot be set up with {named}: {error}") from error
    return context
