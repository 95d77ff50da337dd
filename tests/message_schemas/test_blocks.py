"""Blocks: the identifier's five components, and both wire forms meaning the same."""

from typing import Any

import pytest
from hypothesis import given

from message_schemas import examples
from message_schemas.blocks import (
    SERIAL_MAX,
    Block,
    BlockRange,
    Identifier,
    IdentifierInconsistentError,
    parse_identifier,
    render_identifier,
)
from message_schemas.json_codec import decode_body, encode_body
from tests.message_schemas import strategies


@given(block=strategies.block_ranges())
def test_an_identifier_parses_into_what_it_was_rendered_from(block: BlockRange) -> None:
    """6/CMA.4 annex I, paragraph 5: five components in this order, none lost."""
    assert parse_identifier(block.first_id) == Identifier(
        block.cooperative_approach,
        block.originating_registry,
        block.first_transferring_party,
        block.first_serial,
        block.vintage,
    )
    assert render_identifier(*_reordered(parse_identifier(block.last_id))) == block.last_id


def _reordered(parts: Identifier) -> tuple[str, str, str, int, int]:
    approach, registry, party, serial, vintage = parts
    return approach, registry, party, serial, vintage


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CA0003-GHA01-GHA-1001",
        "CA003-GHA01-GHA-1001-2023",
        "CA0003-GHA1-GHA-1001-2023",
        "CA0003-GHA01-GH-1001-2023",
        "CA0003-GHA01-GHA-0-2023",
        "CA0003-GHA01-GHA-01-2023",
        "CA0003-GHA01-GHA-1,001-2023",
        "CA0003-GHA01-GHA--1-2023",
        "CA0003-GHA01-GHA-1001-1989",
        "CA0003-GHA01-GHA-1001-2101",
        "CA0003-GHA01-GHA-1001-2023\n",
        "CA0003-GHA01-GHA-١٠٠١-2023",
        f"CA0003-GHA01-GHA-{SERIAL_MAX + 1}-2023",
    ],
)
def test_other_texts_are_no_identifiers(text: str) -> None:
    """One form, no tolerance: two readers must not differ."""
    with pytest.raises(ValueError, match=r"identifier|serial"):
        parse_identifier(text)


@given(block=strategies.blocks())
def test_split_columns_and_identifiers_name_the_same_block(block: Block) -> None:
    """Both wire forms decode to one value, and the identifiers are what is rendered."""
    proposal = examples.valid("transfer.proposal")
    rendered = encode_body(block)
    columns: dict[str, Any] = {
        name: getattr(block, name)
        for name in strategies.BLOCK_COLUMNS
        if name not in {"first_id", "last_id"}
    }
    split = {k: v for k, v in rendered.items() if k not in {"first_id", "last_id"}} | columns
    for form in (rendered, split):
        decoded = decode_body("transfer.proposal", 1, {**proposal, "blocks": [form]})
        assert decoded.blocks == (block,)
        assert encode_body(decoded)["blocks"] == [rendered]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("CA0001-THA01-THA-1-2022", "CA0002-THA01-THA-9-2022"),
        ("CA0001-THA01-THA-1-2022", "CA0001-CHE01-THA-9-2022"),
        ("CA0001-THA01-THA-1-2022", "CA0001-THA01-CHE-9-2022"),
        ("CA0001-THA01-THA-1-2022", "CA0001-THA01-THA-9-2023"),
        ("CA0001-THA01-THA-1-2022", f"CA0001-THA01-THA-{SERIAL_MAX + 1}-2022"),
    ],
)
def test_identifiers_of_two_blocks_are_refused_with_their_place(first: str, last: str) -> None:
    """First and last differ in the serial number or not at all."""
    body = {"range": {"first_id": first, "last_id": last}, "items_max": 1}
    with pytest.raises(IdentifierInconsistentError) as refused:
        decode_body("history.query", 1, body)
    assert refused.value.path == "/range"
    assert refused.value.detail in str(refused.value)


def test_a_reversed_range_is_left_to_the_checks() -> None:
    """First above last is a finding with a code of its own, not a decoding error."""
    ends = {"first_id": "CA0001-THA01-THA-9-2022", "last_id": "CA0001-THA01-THA-1-2022"}
    decoded = decode_body("history.query", 1, {"range": ends, "items_max": 1})
    assert (decoded.range.first_serial, decoded.range.last_serial) == (9, 1)


@given(block=strategies.blocks())
def test_a_block_s_range_is_its_identity(block: Block) -> None:
    """The attributes fall away, the identifiers stay."""
    assert (block.range.first_id, block.range.last_id) == (block.first_id, block.last_id)
