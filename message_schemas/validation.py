"""Does a document satisfy its schema? Two validators that must agree.

``schema_errors`` is the hot path (jsonschema-rs), ``reference_errors`` the reference
(jsonschema). Both check formats: 30 February is refused. ``type_`` is a message type, a notice
type, or one of the payloads ``envelope``, ``receipt`` and ``delivery``.

An envelope's schema leaves the message bodies alone: each is validated by itself, so that one
bad message does not refuse its neighbours.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema
import jsonschema_rs
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from message_schemas import schema_files
from message_schemas.json_codec import UnknownTypeError

ERROR_COUNT_MAX: Final = 50
ERROR_TEXT_CHARACTERS_MAX: Final = 300
ERROR_PATH_CHARACTERS_MAX: Final = 400
# What no text of a message may hold (common.schema.json, ``text``), line feed and tab besides.
_NOT_PRINTED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One place where a document breaks its schema.

    ``path`` is a JSON pointer into the document, ``keyword`` the schema keyword that failed.
    Characters that no message may hold stand as U+FFFD in both texts.
    """

    path: str
    text: str
    keyword: str


def schema_errors(type_: str, version: int, body: object) -> tuple[SchemaError, ...]:
    """Return what breaks the schema, at most ERROR_COUNT_MAX places; empty when it is satisfied.

    Raises UnknownTypeError when there is no such schema.
    """
    validator = _FAST.get((type_, version))
    if validator is None:
        raise UnknownTypeError(f"no schema {type_!r} in version {version}")
    if validator.is_valid(body):
        return ()
    return _described(
        (error.instance_path, error.message, error.kind.name)
        for error in validator.iter_errors(body)
    )


def reference_errors(type_: str, version: int, body: object) -> tuple[SchemaError, ...]:
    """Return the same by the reference validator, about a hundred times slower.

    The texts and the order differ, the judgement does not. Raises UnknownTypeError.
    """
    if (type_, version) not in _FAST:
        raise UnknownTypeError(f"no schema {type_!r} in version {version}")
    return _described(
        (list(error.absolute_path), error.message, str(error.validator))
        for error in _reference_validator(type_).iter_errors(body)
    )


def _described(
    errors: Iterable[tuple[list[str | int], str, str]],
) -> tuple[SchemaError, ...]:
    return tuple(
        bounded(_pointer(path), text, keyword)
        for path, text, keyword in islice(errors, ERROR_COUNT_MAX)
    )


def bounded(path: str, text: str, keyword: str) -> SchemaError:
    """Return the error with texts that a finding can hold: printable, and not too long."""
    return SchemaError(
        _printed(path)[:ERROR_PATH_CHARACTERS_MAX], _printed(_shortened(text)), keyword
    )


def _pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _printed(text: str) -> str:
    """Return the text as a finding may quote it: a receipt has to satisfy its own schema."""
    return _NOT_PRINTED.sub("\ufffd", text)


def _shortened(text: str) -> str:
    # Validators quote what they refuse, which a sender can make a megabyte long.
    if len(text) <= ERROR_TEXT_CHARACTERS_MAX:
        return text
    half = ERROR_TEXT_CHARACTERS_MAX // 2
    return f"{text[:half]} … {text[-half:]}"


def _fast_validators() -> Mapping[tuple[str, int], jsonschema_rs.Draft202012Validator]:
    common = schema_files.DOCUMENTS["common"]
    envelope = schema_files.DOCUMENTS["envelope"]
    shared = jsonschema_rs.Registry([(one["$id"], one) for one in (common, envelope)])
    return {
        (name, schema_files.VERSION): jsonschema_rs.Draft202012Validator(
            document, registry=shared, validate_formats=True
        )
        for name, document in schema_files.DOCUMENTS.items()
        if name != "common"
    }


_FAST: Final = _fast_validators()


def _ecma_pattern(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[jsonschema.ValidationError]:
    """Check ``pattern`` as ECMA-262 does: in Python alone ``$`` also allows a line feed."""
    if isinstance(instance, str):
        ecma = re.sub(r"\$$", r"\\Z", pattern)
        if re.search(ecma, instance) is None:
            yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


_extend: Final[Callable[..., Any]] = jsonschema.validators.extend
_Reference: Final = _extend(Draft202012Validator, {"pattern": _ecma_pattern})


@cache
def _reference_validator(name: str) -> Any:
    shared = (schema_files.DOCUMENTS["common"], schema_files.DOCUMENTS["envelope"])
    registry = Registry().with_resources(
        [(one["$id"], Resource.from_contents(one)) for one in shared]
    )
    return _Reference(
        schema_files.DOCUMENTS[name],
        registry=registry,
        format_checker=FormatChecker(formats=("date", "date-time")),
    )
