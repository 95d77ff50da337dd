"""Chapter 11: one file proves the first transfer, offline; a changed byte proves nothing.

1. The hub exports the evidence, Thailand does the same from its own book.
2. The stand-alone verifier checks both in a process of its own, with nothing of the hub's.
3. A byte of the file is flipped; then one of the acceptance, by a forger who mends every digest of
   the archive so that only the log's own proof can tell.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.demo.stage import Stage
from hub.evidence import bundles, stories

VERIFY_SECONDS_MAX = 60.0
TOLD = ("log", "transfer")


@dataclass(frozen=True, slots=True)
class Auditor:
    """Somebody outside, with the verifier and an anchor, and without a network."""

    script: Path
    anchor: Path

    def verify(self, file: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run the stand-alone verifier on a file, isolated from this installation's paths."""
        command = [sys.executable, "-I", str(self.script), str(file)]
        return subprocess.run(  # noqa: S603 - our own interpreter and our own script
            [*command, "--trust", str(self.anchor), *options],
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS_MAX,
            check=False,
            cwd=file.parent,
        )

    def report(self, file: Path) -> dict[str, Any]:
        """Return the verifier's report."""
        document: dict[str, Any] = json.loads(self.verify(file, "--json").stdout)
        return document


def show_evidence(stage: Stage) -> None:
    """Export, verify, and see what the verifier says to a forgery."""
    sold = stage.result["first_transfer"]
    folder = stage.world.folder / "evidence"
    folder.mkdir()
    auditor = Auditor(folder / "verify_evidence.py", folder / "anchor.json")
    stage.world.commands.run("evidence", "verifier", "-o", str(auditor.script))
    stage.world.hub("evidence", "anchor", "-o", str(auditor.anchor), "--participants")
    file = folder / f"{sold}.zip"
    stage.world.hub("evidence", "export", sold, "-o", str(file))
    size = file.stat().st_size
    stage.say(f"The hub writes everything its log holds of {sold} into one file of {size:,} bytes.")
    stage.say("An auditor checks it offline, with one script that needs nothing of the hub's:")
    _show_proved(stage, auditor, file, "the hub's file")
    own = folder / f"{sold}-by-THA01.zip"
    stage.desk("THA01").run("evidence", "export", sold, "-o", str(own))
    stage.say("Thailand can do it alone, from its own book, whatever becomes of the hub:")
    report = auditor.report(own)
    stage.require(report["verdict"] == "proved", f"Thailand's file is {report['verdict']}")
    stage.say(f"  {report['verdict'].upper()}: {sold}, {report['outcome']}")
    _show_across_bindings(stage, auditor, folder)
    _show_damage(stage, auditor, file)
    _show_forgery(stage, auditor, file)
    stage.result["evidence"] = {"file": str(file), "verdict": "proved", "bytes": size}


def _show_across_bindings(stage: Stage, auditor: Auditor, folder: Path) -> None:
    """Prove the transfer that one side signed in JSON and the other in XML."""
    sold = stage.result["across_bindings"]
    file = folder / f"{sold}.zip"
    stage.world.hub("evidence", "export", sold, "-o", str(file))
    report = auditor.report(file)
    stage.require(report["verdict"] == "proved", f"{sold} is {report['verdict']}")
    stage.say("So is what Switzerland signed in JSON and Ghana in XML:")
    stage.say(f"  {report['verdict'].upper()}: {sold}, {report['outcome']}")


def _show_proved(stage: Stage, auditor: Auditor, file: Path, what: str) -> None:
    """Show the lines about the log and the transfer; require that all is proved."""
    report = auditor.report(file)
    for one in report["findings"]:
        if one["about"].partition(",")[0] in TOLD:
            stage.screen.say(f"[dim]{one['status']}[/]  {_plain(one['text'])}", indent=5)
    count = sum(one["status"] == "PROVED" for one in report["findings"])
    stage.require(report["verdict"] == "proved", f"{what} is {report['verdict']}")
    verdict = f"{report['verdict'].upper()}: {report['transfer_id']}, {report['outcome']}"
    stage.say(f"[bold green]{verdict}[/] ({count} things proved)")


def _show_damage(stage: Stage, auditor: Auditor, file: Path) -> None:
    """Flip one byte in the middle of the file."""
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path = file.with_name("one-byte-flipped.zip")
    path.write_bytes(bytes(damaged))
    done = auditor.verify(path)
    stage.require(done.returncode == 2, "a flipped byte was not noticed")
    stage.say("One byte of the file flipped, and the verifier says:")
    stage.say(f"  [red]{_plain(done.stderr.strip())}[/]")


def _show_forgery(stage: Stage, auditor: Auditor, file: Path) -> None:
    """Change one byte of the acceptance, and mend everything a forger can mend."""
    evidence = bundles.read(file.read_bytes())
    items = list(evidence.items)
    at = next(number for number, one in enumerate(items) if one.role == "acceptance")
    envelope = bytearray(items[at].contents["envelope"] or b"")
    middle = len(envelope) // 2
    envelope[middle] = ord("A") if envelope[middle] != ord("A") else ord("B")
    contents = {**items[at].contents, "envelope": bytes(envelope)}
    items[at] = replace(items[at], contents=contents)
    forged = replace(evidence, items=items)
    path = file.with_name("one-byte-forged.zip")
    path.write_bytes(bundles.write(forged, stories.render(forged)))
    report = auditor.report(path)
    false = [one for one in report["findings"] if one["status"] == "FAILED"]
    stage.require(report["verdict"] == "failed", "a forged acceptance was not noticed")
    stage.say("One byte of the acceptance forged, and every digest of the archive mended with it:")
    for one in false:
        stage.say(f"  [red]{one['status']}  {one['about']}: {_plain(one['text'])}[/]")
    stage.result["forgery"] = {"verdict": report["verdict"], "said": [one["text"] for one in false]}


def _plain(text: str) -> str:
    """Return a text in which no bracket is taken for markup."""
    return text.replace("[", r"\[")
