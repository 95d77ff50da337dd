"""What the house tests look at: the files of the project, parsed once.

Files are those that git tracks or would track (new, not ignored). In a source archive without
git, they are all the files in the project's own folders.
"""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hub", "connectors", "message_schemas", "reconciliation", "keys")
FOLDERS = (*PACKAGES, "tests", "bench", "docs", ".ci")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def project_files() -> tuple[Path, ...]:
    """Return the project's files relative to its root, sorted."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found = {Path(name) for name in listing.stdout.split("\0") if name}
    else:
        found = {
            path.relative_to(ROOT)
            for folder in FOLDERS
            for path in (ROOT / folder).rglob("*")
            if "__pycache__" not in path.parts
        } | {path.relative_to(ROOT) for path in ROOT.iterdir()}
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under the folders; without folders, all of them."""
    return [
        path
        for path in project_files()
        if path.suffix == ".py"
        and (not folders or any(path.is_relative_to(folder) for folder in folders))
    ]


@cache
def text_of(path: Path) -> str:
    """Return a file's text; bytes that are not UTF-8 become replacement characters."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a Python file's syntax tree."""
    return ast.parse(text_of(path), filename=str(path))


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method, nested ones too."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTIONS))


def function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines from ``def`` to its end; decorators are not counted."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the dotted names of all modules that the code imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def called_names(tree: ast.Module) -> set[str]:
    """Return the last part of every called name: ``datetime.now()`` gives ``now``."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    plain = {call.id for call in calls if isinstance(call, ast.Name)}
    return plain | {call.attr for call in calls if isinstance(call, ast.Attribute)}
