"""What every test shares: one printed seed for the run, and Hypothesis set up to repeat failures.

The seed is drawn once, or given with ``--hypothesis-seed``. Hypothesis and the simulated worlds
(fixture ``run_seed``) both start from it, so the number in the header repeats the whole run.
"""

import random

import pytest
from hypothesis import HealthCheck, settings

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
    """Choose the seed before Hypothesis reads its options; workers inherit it."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(random.SystemRandom().getrandbits(SEED_BITS))


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, as the option that repeats it."""
    return f"seed: --hypothesis-seed={config.option.hypothesis_seed}"


@pytest.fixture
def run_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this run, for tests that make up a world."""
    return int(request.config.option.hypothesis_seed)
