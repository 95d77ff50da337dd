"""The stand-alone script: one file that needs the standard library and `cryptography` alone."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cryptography
import pytest

from hub.evidence import standalone
from hub.evidence.archives import MANIFEST, archive, digest, read_archive
from hub.evidence.verification import verify
from keys.algorithms import Algorithm
from tests.hub.evidence.made_log import MadeLog, Story, bundle_of
from tests.hub.evidence.made_trust import BUYER, SELLER, seeded_signer
from tests.hub.evidence.test_verification import pinned
from tests.hub.evidence.test_xml import flipped, transplanted, wrapped

STORY = Story(filler=3).tell()
BUNDLE = bundle_of(STORY.evidence())
ANCHOR = STORY.trusted.policy().encode()
# Loads the script where nothing of the project, and of the installed libraries only the one
# allowed, can be imported: its folder is found through a finder that knows no other name.
ALONE = """
import importlib.machinery, runpy, sys
class Only:
    @staticmethod
    def find_spec(name, path=None, target=None):
        known = ("cryptography", "cffi", "_cffi_backend", "pycparser")
        if name.partition(".")[0] not in known:
            return None
        return importlib.machinery.PathFinder.find_spec(name, path or [{site!r}], target)
assert not any("site-packages" in one for one in sys.path), sys.path
sys.meta_path.append(Only)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script in a process that finds no library but the one it may need."""
    site = str(Path(cryptography.__file__).parents[1])
    script = folder / "verify_evidence.py"
    script.write_text(standalone.script(), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-c", ALONE.format(site=site), str(script), *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return the paths of a bundle and of an anchor."""
    bundle, anchor = tmp_path / "transfer.zip", tmp_path / "policy.txt"
    bundle.write_bytes(BUNDLE)
    anchor.write_bytes(ANCHOR)
    return str(bundle), str(anchor)


def test_the_script_runs_alone_and_says_what_the_library_says(
    tmp_path: Path, files: tuple[str, str]
) -> None:
    """One implementation: the same findings, in words and as JSON, and exit status 0."""
    expected = verify(BUNDLE, ANCHOR)
    done = run(tmp_path, files[0], "--trust", files[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected.lines()
    shown = run(tmp_path, files[0], "--trust", files[1], "--json")
    assert json.loads(shown.stdout) == expected.document()


@pytest.fixture(scope="module")
def xml_story() -> Story:
    """Return a completed transfer of which the initiator speaks XML and the acquirer JSON."""
    signers = [[seeded_signer(Algorithm.ES256, code, "es")] for code in (SELLER, BUYER)]
    log = MadeLog(speaks_xml=frozenset({SELLER}))
    return Story(seller=signers[0], buyer=signers[1], log=log, filler=0).tell()


def replaced(bundle: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a bundle with one file changed and every digest of the archive mended."""
    files = read_archive(bundle)
    files[path] = change(files[path])
    manifest = json.loads(files[MANIFEST])
    for one in manifest["files"]:
        one["sha256"] = digest(files[one["path"]])
    files[MANIFEST] = json.dumps(manifest).encode()
    return archive(files)


def test_the_script_proves_a_transfer_between_an_xml_and_a_json_party(
    tmp_path: Path, xml_story: Story
) -> None:
    """Alone, offline; the files of the bundle are named after what they are."""
    bundle = bundle_of(xml_story.evidence())
    names = set(read_archive(bundle))
    assert {"contents/3.envelope.xml", "contents/3.receipt.xml", "contents/4.delivery.jws"} <= names
    (tmp_path / "transfer.zip").write_bytes(bundle)
    (tmp_path / "anchor.json").write_bytes(pinned(xml_story))
    done = run(tmp_path, "transfer.zip", "--trust", "anchor.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("PROVED: transfer THA01-17, completed\n")


@pytest.mark.parametrize("attack", ["a flipped byte", "a swapped signature", "a wrapped document"])
def test_the_script_refuses_what_was_done_to_an_xml_original(
    tmp_path: Path, xml_story: Story, attack: str
) -> None:
    """Unusable as the file was; false where every digest of the archive was mended."""
    bundle = bundle_of(xml_story.evidence())
    other = read_archive(bundle)["contents/8.envelope.xml"]
    changes: dict[str, Callable[[bytes], bytes]] = {
        "a flipped byte": flipped,
        "a swapped signature": lambda raw: transplanted(other, raw),
        "a wrapped document": wrapped,
    }
    path = "contents/3.envelope.xml"
    raw = read_archive(bundle)[path]
    change = changes[attack]
    assert change(raw) != raw
    (tmp_path / "anchor.json").write_bytes(pinned(xml_story))
    (tmp_path / "mended.zip").write_bytes(replaced(bundle, path, change))
    done = run(tmp_path, "mended.zip", "--trust", "anchor.json")
    assert done.returncode == 1
    assert "FAILED      entry 3: the envelope here is not the one that the log committed" in (
        done.stdout
    )
    if attack == "a flipped byte":
        (tmp_path / "plain.zip").write_bytes(bundle.replace(raw, change(raw)))
        assert run(tmp_path, "plain.zip", "--trust", "anchor.json").returncode == 2


def test_the_exit_status_tells_false_from_unusable(tmp_path: Path, files: tuple[str, str]) -> None:
    """1 when something is false, 2 when the file or the anchor cannot be read."""
    stranger = Path(files[1])
    stranger.write_text(STORY.trusted.policy("quorum w2\n"), encoding="utf-8")
    assert run(tmp_path, files[0], "--trust", files[1]).returncode == 1
    stranger.write_text("nonsense", encoding="utf-8")
    done = run(tmp_path, files[0], "--trust", files[1])
    assert done.returncode == 2
    assert done.stderr.startswith("UNUSABLE: the anchor cannot be read: line 1 of the policy")
    assert run(tmp_path, files[0], "--trust", "nowhere").returncode == 2
    Path(files[0]).write_bytes(BUNDLE[:-1])
    assert run(tmp_path, files[0], "--trust", files[1]).returncode == 2


def test_the_script_imports_nothing_but_what_it_may() -> None:
    """Its imports are of the standard library and of `cryptography`, all at the top."""
    tree = ast.parse(standalone.script())
    names = [one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    names += [
        name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names
    ]
    roots = {name.partition(".")[0] for name in names}
    assert roots <= {*sys.stdlib_module_names, "cryptography"}


def test_no_two_modules_of_the_script_share_a_name() -> None:
    """Joined in one namespace, a name defined twice would change what runs."""
    tree = ast.parse(standalone.script())
    defined = [one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    defined += [
        target.id
        for one in tree.body
        if isinstance(one, ast.Assign | ast.AnnAssign)
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
        if isinstance(target, ast.Name)
    ]
    assert len(defined) == len(set(defined))
