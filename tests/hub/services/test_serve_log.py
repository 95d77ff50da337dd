"""The log as others read it: tiles, bundles and proofs of published trees, and nothing beyond."""

import gzip

import pytest
from sqlalchemy import event

from hub.services.log_duties import policy_file
from hub.services.serve_log import (
    LogRequestError,
    LogServer,
    NotInLogError,
    NotPublishedYetError,
)
from hub.services.tile_cache import TileCache
from hub.store import log, log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile, verify_proof
from hub.transparency_log.proofs import root_of, verify_consistency
from hub.transparency_log.tiles import bundles_of, decode_bundle, tile_path, tiles_of
from tests.hub.log_world import Witness, grow, log_keys, policy_text, published, publisher
from tests.integration.peers import now


def cosigned(database: Database, checkpoint: StoredCheckpoint, witness: Witness) -> None:
    """Store a witness's word about a checkpoint."""
    line = witness.cosign(checkpoint.note)
    key_id = witness.key.key_id.hex()
    with database.writing() as connection:
        one = StoredCosignature(checkpoint.size, witness.name, key_id, line, now())
        log_checkpoints.add_cosignatures(connection, [one])


def test_the_tiles_served_give_the_root_of_the_checkpoint(either: Database) -> None:
    """Full and partial, of three levels' worth of addresses; the bundles hold the entries."""
    checkpoint = published(either, 700)
    server = LogServer(either, None)

    def read(level: int, index: int, width: int) -> bytes:
        return server.tile(tile_path(level, index, width)).body

    assert root_of(checkpoint.size, read) == checkpoint.root
    for address in tiles_of(checkpoint.size):
        answer = server.tile(address.path)
        assert len(answer.body) == 32 * address.width
        assert answer.zipped is None
    entries = [
        entry
        for address in bundles_of(checkpoint.size)
        for entry in decode_bundle(server.tile(address.path).body)
    ]
    with either.reading() as connection:
        assert entries == log.entries(connection, 0, checkpoint.size)
    zipped = server.tile("tile/entries/000").zipped
    assert zipped is not None
    assert gzip.decompress(zipped) == server.tile("tile/entries/000").body


def test_a_tile_keeps_its_bytes_when_the_log_grows(sqlite: Database) -> None:
    """A partial tile too: it is the beginning of the full one."""
    size = published(sqlite, 20).size
    server = LogServer(sqlite, None)
    part = server.tile(f"tile/0/000.p/{size}").body
    published(sqlite, 300)
    for one in (server, LogServer(sqlite, None)):
        assert one.tile(f"tile/0/000.p/{size}").body == part
        assert one.tile("tile/0/000").body[: len(part)] == part


def test_nothing_is_served_before_a_checkpoint_covers_it(sqlite: Database) -> None:
    """Neither tile nor bundle nor proof: a reader could not check them."""
    server = LogServer(sqlite, None)
    with pytest.raises(NotPublishedYetError):
        server.checkpoint()
    with pytest.raises(NotPublishedYetError):
        server.proof("0")
    with pytest.raises(NotInLogError):
        server.tile("tile/0/000.p/1")
    size = published(sqlite, 5).size
    grow(sqlite, 300)
    assert server.tile(f"tile/entries/000.p/{size}").body
    for path in (f"tile/0/000.p/{size + 1}", "tile/0/000", "tile/entries/000", "tile/1/000.p/1"):
        with pytest.raises(NotInLogError, match=str(size)):
            server.tile(path)
    with pytest.raises(NotPublishedYetError):
        server.proof(str(size))
    with pytest.raises(NotInLogError, match="newest entry"):
        server.proof(str(size + 300))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/-1/000",
        "tile/entries/000.p/",
        "tile/../checkpoint",
        "tile/0/٠٠٠",
    ],
)
def test_a_path_that_is_none_is_refused_with_a_remedy(sqlite: Database, path: str) -> None:
    """A tile has one path, and no other."""
    published(sqlite, 300)
    with pytest.raises(LogRequestError) as refused:
        LogServer(sqlite, None).tile(path)
    assert not isinstance(refused.value, NotInLogError)
    assert "tlog-tiles" in refused.value.remedy


def test_every_proof_verifies_by_the_log_key_alone(either: Database) -> None:
    """With the entry as extra data, at the edges of tiles and in the middle."""
    size = published(either, 600).size
    server = LogServer(either, None)
    for index in (0, 1, 7, 254, 255, 256, 257, 511, 512, size - 2, size - 1):
        proof = ProofFile.parse(server.proof(str(index)))
        assert proof.extra is not None
        signed = verify_proof(proof, proof.extra, log_keys().verifiers)
        assert (signed.checkpoint.size, proof.index) == (size, index)
        with either.reading() as connection:
            assert log.entry_at(connection, index) == proof.extra


def test_every_consistency_proof_verifies(either: Database) -> None:
    """Between any two published sizes, the larger one not beyond the newest checkpoint."""
    server = LogServer(either, None)
    roots: dict[int, bytes] = {}
    for count in (1, 3, 244, 2, 300, 120):
        checkpoint = published(either, count)
        roots[checkpoint.size] = checkpoint.root
    for first, first_root in roots.items():
        for second, second_root in roots.items():
            if second < first:
                continue
            found = server.consistency(str(first), str(second))
            assert found[:2] == (first, second)
            verify_consistency(first, second, first_root, second_root, found[2])
    assert server.consistency("0", "1")[2] == []
    newest = max(roots)
    grow(either, 1)
    with pytest.raises(NotInLogError):
        server.consistency("1", str(newest + 1))
    for wrong in (("2", "1"), ("01", "2"), ("-1", "2"), ("x", "2"), ("1", "9" * 30)):
        with pytest.raises(LogRequestError):
            server.consistency(*wrong)


def test_a_proof_takes_the_newest_checkpoint_with_a_quorum_that_covers_the_entry(
    sqlite: Database,
) -> None:
    """A cosigned checkpoint says more than the newest; without one that covers, the newest."""
    che, tha = Witness("che.invalid/w"), Witness("tha.invalid/w")
    policy = Policy.parse(policy_text(che, tha, threshold=2))
    both, one, none = (published(sqlite, 3) for _ in range(3))
    for witness in (che, tha):
        cosigned(sqlite, both, witness)
    cosigned(sqlite, one, che)
    server = LogServer(sqlite, policy)

    def size_for(index: int) -> int:
        proof = ProofFile.parse(server.proof(str(index)))
        assert proof.extra is not None
        return verify_proof(proof, proof.extra, log_keys().verifiers).checkpoint.size

    assert size_for(both.size - 1) == both.size
    assert size_for(both.size) == none.size
    handed_out = Policy.parse(policy_file(log_keys(), policy))
    handed_out.open(ProofFile.parse(server.proof("3")).checkpoint_note)
    with pytest.raises(NotPublishedYetError, match="quorum"):
        server.proof(str(both.size), policy)
    assert server.checkpoint() == none.note
    cosigned(sqlite, none, tha)
    assert tha.name in server.checkpoint()


def test_proofs_of_full_tiles_are_made_from_memory(sqlite: Database) -> None:
    """The second proof reads neither tiles nor entries that the first one read."""
    published(sqlite, 600)
    server = LogServer(sqlite, None)
    server.tile("tile/entries/000")
    server.proof("3")
    statements: list[str] = []
    engine = sqlite._reader

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    server.proof("5")
    server.tile("tile/0/000")
    assert not [one for one in statements if "log_tile" in one or "log_entry" in one]


def test_the_memory_of_tiles_is_bounded_and_forgets_what_was_used_longest_ago() -> None:
    """In bytes, not in pieces; a piece kept twice counts once."""
    cache: TileCache[bytes] = TileCache(100, len)
    cache.put("a", b"a" * 40)
    cache.put("b", b"b" * 40)
    assert cache.get("a") == b"a" * 40
    cache.put("c", b"c" * 40)
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == (b"a" * 40, b"c" * 40)
    cache.put("a", b"x" * 60)
    assert cache.bytes_kept == 100
    assert cache.get_or_make("a", lambda: b"never made") == b"x" * 60
    cache.put("too much", b"z" * 101)
    assert cache.get("too much") is None
    assert cache.bytes_kept == 0


def test_leaves_are_hashed_as_rfc_6962_says(sqlite: Database) -> None:
    """The hashes of a level 0 tile are those of the entries in the bundle beside it."""
    size = published(sqlite, 9).size
    server = LogServer(sqlite, None)
    entries = decode_bundle(server.tile(f"tile/entries/000.p/{size}").body)
    hashes = b"".join(leaf_hash(entry) for entry in entries)
    assert server.tile(f"tile/0/000.p/{size}").body == hashes
    assert publisher(sqlite).publish(now()) is None
