"""Unit blocks: who they are, and what stays with them for life.

A block is a run of serial numbers inside one *series*: cooperative approach, originating Party
registry, first transferring Party and vintage (6/CMA.4 annex I, paragraph 5). Two wire forms
name it:

* ``first_id`` and ``last_id``, each a full identifier ``CA0003-GHA01-GHA-1001-2023``;
* split columns, as in the tables of the agreed electronic format.

Both are accepted; the full identifiers are what is rendered. The dataclasses hold the columns.
The registry in an identifier is the *originating* one; where a block is held is another matter.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

SERIAL_MAX: Final = 2**63 - 2
_IDENTIFIER: Final = re.compile(
    r"(CA[0-9]{4})-([A-Z]{3}[0-9]{2})-([A-Z]{3})-([1-9][0-9]{0,18})-(199[0-9]|20[0-9]{2}|2100)"
)


class IdentifierInconsistentError(ValueError):
    """A block's identifiers cannot be one block's.

    ``path`` is the JSON pointer of the block inside the message body, ``detail`` one sentence.
    """

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


class Identifier(NamedTuple):
    """The five components of one unit's identifier, in the order of 6/CMA.4 annex I, para 5."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    serial: int
    vintage: int


def parse_identifier(text: str) -> Identifier:
    """Return the components of a full identifier.

    Raises ValueError when the text has another form or a serial beyond SERIAL_MAX.
    """
    match = _IDENTIFIER.fullmatch(text)
    if match is None:
        raise ValueError(f"not an identifier like CA0003-GHA01-GHA-1001-2023: {text[:60]!r}")
    approach, registry, party, serial, vintage = match.groups()
    if int(serial) > SERIAL_MAX:
        raise ValueError(f"serial number beyond {SERIAL_MAX}: {text}")
    return Identifier(approach, registry, party, int(serial), int(vintage))


def render_identifier(
    cooperative_approach: str,
    originating_registry: str,
    first_transferring_party: str,
    serial: int,
    vintage: int,
) -> str:
    """Return the full identifier of one unit."""
    return (
        f"{cooperative_approach}-{originating_registry}-{first_transferring_party}"
        f"-{serial}-{vintage}"
    )


@dataclass(frozen=True, slots=True)
class BlockRange:
    """A run of serial numbers of one series: identity only. Both ends are included."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int

    @property
    def first_id(self) -> str:
        """The full identifier of the first unit."""
        return _identifier_at(self, self.first_serial)

    @property
    def last_id(self) -> str:
        """The full identifier of the last unit."""
        return _identifier_at(self, self.last_serial)


@dataclass(frozen=True, slots=True)
class UnderlyingUnit:
    """The units of the programme's own registry that a block stands for (4/CMA.6 para 5(j))."""

    registry: str
    first_unit_id: str
    last_unit_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block with the attributes that are fixed for its life.

    ``quantity`` is in t CO2 eq, or in ``non_ghg_metric`` when ``metric`` is ``non-GHG``
    (2/CMA.3 annex, para 1(c)). ``vintage`` is the year of the mitigation (6/CMA.4 para 5).
    """

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    quantity: int
    metric: str
    mitigation_type: str
    authorization_id: str
    authorization_version: int
    sector: str
    activity_type: str | None = None
    non_ghg_metric: str | None = None
    gwp_values: str | None = None
    underlying_unit: UnderlyingUnit | None = None

    @property
    def first_id(self) -> str:
        """The full identifier of the first unit."""
        return _identifier_at(self, self.first_serial)

    @property
    def last_id(self) -> str:
        """The full identifier of the last unit."""
        return _identifier_at(self, self.last_serial)

    @property
    def range(self) -> BlockRange:
        """The block's identity without its attributes."""
        return BlockRange(
            self.cooperative_approach,
            self.originating_registry,
            self.first_transferring_party,
            self.vintage,
            self.first_serial,
            self.last_serial,
        )


def _identifier_at(block: Block | BlockRange, serial: int) -> str:
    return render_identifier(
        block.cooperative_approach,
        block.originating_registry,
        block.first_transferring_party,
        serial,
        block.vintage,
    )
