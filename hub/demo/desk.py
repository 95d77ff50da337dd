"""An operator at one Party registry: what is typed there, and what the local API shows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.party_registry.config import load_config
from connectors.party_registry.local_client import LocalClient
from hub.demo.command_line import CommandLine

HUB = "XHB01"
PAGE = 1000


@dataclass(slots=True)
class Desk:
    """One registry. ``config`` is its settings file; the local API is asked while it runs."""

    code: str
    place: str
    config: Path
    commands: CommandLine
    api: LocalClient

    @classmethod
    def of(cls, code: str, place: str, config: Path, commands: CommandLine) -> "Desk":
        """Return the desk of a registry whose settings file is written."""
        return cls(code, place, config, commands, LocalClient(load_config(config)))

    def run(self, *arguments: str) -> Any:
        """Run ``itmo-hub registry …`` here and return its JSON."""
        return self.commands.run_json("registry", *arguments, "--config", str(self.config))

    def submit(self, type_: str, body: dict[str, Any]) -> None:
        """Submit a message to the hub, its body from a file beside the settings."""
        path = self.config.with_name(f"{type_}.{len(list(self.config.parent.iterdir()))}.json")
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
        self.run("submit", "--to", HUB, "--type", type_, str(path))

    def propose(
        self, to: "Desk", *, account: str, from_account: str = "TH-GOV-1", **options: str
    ) -> str:
        """Propose a transfer of units of CA0001; return its id."""
        named = [text for name, value in options.items() for text in (f"--{name}", value)]
        arguments = ["--to", to.code, "--approach", "CA0001", "--from-account", from_account]
        arguments += ["--to-account", account, *(text.replace("_", "-") for text in named)]
        return str(self.run("transfer", "propose", *arguments)["transfer_id"])

    def transfers(self) -> dict[str, Any]:
        """Return the transfers that are known here, by id."""
        found = self.api.get("/v1/transfers", limit=PAGE)["transfers"]
        return {transfer["transfer_id"]: transfer for transfer in found}

    def quiet(self) -> bool:
        """Tell whether the hub has answered everything that was sent from here."""
        counts: dict[str, int] = self.api.get("/v1/outbox")["counts"]
        return not any(counts.values())

    def blocks(self) -> list[Any]:
        """Return every block of the book."""
        found: list[Any] = []
        after: int | None = 0
        while after is not None:
            page = self.api.get("/v1/holdings", limit=PAGE, after=after)
            found += page["blocks"]
            after = page["next"]
        return found

    def free_units(self, account: str) -> int:
        """Return how many units of an account may be given away."""
        return sum(
            block["quantity"]
            for block in self.blocks()
            if block["account"] == account
            and block["reserved_by"] is None
            and block["status"] in ("authorized", "itmo")
        )

    def problems(self) -> list[str]:
        """Return what the registry's own check of its book finds."""
        found: list[str] = self.api.get("/v1/check")["problems"]
        return found
