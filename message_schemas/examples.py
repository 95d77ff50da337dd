"""The examples of version 1, valid and invalid, as values.

They tell one story: Thailand transfers outcomes of an electric bus programme in Bangkok to
Switzerland (CA0001, authorization TH-2022-001, vintage 2022). The quantities are illustrative.

``examples/v1/valid/<type>.<name>.json`` is the document itself, ``examples/v1/invalid/`` holds a
document with what is wrong about it: who refuses it, at which place, by which schema keyword.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

_FOLDER: Final = files("message_schemas").joinpath("examples", "v1")


@dataclass(frozen=True, slots=True)
class Example:
    """A valid document: a message or notice body, or the payload named by ``type``."""

    type: str
    version: int
    name: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InvalidExample:
    """A document that is refused, and why.

    ``refused_by`` is ``schema``, or ``identifiers`` where only decoding can tell. ``path`` is the
    JSON pointer of the place, ``keyword`` the schema keyword (empty for identifiers).
    """

    type: str
    version: int
    name: str
    about: str
    refused_by: Literal["schema", "identifiers"]
    path: str
    keyword: str
    document: dict[str, Any]


def _documents(folder: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return type, name and content of every file of a folder, in order of file names."""
    found = []
    for entry in sorted(_FOLDER.joinpath(folder).iterdir(), key=lambda entry: entry.name):
        type_, _, name = entry.name.removesuffix(".json").rpartition(".")
        found.append((type_, name, json.loads(entry.read_text(encoding="utf-8"))))
    return found


VALID: Final[tuple[Example, ...]] = tuple(
    Example(type_, 1, name, document) for type_, name, document in _documents("valid")
)
INVALID: Final[tuple[InvalidExample, ...]] = tuple(
    InvalidExample(name=name, **content) for _, name, content in _documents("invalid")
)


def valid(type_: str, name: str = "minimal") -> dict[str, Any]:
    """Return the document of a valid example. Raises LookupError."""
    for example in VALID:
        if (example.type, example.name) == (type_, name):
            return example.document
    raise LookupError(f"no valid example {name!r} of {type_!r}")
