"""`registry init`: the settings it writes, the key it makes, and the keys that XML refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors.party_registry.cli import app
from connectors.party_registry.config import ConfigError, load_config
from connectors.party_registry.connector import Connector
from hub.protocol.signed_objects import Binding
from keys.algorithms import Algorithm
from keys.documents import render_document
from keys.key_files import save_encrypted
from keys.possession import verify_possession
from tests.connectors.fake_hub import HUB
from tests.connectors.worlds import XML_LABEL, make_key, make_record

PASSPHRASE = "correct horse battery staple"


class Home:
    """A folder with a key of each kind, where `registry init` is run for THA01."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "registry" / "registry.toml"
        (folder / "hub.json").write_bytes(render_document(make_record(HUB)))
        for label in ("first", XML_LABEL):
            save_encrypted(folder / f"{label}.pem", make_key("THA01", label), PASSPHRASE)

    def key(self, label: str) -> list[str]:
        """Return the option that names a key."""
        return ["--key", f"file:{self.folder}/{label}.pem?passphrase-env=REGISTRY_PASSPHRASE"]

    def init(self, *arguments: str) -> Result:
        """Run the command; return what it did."""
        where = ["--hub-url", "http://hub.invalid", "--hub-key", str(self.folder / "hub.json")]
        where += ["--participant", "THA01", "--folder", str(self.config.parent)]
        return CliRunner().invoke(app, ["init", *where, *arguments])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Keys, and nothing configured yet; nothing asks for a passphrase."""
    monkeypatch.setenv("REGISTRY_PASSPHRASE", PASSPHRASE)
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("binding", "algorithm"), [("json", Algorithm.ED25519), ("xml", Algorithm.ES256)]
)
def test_init_makes_the_key_that_signs_the_binding(
    home: Home, binding: str, algorithm: Algorithm
) -> None:
    """Settings, key and proof in one folder; a connector starts from them; the proof proves."""
    new = ["--new-key-passphrase-env", "REGISTRY_PASSPHRASE", "--binding", binding, "--json"]
    done = home.init(*new)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    config = load_config(home.config)
    assert config.session_settings().binding is Binding(binding)
    assert PASSPHRASE not in home.config.read_text()
    (signer,) = Connector(config).signers
    assert (signer.key_id, signer.algorithm) == (told["key_id"], algorithm)
    assert verify_possession(Path(told["proof"]).read_bytes()).key_id == signer.key_id
    assert home.init(*new).exit_code == 1, "neither settings nor key are made twice"
    assert len(list(home.config.parent.glob("*.key"))) == 1


def test_json_is_the_binding_of_who_says_nothing(home: Home) -> None:
    """As ever: the key is named, and not opened."""
    assert home.init("--key", "env:NOT_SET_YET").exit_code == 0
    assert load_config(home.config).session_settings().binding is Binding.JSON


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["first"], "one ES256 key, not with Ed25519"),
        (["first", XML_LABEL], "not with Ed25519, ES256"),
        ([], "--key names our key"),
    ],
    ids=["of another algorithm", "two keys", "none"],
)
def test_init_refuses_keys_that_do_not_sign_xml(
    home: Home, arguments: list[str], words: str
) -> None:
    """The sentence says what is wrong and how a right key is made; nothing is written."""
    keys = [part for label in arguments for part in home.key(label)]
    refused = home.init(*keys, "--binding", "xml")
    assert refused.exit_code == 1
    said = " ".join(refused.stderr.split())
    assert words in said
    assert "--new-key-passphrase-env" in said
    assert not home.config.exists()


def test_init_names_a_key_file_that_does_not_exist(home: Home) -> None:
    """For JSON too: the place that was looked at is told, and nothing is written."""
    refused = home.init("--key", "file:elsewhere.key?passphrase-env=REGISTRY_PASSPHRASE")
    assert refused.exit_code == 1
    assert f"there is no file {Path.cwd()}/elsewhere.key" in " ".join(refused.stderr.split())
    assert not home.config.exists()


def test_init_takes_an_es256_key_that_is_there(home: Home) -> None:
    """The key is opened once, to see that it can sign XML."""
    assert home.init(*home.key(XML_LABEL), "--binding", "xml").exit_code == 0
    assert load_config(home.config).hub.binding is Binding.XML


def test_init_wants_one_way_to_a_key_and_a_passphrase_that_is_there(home: Home) -> None:
    """A key and a new key exclude each other; an empty variable makes no key."""
    new = ["--new-key-passphrase-env", "NOT_SET"]
    both = home.init(*home.key("first"), *new)
    assert (both.exit_code, "exclude each other" in both.stderr) == (1, True)
    empty = home.init(*new)
    assert (empty.exit_code, "NOT_SET is empty or not set" in empty.stderr) == (1, True)
    assert not home.config.exists()


def test_serve_refuses_a_key_that_does_not_sign_xml(home: Home) -> None:
    """Settings changed by hand: one sentence and exit status 1 before anything is opened."""
    assert home.init(*home.key("first")).exit_code == 0
    text = home.config.read_text()
    home.config.write_text(text.replace('binding = "json"', 'binding = "xml"'))
    refused = CliRunner().invoke(app, ["serve", "--config", str(home.config)])
    assert refused.exit_code == 1
    assert "signed with one ES256 key, not with THA01-" in " ".join(refused.stderr.split())
    assert not (home.config.parent / "registry.sqlite").exists()


def test_settings_with_xml_and_two_keys_are_refused_by_name(home: Home) -> None:
    """A hybrid suite signs JSON alone: the error names both fields and both ways out."""
    assert home.init(*home.key(XML_LABEL), "--binding", "xml").exit_code == 0
    text = home.config.read_text()
    home.config.write_text(text.replace('uris = ["', 'uris = ["env:OTHER", "'))
    with pytest.raises(ConfigError, match=r'keys: .*binding = "xml".*2 are.*binding = "json"'):
        load_config(home.config)
    home.config.write_text(text.replace('"xml"', '"yaml"'))
    with pytest.raises(ConfigError, match=r"hub\.binding: Input should be 'json' or 'xml'"):
        load_config(home.config)
