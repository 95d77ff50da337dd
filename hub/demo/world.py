"""The demonstration's world: its folder, its keys, its settings, its processes.

``keys/``          a PKCS#8 key file for each participant, encrypted with a passphrase that lives in
                   the environment of these processes only; the public documents; the proofs;
                   a second key of the hub's, for XML; the secret from which those of the links are
                   made; ``witnesses/``: the keys with which the registries confirm the hub's log
``hub/``           hub.toml, witnesses.txt (whose confirmation counts: two of three), and the
                   SQLite file unless the database is PostgreSQL
``THA01/`` …       what ``itmo-hub registry init`` writes, and the registry's own book
``XMR01/``         mechanism.toml and the feed
``logs/``          what each process logs
``commands.txt``   every command that was run
"""

import os
import secrets
import socket
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.demo.command_line import CommandLine
from hub.demo.desk import HUB, Desk
from hub.demo.processes import Processes

MECHANISM: Final = "XMR01"
PLACES: Final = {"THA01": "Thailand", "CHE01": "Switzerland", "GHA01": "Ghana"}
PULLS: Final = "GHA01"
ALGORITHMS: Final = {"CHE01": "ES256", "GHA01": "ES256"}
BINDINGS: Final = {"GHA01": "xml"}
"""Whoever is not named here writes JSON."""
ACCOUNTS: Final = {
    "CHE-HOLDING-1": ("CHE", "100"),
    "CHE-HOLDING-2": ("CHE", "100"),
    "THA-HOLDING-1": ("THA", "100"),
    "AF-HOLDING-1": ("XAF", "100"),
    "OMGE-1": ("THA", "300"),
}
"""Accounts of the international registry: Party of the section, and type."""


@dataclass(slots=True)
class World:
    """Everything that the chapters act on."""

    folder: Path
    commands: CommandLine
    processes: Processes
    database_url: str
    hub_url: str = ""
    hub_port: int = 0
    console_port: int = 0
    key_uris: dict[str, str] = field(default_factory=dict)
    hub_xml_key_uri: str = ""
    documents: dict[str, Path] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    push_urls: dict[str, str] = field(default_factory=dict)

    @property
    def hub_config(self) -> Path:
        """The hub's settings file."""
        return self.folder / "hub" / "hub.toml"

    @property
    def mechanism_config(self) -> Path:
        """The settings file of the mechanism registry's connector."""
        return self.folder / MECHANISM / "mechanism.toml"

    @property
    def console_url(self) -> str:
        """The address that people at the console type."""
        return f"http://localhost:{self.console_port}"

    @property
    def console_facts(self) -> Path:
        """Where the console is, who may sign in with what, and what waits there, as JSON."""
        return self.folder / "console.json"

    def hub(self, *arguments: str) -> str:
        """Run a command of the hub's operator."""
        return self.commands.run(*arguments, "--config", str(self.hub_config))

    def make_keys(self) -> None:
        """Make a key for every participant, and the proof that it holds it."""
        keys = self.folder / "keys"
        keys.mkdir()
        for code in (HUB, *PLACES, MECHANISM):
            variable = f"ITMO_DEMO_PASSPHRASE_{code}"
            os.environ[variable] = secrets.token_urlsafe(24)
            options = ["--participant", code, "--out", str(keys), "--passphrase-env", variable]
            options += ["--algorithm", ALGORITHMS.get(code, "Ed25519")]
            made = self.commands.run_json("keys", "generate", *options)
            self.key_uris[code], self.documents[code] = made["uri"], Path(made["document"])
            if code != HUB:
                proof = self._proof(code)
                self.commands.run(
                    "keys", "possession", made["uri"], "--participant", code, "--out", str(proof)
                )
        options = ["--participant", HUB, "--out", str(keys), "--algorithm", "ES256"]
        options += ["--passphrase-env", f"ITMO_DEMO_PASSPHRASE_{HUB}"]
        self.hub_xml_key_uri = self.commands.run_json("keys", "generate", *options)["uri"]

    def _proof(self, code: str) -> Path:
        return self.folder / "keys" / f"{code}.possession.jws"

    def write_registries(self) -> None:
        """Choose everybody's addresses, and write the Party registries' settings."""
        self.hub_port, self.console_port, *others = free_ports(2 + 2 * len(PLACES))
        self.hub_url, ports = f"http://127.0.0.1:{self.hub_port}", iter(others)
        for code, place in PLACES.items():
            api, push = f"127.0.0.1:{next(ports)}", f"127.0.0.1:{next(ports)}"
            options = ["--participant", code, "--hub-url", self.hub_url]
            options += ["--hub-key", str(self.documents[HUB]), "--key", self.key_uris[code]]
            options += ["--folder", str(self.folder / code), "--api-listen", api]
            options += ["--binding", binding_of(code)]
            if code != PULLS:
                options += ["--push-listen", push]
                self.push_urls[code] = f"http://{push}"
            config = Path(self.commands.run_json("registry", "init", *options)["config"])
            self._write_witness(code, config)
            self.desks[code] = Desk.of(code, place, config, self.commands)

    def _write_witness(self, code: str, config: Path) -> None:
        """Let a registry confirm the hub's log, with a key of its own for that."""
        folder = self.folder / "keys" / "witnesses"
        folder.mkdir(exist_ok=True)
        options = ["--participant", code, "--out", str(folder), "--algorithm", "Ed25519"]
        options += ["--passphrase-env", f"ITMO_DEMO_PASSPHRASE_{code}"]
        uri = self.commands.run_json("keys", "generate", *options)["uri"]
        with config.open("a", encoding="utf-8") as file:
            file.write(f'\n[log]\nlog_seconds = 1\n\n[witness]\nwitness_signer = "{uri}"\n')

    def _write_policy(self) -> Path:
        """Write whose confirmation of the log counts: two of the three registries'."""
        path = self.hub_config.with_name("witnesses.txt")
        lines = []
        for code, desk in self.desks.items():
            options = ["--config", str(desk.config)]
            (vkey,) = self.commands.run_json("registry", "log", "vkey", *options)["vkeys"]
            url = self.push_urls.get(code)
            lines.append(f"witness {code} {vkey}" + (f" {url}/witness" if url else ""))
        lines += [f"group two-of-three 2 {' '.join(self.desks)}", "quorum two-of-three", ""]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def start_hub(self) -> None:
        """Write the hub's settings, make its database, and start it."""
        self.hub_config.parent.mkdir()
        secret = self.folder / "keys" / f"{HUB}.link-secret"
        self.commands.run("reconcile", "secret", "new", "--out", str(secret))
        self.hub_config.write_text(
            f'database_url = "{self.database_url}"\n'
            f"port = {self.hub_port}\n"
            f'signers = ["{self.key_uris[HUB]}"]\n'
            f'xml_signer = "{self.hub_xml_key_uri}"\n'
            f'witness_policy = "{self._write_policy()}"\n'
            "witness_seconds = 1  # a story is shorter than a day\n"
            "allow_http_endpoints = true  # the registries of this demonstration are on loopback\n"
            f'\n[reconciliation]\nsecret = "{secret}"\nstagger_seconds = 0\n'
            f'\n[console]\nurl = "{self.console_url}"\nport = {self.console_port}\n'
            f'secret = "{self.hub_config.with_name("console-secret")}"\n'
            'second_factor = "optional"  # people of a story have no telephones\n',
            encoding="utf-8",
        )
        self._share_link_secrets()
        self.hub("db", "upgrade")
        child = self.processes.start("hub", "serve", "--config", str(self.hub_config))
        self.processes.first_line(child)

    def start_console(self) -> None:
        """Start the console beside the hub, with the same settings."""
        child = self.processes.start("console", "console", "--config", str(self.hub_config))
        self.processes.first_line(child)

    def _share_link_secrets(self) -> None:
        """Give each registry the secret by which its book and the ledger are compared."""
        for code, desk in self.desks.items():
            path = desk.config.with_name("link-secret")
            self.hub("reconcile", "secret", code, "--out", str(path))
            settings = desk.config.read_text(encoding="utf-8")
            named = f'reconciliation_secret = "{path.name}"\n'
            desk.config.write_text(named + settings, encoding="utf-8")

    def start_registries(self) -> None:
        """Register every participant, and start the Party registries' connectors."""
        for code, desk in self.desks.items():
            url = self.push_urls.get(code)
            endpoint = None if url is None else f"{url}/deliveries"
            self._register(code, desk.place, "party_registry", endpoint)
            self.processes.start(code, "registry", "serve", "--config", str(desk.config))
        self._register(MECHANISM, "Article 6.4 mechanism", "mechanism_registry", None)
        for child in self.processes.children:
            self.processes.first_line(child)

    def _register(self, code: str, place: str, kind: str, endpoint: str | None) -> None:
        options = ["--key", str(self._proof(code)), "--kind", kind, "--name", place]
        options += [] if endpoint is None else ["--endpoint", endpoint]
        self.hub("participant", "add", code, *options)
        self.hub("participant", "activate", code)

    def open_central_accounts(self, approach: str) -> None:
        """Open the accounts of the international registry that the mechanism pushes into."""
        for account, (party, type_) in ACCOUNTS.items():
            options = ["--party", party, "--type", type_, "--approach", approach]
            self.hub("account", "open", account, *options)

    def write_mechanism_settings(self) -> None:
        """Write the settings of the mechanism registry's connector."""
        self.mechanism_config.parent.mkdir()
        self.mechanism_config.write_text(
            f'participant = "{MECHANISM}"\n'
            f'hub_url = "{self.hub_url}"\n'
            f'hub_keys = ["{self.documents[HUB]}"]\n'
            f'signing_keys = ["{self.key_uris[MECHANISM]}"]\n',
            encoding="utf-8",
        )


def binding_of(code: str) -> str:
    """Return the binding in which a registry writes and is written to."""
    return BINDINGS.get(code, "json")


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback on which nobody listens now."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in opened]
