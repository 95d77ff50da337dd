"""Long lists of ids, in parts that one statement can take.

PostgreSQL's protocol numbers the parameters of a statement with 16 bits, SQLite is compiled with a
limit of its own (32,766 unless changed). A batch of envelopes may name more than either.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final, TypeVar

PART_COUNT_MAX: Final = 10_000
"""Values in one part; a pair takes two parameters."""

Value = TypeVar("Value")


def in_parts(values: Collection[Value], count_max: int = PART_COUNT_MAX) -> Iterator[list[Value]]:
    """Return the values in lists of at most ``count_max``; nothing for none."""
    rest = iter(values)
    while part := list(islice(rest, count_max)):
        yield part
