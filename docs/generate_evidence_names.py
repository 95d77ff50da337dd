"""Write the table by which the evidence verifier reads XML without schemas.

    python -m docs.generate_evidence_names

The verifier must know which names are lists, numbers and so on; it knows nothing else of the
schemas. A name that is two things in two places stands as ``holder/name``, but for objects and
texts of one name: the elements in them tell which they are. The tests fail when the committed
table is not what this script makes; ``python -m docs.generate_xml_schemas`` writes it too.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from message_schemas.xml_forms import FORMS, Form, ListOf, OpenMap, Record, Scalar

FILE: Final = Path(__file__).resolve().parent.parent / "hub/evidence/xml_names.py"
_TABLES: Final = ("LISTS", "MAPS", "OBJECTS", "INTEGERS", "BOOLEANS", "BYTES")
_ABOUT: Final = '''"""Which members of messages are more than text, by name (generated).

Made of the JSON Schemas by `python -m docs.generate_evidence_names`; not written by hand.
"""

from __future__ import annotations

from typing import Final
'''


def document() -> str:
    """Return the module."""
    tables: dict[str, set[str]] = {name: set() for name in _TABLES}
    for name, places in meanings().items():
        tabled = {table for table, _ in places}
        if tabled == {"OBJECTS", ""}:
            continue
        for table, holder in places:
            if table:
                tables[table].add(name if len(tabled) == 1 else f"{holder}/{name}")
    return _ABOUT + "".join(f"\n{name}: Final = {_set_of(tables[name])}\n" for name in _TABLES)


def _set_of(names: set[str]) -> str:
    listed = "".join(f'        "{name}",\n' for name in sorted(names))
    return f"frozenset(\n    {{\n{listed}    }}\n)" if len(names) > 1 else _short(names)


def _short(names: set[str]) -> str:
    return "frozenset({" + ", ".join(f'"{name}"' for name in names) + "})"


def meanings() -> dict[str, set[tuple[str, str]]]:
    """Return by name what it is, "" for text, and in what it is that."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for type_, form in FORMS.items():
        for holder, name, table in _walk(type_, form):
            found[name].add((table, holder))
    return found


def _walk(holder: str, record: Record) -> Iterator[tuple[str, str, str]]:
    for name, form in record.members.items():
        yield from _member(holder, name, form)


def _member(holder: str, name: str, form: Form) -> Iterator[tuple[str, str, str]]:
    if isinstance(form, Scalar):
        tables = {"integer": "INTEGERS", "boolean": "BOOLEANS", "base64": "BYTES", "text": ""}
        yield holder, name, tables[form.kind]
    elif isinstance(form, ListOf):
        yield holder, name, "LISTS"
        yield from _member(name, form.item_name, form.item)
    elif isinstance(form, Record):
        yield holder, name, "OBJECTS"
        yield from _walk(name, form)
    elif isinstance(form, OpenMap):
        yield holder, name, "MAPS"


def main() -> None:
    """Write the table anew."""
    FILE.write_text(document(), encoding="ascii")


if __name__ == "__main__":
    main()
