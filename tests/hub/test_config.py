"""Settings: option before environment before file before default; wrong ones named; frozen."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.config import Settings, SettingsFileError, load


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """Return a settings file that sets three ports' worth of things."""
    path = tmp_path / "hub.toml"
    path.write_text(
        'port = 1111\nhost = "0.0.0.0"\nsigners = ["env:A"]\n'
        "[limits]\nmessages_per_envelope_max = 7\n[policy]\nrespond_by_seconds_default = 60\n"
    )
    return path


def test_an_option_wins_over_environment_file_and_default(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source gives way to the one before it."""
    assert load().port == 8470
    assert load(toml).port == 1111
    monkeypatch.setenv("ITMO_HUB_PORT", "2222")
    assert load(toml).port == 2222
    assert load(toml, port=3333).port == 3333
    assert load(toml, port=None).port == 2222
    assert load(toml).host == "0.0.0.0"


def test_nested_settings_come_from_file_and_environment(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits and policy by name; what is not named keeps its default."""
    monkeypatch.setenv("ITMO_HUB_LIMITS__ENVELOPE_BYTES_MAX", "4096")
    settings = load(toml)
    assert settings.limits.envelope_bytes_max == 4096
    assert settings.limits.messages_per_envelope_max == 7
    assert settings.limits.blocks_per_message_max == 1_000
    assert settings.policy.respond_by_seconds_default == 60
    assert settings.signers == ("env:A",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "high"),
        ("port", 70_000),
        ("port", -1),
        ("host", None),
        ("limits", {"envelope_bytes_max": "lots"}),
        ("limits", {"colour": 1}),
        ("limits", {"delivery_items_max": 0}),
        ("log_level", "chatty"),
        ("colour", "blue"),
        ("batch_envelopes_max", 0),
        ("queue_envelopes_max", 0),
        ("hub_code", "hub"),
        ("push_timeout_seconds", 0),
        ("console", {"url": "ftp://hub.example"}),
        ("console", {"url": "https://hub.example/console"}),
        ("console", {"url": "https://user@hub.example"}),
        ("console", {"url": "https://hub.example:99999"}),
        ("console", {"url": "http://hub.example"}),
        ("console", {"host": "0.0.0.0"}),
        ("console", {"port": 70_000}),
        ("console", {"session_idle_seconds": 0}),
        ("console", {"session_idle_seconds": 60, "session_seconds_max": 59}),
        ("console", {"second_factor": "never"}),
        ("console", {"trusted_proxies": ("proxy",)}),
        ("console", {"oidc": {"issuer": "http://idp.example", "client_id": "hub"}}),
        ("console", {"oidc": {"issuer": "https://idp.example", "client_id": ""}}),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: object) -> None:
    """Not at the first envelope but at the start."""
    with pytest.raises(ValidationError) as refused:
        Settings(**{name: value})  # type: ignore[arg-type]  # wrong on purpose
    assert name in str(refused.value)


def test_settings_do_not_change_while_the_hub_runs() -> None:
    """They are frozen, all the way down."""
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]  # that it is refused is what we test
    with pytest.raises(AttributeError):
        settings.limits.json_depth_max = 1  # type: ignore[misc]  # likewise


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """With the place where it goes wrong."""
    for content in (b"port = = 1", b"\xff\xfe"):
        (tmp_path / "broken.toml").write_bytes(content)
        with pytest.raises(SettingsFileError, match=r"broken\.toml is not TOML"):
            load(tmp_path / "broken.toml")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A misspelt path does not silently mean the defaults."""
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        load(tmp_path / "none.toml")
