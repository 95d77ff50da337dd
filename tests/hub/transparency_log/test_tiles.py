"""Tiles, bundles and their paths, as C2SP tlog-tiles writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.tiles import (
    INDEX_MAX,
    TileAddress,
    TileError,
    TileNodes,
    bundles_of,
    decode_bundle,
    encode_bundle,
    entries_path,
    hash_tile,
    parse_tile_path,
    perfect_root,
    split_hashes,
    tile_path,
    tiles_of,
    width_of,
)
from tests.hub.transparency_log.trees import entries, mth, tiles


def test_the_paths_are_those_of_the_specification() -> None:
    """Index 1234067 is x001/x234/067; a partial tile ends in its width."""
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path(1, 0) == "tile/1/000"
    assert tile_path(63, 999, 255) == "tile/63/999.p/255"
    assert tile_path(0, 1000) == "tile/0/x001/000"
    assert entries_path(273, 112) == "tile/entries/273.p/112"


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    """273 full and one partial of 112; one full and one of 17; one of width 1."""
    found = tiles_of(70_000)
    assert [item for item in found if not item.is_full] == [
        TileAddress(0, 273, 112),
        TileAddress(1, 1, 17),
        TileAddress(2, 0, 1),
    ]
    assert sum(item.level == 0 for item in found) == 274
    assert sum(item.level == 1 for item in found) == 2
    assert [item.index for item in bundles_of(70_000)] == list(range(274))


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above() -> None:
    """The specification's own edge."""
    assert tiles_of(256) == [TileAddress(0, 0), TileAddress(1, 0, 1)]
    assert bundles_of(256) == [TileAddress(None, 0)]
    assert tiles_of(0) == bundles_of(0) == []


@given(size=st.integers(0, 2**63 - 1), level=st.integers(0, 63))
def test_a_partial_tile_is_as_wide_as_the_specification_says(size: int, level: int) -> None:
    """floor(s / 256**l) mod 256, and nothing beyond it."""
    wanted = size // 256**level % 256
    last = size // 256**level // 256
    assert width_of(level, last, size) == wanted
    assert width_of(level, last + 1, size) == 0
    assert last == 0 or width_of(level, last - 1, size) == 256


addresses = st.builds(
    TileAddress,
    st.one_of(st.none(), st.integers(0, 63)),
    st.one_of(st.integers(0, 2000), st.integers(0, INDEX_MAX)),
    st.integers(1, 256),
)


@given(address=addresses)
def test_every_path_is_read_back(address: TileAddress) -> None:
    """A path names one tile, and a tile has one path."""
    assert parse_tile_path(address.path) == address


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "/tile/0/000",
        "tile/0/000/",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/entry/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/" + "x999/" * 5000 + "999",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """Leading zeros, empty tiles, full widths, foreign digits and numbers beyond 2^63."""
    with pytest.raises(TileError):
        parse_tile_path(path)


def test_a_full_tile_hashes_to_the_root_of_its_leaves() -> None:
    """The root of 256 leaves, as the recursive definition gives it."""
    hashes = tiles(256).read(0, 0, 256)
    assert hash_tile(hashes) == mth(0, 256)
    assert b"".join(split_hashes(hashes)) == hashes


@pytest.mark.parametrize("length", [0, 32, 8160, 8191, 8224])
def test_a_partial_tile_is_never_hashed_into_the_level_above(length: int) -> None:
    """Partial tiles MUST NOT be hashed."""
    with pytest.raises(TileError, match="8192"):
        hash_tile(bytes(length))


@given(width=st.integers(1, 256), data=st.data())
def test_the_nodes_of_a_tile_are_the_roots_of_its_perfect_subtrees(
    width: int, data: st.DataObject
) -> None:
    """Asked for in any order, in full and partial tiles: each as the definition gives it."""
    hashes = b"".join(leaf_hash(b"%d" % at) for at in range(width))
    nodes = TileNodes(hashes)
    assert nodes.width == width
    for _ in range(5):
        row = data.draw(st.integers(0, width.bit_length() - 1))
        offset = data.draw(st.integers(0, (width >> row) - 1))
        part = split_hashes(hashes)[offset << row : (offset + 1) << row]
        assert nodes.node(row, offset) == perfect_root(part)


@pytest.mark.parametrize("length", [0, 31, 33, 8193, 8224])
def test_nodes_are_made_of_a_tile_only(length: int) -> None:
    """One to 256 whole hashes."""
    with pytest.raises(TileError):
        TileNodes(bytes(length))


@pytest.mark.parametrize("length", [0, 31, 33, 8193, 8224])
def test_a_tile_is_whole_hashes(length: int) -> None:
    """One to 256 of them."""
    with pytest.raises(TileError):
        split_hashes(bytes(length))


@given(held=st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_gives_its_entries_back(held: list[bytes]) -> None:
    """Any bytes, also none, each with its length before it."""
    data = encode_bundle(held)
    assert decode_bundle(data) == held
    assert len(data) == sum(2 + len(item) for item in held)


def test_a_bundle_is_big_endian_and_takes_the_longest_entry() -> None:
    """Two bytes of length: up to 65,535."""
    assert encode_bundle([b"ab", b""]) == b"\0\2ab\0\0"
    assert decode_bundle(encode_bundle([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(TileError, match="65535"):
        encode_bundle([bytes(65_536)])


@given(cut=st.integers(1, 20))
def test_a_cut_bundle_is_refused_or_whole_up_to_the_cut(cut: int) -> None:
    """Within an entry it is an error; between two entries it is a shorter bundle."""
    data = encode_bundle(entries(0, 3))
    try:
        found = decode_bundle(data[:-cut])
    except TileError:
        return
    assert found == list(entries(0, len(found)))
    assert cut in {9, 18}


def test_empty_and_overfull_bundles_are_refused() -> None:
    """They are never served."""
    for held in ([], [b""] * 257):
        with pytest.raises(TileError):
            encode_bundle(held)
        with pytest.raises(TileError):
            decode_bundle(b"\0\0" * len(held))
