"""What is given to `itmo-hub console` counts before the settings, and is judged like them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.commands.console import with_options
from hub.protocol.console_policy import ConsolePolicy


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8480", "http://localhost:9000"),
        ("http://localhost", "http://localhost:9000"),
        ("https://console.example", "https://console.example"),
    ],
)
def test_another_port_is_in_the_address_unless_a_proxy_stands_before(
    url: str, expected: str
) -> None:
    """People type the proxy's address, wherever the console listens behind it."""
    policy = with_options(ConsolePolicy(url=url), None, 9000, None)
    assert (policy.port, policy.url) == (9000, expected)


def test_passwords_in_the_clear_are_refused_at_the_command_line_too(tmp_path: Path) -> None:
    """Before anything is opened: an address of everybody's without TLS."""
    url = f"sqlite:///{tmp_path}/hub.db"
    done = CliRunner().invoke(app, ["console", "--database", url, "--host", "0.0.0.0"])
    assert done.exit_code != 0
    assert "passwords in the clear" in done.output
    assert list(tmp_path.iterdir()) == []
