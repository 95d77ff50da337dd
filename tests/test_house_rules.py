"""The rules of the house that no linter knows, each a test over the project's own files."""

import ast
import re
import statistics
import tokenize
import tomllib
from io import StringIO
from pathlib import Path

import pytest

from tests.import_rules import lies_in
from tests.source_tree import (
    PACKAGES,
    ROOT,
    called_names,
    function_lines,
    functions_of,
    imported_modules,
    project_files,
    python_files,
    text_of,
    tree_of,
)

FILE_LINES_MAX = 500
FILE_LINES_MEDIAN_MAX = 150
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 12
REASON_LETTERS_MIN = 8

PURE_PACKAGES = (
    "message_schemas",
    "hub/protocol",
    "hub/checks",
    "hub/international_registry",
    "hub/transparency_log",
)
# In these packages every module is pure except the shells named here.
SHELLS = {
    "keys": {"cli", "hsm", "key_files", "key_uris", "new_keys", "signing"},
    "reconciliation": {"runner", "store"},
    "hub/evidence": {"standalone", "verify_evidence"},
}
IO_MODULES = frozenset(
    {
        "aiohttp",
        "apscheduler",
        "asyncio",
        "http",
        "logging",
        "os",
        "pathlib",
        "psycopg",
        "random",
        "secrets",
        "shutil",
        "socket",
        "sqlalchemy",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uvloop",
    }
)
IO_CALLS = frozenset(
    {"input", "now", "open", "print", "today", "utcnow", "uuid1", "uuid4", "uuid6", "uuid7"}
)

# Written in pieces, so that the rules do not find themselves.
# Code may know the marker of a PEM file; a key is the marker with a body behind it.
PRIVATE_KEY_TEXT = re.compile(
    "-----BEGIN [A-Z ]*" + "PRIVATE" + r" KEY-----[\s\S]{1,200}?[A-Za-z0-9+/]{40}"
)
PRIVATE_JWK = re.compile(r'"kty"[^{}]*"d"\s*:|"d"\s*:[^{}]*"kty"')
PRIVATE_KEY_SUFFIXES = frozenset({".key", ".p8", ".p12", ".pfx", ".jks"})
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|root|tmp|home|Users)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|Not" + r"ImplementedError)\b")
IGNORE = re.compile(
    r"#\s*(?:(?:ruff|flake8):\s*)?(?:noqa|type:\s*ignore|pragma:|mypy:|pyright:|fmt:)"
    r"(?P<codes>\s*:?\s*"
    r"(?:\[[a-z, -]+\]|[A-Z]+\d+(?:[, ]+[A-Z]+\d+)*|no cover|no branch|off|skip))?"
    r"(?P<reason>.*)"
)


def pure_files() -> list[Path]:
    """Return the files of the core: whole packages, and the mixed ones without their shells."""
    mixed = [
        path
        for package, shells in SHELLS.items()
        for path in python_files(package)
        if path.relative_to(package).with_suffix("").parts[0] not in shells
    ]
    return python_files(*PURE_PACKAGES) + mixed


def comments_of(path: Path) -> list[tokenize.TokenInfo]:
    """Return the comments of a Python file, so that strings are not taken for comments."""
    tokens = tokenize.generate_tokens(StringIO(text_of(path)).readline)
    return [token for token in tokens if token.type == tokenize.COMMENT]


def lines_matching(pattern: re.Pattern[str], path: Path) -> list[str]:
    """Return ``path:line: text`` for every line that the pattern finds."""
    numbered = enumerate(text_of(path).splitlines(), start=1)
    return [f"{path}:{number}: {line.strip()}" for number, line in numbered if pattern.search(line)]


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_no_file_outgrows_its_limit(path: Path) -> None:
    """A file is read in one sitting."""
    assert len(text_of(path).splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_no_function_outgrows_its_limit(path: Path) -> None:
    """A function is read on one screen."""
    lengths = {function.name: function_lines(function) for function in functions_of(path)}
    assert not {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX}


def test_half_of_the_files_and_functions_are_short() -> None:
    """The limits are for the rare case: the median of the product stays far below them."""
    files = python_files(*PACKAGES)
    functions = [function_lines(function) for path in files for function in functions_of(path)]
    lines = [len(text_of(path).splitlines()) for path in files]
    assert statistics.median(lines) <= FILE_LINES_MEDIAN_MAX
    assert not functions or statistics.median(functions) <= FUNCTION_LINES_MEDIAN_MAX


@pytest.mark.parametrize("path", pure_files(), ids=str)
def test_pure_core_does_no_io(path: Path) -> None:
    """The core takes values and returns values; shells do the rest."""
    roots = {name.partition(".")[0] for name in imported_modules(tree_of(path))}
    assert not roots & IO_MODULES


@pytest.mark.parametrize("path", pure_files(), ids=str)
def test_pure_core_asks_no_clock_and_draws_no_random_value(path: Path) -> None:
    """Time and identifiers are arguments, so the same input always decides the same."""
    assert not called_names(tree_of(path)) & IO_CALLS


def test_every_module_of_the_product_has_a_row_in_the_import_table() -> None:
    """A package without a row could import anything; so each has one in pyproject.toml."""
    settings = tomllib.loads(text_of(Path("pyproject.toml")))["tool"]["importlinter"]
    sources = [row["source"] for row in settings["contracts"] if row["type"] == "may_import"]
    modules = {".".join(path.with_suffix("").parts) for path in python_files(*PACKAGES)}
    modules = {name.removesuffix(".__init__") for name in modules} - {"hub"}
    ruleless = {name for name in modules if not any(lies_in(name, source) for source in sources)}
    assert not ruleless


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_every_module_opens_with_its_story(path: Path) -> None:
    """Whoever opens a file first reads what it is for."""
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", python_files("tests"), ids=str)
def test_every_test_promises_something(path: Path) -> None:
    """A test's name is a sentence, and its docstring states the promise."""
    tests = [function for function in functions_of(path) if function.name.startswith("test_")]
    assert not [test.name for test in tests if test.name.count("_") < 3]
    assert not [test.name for test in tests if not ast.get_docstring(test)]


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_every_ignore_names_its_rule_and_its_reason(path: Path) -> None:
    """A linter or the type checker is silenced for one rule, with the reason beside it."""
    for comment in comments_of(path):
        if (ignore := IGNORE.search(comment.string)) is None:
            continue
        where = f"{path}:{comment.start[0]}: {comment.string}"
        assert ignore["codes"], f"{where} silences every rule"
        letters = sum(letter.isalpha() for letter in ignore["reason"])
        assert letters >= REASON_LETTERS_MIN, f"{where} gives no reason"


@pytest.mark.parametrize(
    "path",
    [p for p in project_files() if p.suffix in {".py", ".toml", ".sql", ".mako", ".html"}],
    ids=str,
)
def test_nothing_is_left_unfinished(path: Path) -> None:
    """What is in the repository works; what does not work yet is not in the repository."""
    assert not lines_matching(UNFINISHED, path)


def test_no_private_key_is_in_the_repository() -> None:
    """No file is a private key or quotes one, in PEM or as a JWK."""
    named = [str(path) for path in project_files() if path.suffix in PRIVATE_KEY_SUFFIXES]
    pem = [str(path) for path in project_files() if PRIVATE_KEY_TEXT.search(text_of(path))]
    jwk = [str(path) for path in project_files() if PRIVATE_JWK.search(text_of(path))]
    assert not named + pem + jwk


def test_no_path_of_a_developers_machine_is_in_the_repository() -> None:
    """Everything is found relative to the project or to what the user configured."""
    assert not [line for path in project_files() for line in lines_matching(MACHINE_PATH, path)]


def test_the_lock_holds_versions_and_hashes_and_no_address() -> None:
    """Every library is pinned and hashed; where it is downloaded from is the user's affair."""
    lock = (ROOT / "requirements.lock").read_text(encoding="ascii")
    entries = re.split(r"\n(?=[a-z0-9])", lock.strip())
    assert len(entries) > 50
    unpinned = [e for e in entries if not re.match(r"[a-z0-9.-]+==\S+", e)]
    unhashed = [e for e in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", e)]
    assert not unpinned + unhashed
    assert "://" not in lock
    assert " @ " not in lock
