"""The documents agree with the code: generated parts, links, commands, settings, addresses."""

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from connectors.mechanism_registry.settings import MechanismSettings
from connectors.party_registry.cli import app as registry_app
from connectors.party_registry.config import RegistryConfig
from docs.generate_protocol_tables import PARTS, rendered
from hub.cli import app
from hub.config import Settings
from hub.http.openapi import document
from hub.protocol.console_policy import ConsolePolicy
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import Binding
from hub.services.people.roles import Right, Role, may
from reconciliation.link_keys import key_of_year
from reconciliation.owned import OWNED
from tests.docs.documents import FOLDER, NAMES, anchors_of, blocks_of, links_of, text_of


@pytest.mark.parametrize("name", ["protocol.md", "operating.md"])
def test_generated_parts_are_what_the_code_says(name: str) -> None:
    """`python -m docs.generate_protocol_tables` would change nothing."""
    assert rendered(text_of(name)) == text_of(name)


def test_every_generated_part_has_its_place() -> None:
    """No table is made in vain, and none stands twice."""
    texts = text_of("protocol.md") + text_of("operating.md")
    for part in PARTS:
        assert texts.count(f"<!-- generated: {part} -->") == 1, part
        assert texts.count(f"<!-- end: {part} -->") == 1, part


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    """A link names a heading of its document, or a file and perhaps a heading of that."""
    for link in links_of(name):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        assert (FOLDER / (target or name)).is_file(), link
        assert not anchor or anchor in anchors_of(target or name), link


def command_lines() -> list[tuple[str, str]]:
    """Return each `itmo-hub` command line of the documents with the document's name."""
    return [
        (name, line)
        for name in NAMES
        for block in blocks_of(name, "sh")
        for line in block.text.splitlines()
        if line.startswith("itmo-hub ")
    ]


@pytest.mark.parametrize(("name", "line"), command_lines())
def test_every_command_of_the_documents_exists(name: str, line: str) -> None:
    """Its sub-commands and options are known, and no required option is missing."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(app)
    if words[0] == "registry":
        command, words = typer.main.get_command(registry_app), words[1:]
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    used = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert used <= known | {"--help"}, (name, used - known)
    if "--help" in used:
        return
    required = [one for one in command.params if one.required and one.opts[0].startswith("-")]
    missing = [one.name for one in required if not used & set(one.opts) and not one.envvar]
    assert not missing, (name, missing)


def test_the_settings_of_the_documents_are_read(tmp_path: Path) -> None:
    """Each TOML example is accepted by the program it is for, where the files it names exist."""
    (hub,) = blocks_of("operating.md", "toml")[:1]
    for name in ("tls.pem", "tls.key"):
        (tmp_path / name).touch()
    text = hub.text.replace("/etc/itmo-hub/", f"{tmp_path}/")
    assert Settings(**tomllib.loads(text)).metrics_port == 9470
    (nights,) = blocks_of("reconciliation.md", "toml")
    policy = Settings(**tomllib.loads(nights.text)).reconciliation
    assert (policy.at, policy.mail is not None, len(policy.webhooks)) == ("01:30", True, 1)
    (console,) = blocks_of("console.md", "toml")
    assert Settings(**tomllib.loads(console.text)).console.trusted_proxies == ("127.0.0.1",)
    party, change, link, by_api, log, witness, mechanism = blocks_of("joining.md", "toml")
    whole = RegistryConfig(**tomllib.loads(party.text + log.text + witness.text))
    assert whole.participant == "THA01"
    assert whole.witness is not None
    document, changed = tomllib.loads(party.text), tomllib.loads(change.text)
    xml = RegistryConfig(**{**document, **changed, "hub": document["hub"] | changed["hub"]})
    assert xml.session_settings().binding is Binding.XML
    assert RegistryConfig(**tomllib.loads(link.text + party.text)).reconciliation_secret is not None
    assert RegistryConfig(**{**document, **tomllib.loads(by_api.text)}).reconciliation_by_api
    for one in (mechanism, blocks_of("mechanism-registry.md", "toml")[0]):
        assert MechanismSettings(**tomllib.loads(one.text)).participant == "XMR01"


def test_the_table_of_the_console_names_every_setting() -> None:
    """What an operator decides about the console is explained, each part once."""
    table = text_of("console.md").partition("| setting | what it does |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert sorted(named) == sorted(one.name for one in fields(ConsolePolicy))


def test_the_table_of_roles_is_what_roles_may_do() -> None:
    """Each row is a right, each column a role; a yes stands where the role has it."""
    table = text_of("console.md").partition("## Who may do what\n\n")[2].partition("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in row.split("|")[2:-1]] for row in table.splitlines())
    rights = [right for right in Right if right is not Right.SIGNED_IN]
    for right, row in zip(rights, rows, strict=True):
        assert {role: cell == "yes" for role, cell in zip(head, row, strict=True)} == {
            role.value: may(role, right) for role in Role
        }, right


def test_the_example_of_answering_the_hub_answers_it() -> None:
    """The snippet of joining.md, over an empty book: the key is the link's, the answer is sent."""
    (snippet,) = (b.text for b in blocks_of("joining.md", "python") if "responder" in b.text)
    sent: list[Any] = []
    names: dict[str, Any] = {"SECRET": bytes(range(32)), "CODE": "CHE01", "YEAR": 2026}
    exec(compile(snippet, "joining.md", "exec"), names)
    names["call"] = lambda *said: sent.append(said)
    assert names["year_key"](names["SECRET"], "CHE01", 2026) == (
        key_of_year(names["SECRET"], "CHE01", 2026).secret
    )
    asked = {"session": "CHE01-7", "number": 1, "key_id": "CHE01-2026", "owned": list(OWNED)}
    notice = {"type": "reconciliation.cut", "body": asked}
    book = SimpleNamespace(applied_to=0, blocks=lambda *_: [])
    names["take"]({"sequence": 3, "log_index": 7, "item": {"notices": [notice]}}, book)
    ((method, path, message),) = sent
    assert (method, path, message["type"]) == ("POST", "/v1/messages", "reconciliation.cut_ack")
    assert (message["body"]["applied_to"], message["body"]["digest"]) == (7, "0" * 32)


def test_every_open_address_of_the_hub_is_in_the_protocol() -> None:
    """What the hub serves is what section 17 lists."""
    _, _, section = text_of("protocol.md").partition("## 17.")
    section = section.partition("## 18.")[0]
    for path, operations in document(Limits())["paths"].items():
        if "get" in operations:
            shown = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
            assert f"`GET {shown}`" in section, path


def test_the_promised_client_is_as_short_as_promised() -> None:
    """joining.md says 150 lines."""
    client = Path(__file__).with_name("protocol_client.py").read_text(encoding="utf-8")
    assert "in 150 lines" in " ".join(text_of("joining.md").split())
    assert len(client.splitlines()) < 150
