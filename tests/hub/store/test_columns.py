"""Columns hold what the schemas let in: a longer text would be our defect, not the peer's."""

from typing import Any

import pytest
from sqlalchemy import String

from hub.store.people import tables as _people  # noqa: F401 - adds its tables
from hub.store.reconciliation import tables as _reconciliation  # noqa: F401 - adds its tables
from hub.store.tables import metadata
from message_schemas import schema_files

# Column -> the definition or property of the schemas that bounds what a peer may put there.
WIRE_TEXTS = {
    ("unit_block", "underlying_first"): ("common", "underlying_unit", "first_unit_id"),
    ("unit_block", "underlying_last"): ("common", "underlying_unit", "last_unit_id"),
    ("posting", "underlying_first"): ("common", "underlying_unit", "first_unit_id"),
    ("posting", "underlying_last"): ("common", "underlying_unit", "last_unit_id"),
}


def longest(schema: str, definition: str, name: str) -> int:
    """Return the maxLength of a property, references followed within the common definitions."""
    definitions: dict[str, Any] = schema_files.DOCUMENTS[schema]["$defs"]
    found = definitions[definition]["properties"][name]
    while "$ref" in found:
        found = definitions[found["$ref"].rpartition("/")[2]]
    return int(found["maxLength"])


@pytest.mark.parametrize("column", WIRE_TEXTS, ids="-".join)
def test_a_column_takes_the_longest_text_its_schema_allows(column: tuple[str, str]) -> None:
    """PostgreSQL refuses a longer one with an error that no peer could mend."""
    table, name = column
    column_type = metadata.tables[table].c[name].type
    assert isinstance(column_type, String)
    assert column_type.length is not None
    assert column_type.length >= longest(*WIRE_TEXTS[column])
