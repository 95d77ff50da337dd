"""The browser's own hashing and signatures, run in the browser, against trees and notes of ours.

Right proofs hold; a proof with any byte flipped, a hash more or less, or another size does not.
"""

import base64
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from hub.console.assets import FOLDER
from hub.services.log_keys import LogKeys
from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.hashing import node_hash
from hub.transparency_log.notes import Note, SignatureType, VerifierKey
from hub.transparency_log.proofs import (
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.hub.log_world import Witness, log_keys
from tests.hub.transparency_log import trees
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]

ADDRESS = "http://127.0.0.1:1/"  # answered by the test: nothing listens there
SCRIPTS = FOLDER / "js"
LOAD = """async () => {
  window.merkle = await import("/merkle.js");
  window.notes = await import("/notes.js");
  window.bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  window.holds = async (check) => {
    try {
      await check();
      return true;
    } catch (error) {
      if (error.name !== "ProofError" && error.name !== "NoteError") throw error;
      return false;
    }
  };
  window.consistent = (it) => holds(() => merkle.verifyConsistency(BigInt(it.first),
    BigInt(it.second), bytes(it.firstRoot), bytes(it.secondRoot), it.proof.map(bytes)));
  window.included = (it) => holds(() => merkle.verifyInclusion(BigInt(it.index), BigInt(it.size),
    bytes(it.leaf), it.proof.map(bytes), bytes(it.root)));
}"""
FLIPPED = """async ([name, it, fields]) => {
  const check = window[name];
  if (!(await check(it))) throw new Error("the proof itself does not hold");
  const flip = (text, at) => {
    const changed = bytes(text);
    changed[at] ^= 1 << (at % 8);
    return btoa(String.fromCharCode(...changed));
  };
  let accepted = 0;
  for (let at = 0; at < 32; at += 1) {
    for (let one = 0; one < it.proof.length; one += 1) {
      const proof = it.proof.with(one, flip(it.proof[one], at));
      accepted += await check({ ...it, proof });
    }
    for (const field of fields) accepted += await check({ ...it, [field]: flip(it[field], at) });
  }
  return accepted;
}"""


def text(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()


def consistent(first: int, second: int, roots: Sequence[bytes], proof: Sequence[bytes]) -> Any:
    """Return a question of consistency as the browser takes it."""
    return {
        "first": str(first),
        "second": str(second),
        "firstRoot": text(roots[0]),
        "secondRoot": text(roots[1]),
        "proof": [text(one) for one in proof],
    }


def included(index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]) -> Any:
    """Return a question of inclusion as the browser takes it."""
    return {
        "index": str(index),
        "size": str(size),
        "leaf": text(leaf),
        "root": text(root),
        "proof": [text(one) for one in proof],
    }


def of_trees(first: int, second: int) -> Any:
    """Return the true question of two sizes of the example tree."""
    proof = trees.subproof(first, 0, second, known=True) if 0 < first < second else []
    return consistent(first, second, (trees.mth(0, first), trees.mth(0, second)), proof)


def of_leaf(index: int, size: int) -> Any:
    """Return the true question of an entry of the example tree."""
    proof = trees.path(index, 0, size)
    return included(index, size, trees.leaf(index), trees.mth(0, size), proof)


def all_alike(level: int, _index: int, width: int) -> bytes:
    """Return a tile of a tree of any size whose leaves are all the same."""
    one = b"\x07" * 32
    for _ in range(8 * level):
        one = node_hash(one, one)
    return one * width


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """Open an empty page that has the modules at hand; no server is needed for them."""
    context = chromium.new_context()
    context.route("**/*", _serve)
    opened = context.new_page()
    opened.goto(ADDRESS)
    opened.evaluate(LOAD)
    opened.evaluate(BELIEVED)
    yield opened
    context.close()


def _serve(route: Route) -> None:
    name = route.request.url.removeprefix(ADDRESS)
    if name:
        route.fulfill(path=SCRIPTS / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>x</title>", content_type="text/html")


def asked(page: Page, name: str, questions: list[Any]) -> list[bool]:
    """Return the browser's answers."""
    answers: list[bool] = page.evaluate(
        "([name, all]) => Promise.all(all.map((one) => window[name](one)))", [name, questions]
    )
    return answers


def test_proofs_of_random_trees_hold_and_those_of_others_do_not(page: Page, run_seed: int) -> None:
    """Hundreds of them; a proof of other sizes, a hash more, less or out of turn is refused."""
    chance = random.Random(run_seed)
    right, wrong = [], []
    for _ in range(150):
        second = chance.choice([chance.randint(1, 40), chance.randint(1, 900)])
        first = chance.randint(0, second)
        one = of_trees(first, second)
        right.append(one)
        wrong.append({**one, "proof": [*one["proof"], text(trees.leaf(1))]})
        if one["proof"]:
            wrong.append({**one, "proof": one["proof"][:-1]})
            wrong.append({**one, "proof": one["proof"][1:]})
            wrong.append({**one, "first": str(first - 1)})
        if len(set(one["proof"])) > 1:
            wrong.append({**one, "proof": one["proof"][::-1]})
        if first != second:
            wrong.append({**one, "secondRoot": one["firstRoot"]})
    assert asked(page, "consistent", right) == [True] * len(right)
    held = [one for one, ok in zip(wrong, asked(page, "consistent", wrong), strict=True) if ok]
    assert [one for one in held if not _holds_here(one)] == []
    leaves = [(chance.randint(0, size - 1), size) for size in chance.choices(range(1, 900), k=150)]
    proofs = [of_leaf(index, size) for index, size in leaves]
    assert asked(page, "included", proofs) == [True] * len(proofs)
    moved = [
        {**one, "index": str((index + 1) % size)}
        for one, (index, size) in zip(proofs, leaves, strict=True)
        if size > 1
    ]
    assert asked(page, "included", moved) == [False] * len(moved)


def _holds_here(one: Any) -> bool:
    """Tell whether our own verifier takes a question too: a shorter proof may be another's."""
    try:
        verify_consistency(
            int(one["first"]),
            int(one["second"]),
            base64.b64decode(one["firstRoot"]),
            base64.b64decode(one["secondRoot"]),
            [base64.b64decode(item) for item in one["proof"]],
        )
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("first", "second"), [(1, 2), (6, 13), (8, 200), (255, 257), (300, 777)])
def test_a_proof_with_any_byte_flipped_is_refused(page: Page, first: int, second: int) -> None:
    """In a hash of it, in either root, and in the leaf."""
    of_roots = [of_trees(first, second), ["firstRoot", "secondRoot"]]
    assert page.evaluate(FLIPPED, ["consistent", *of_roots]) == 0
    of_entry = [of_leaf(first, second), ["leaf", "root"]]
    assert page.evaluate(FLIPPED, ["included", *of_entry]) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (2**31 - 1, 2**31 + 1),
        (2**32 + 5, 2**33 + 1),
        (10**8, 10**8 + 12_345),
        (2**53 - 1, 2**53 + 3),
        (2**60 + 1, 2**61 + 7),
    ],
)
def test_trees_beyond_the_numbers_of_javascript_are_counted_right(
    page: Page, first: int, second: int
) -> None:
    """Sizes are whole numbers of any length; one beside the right one is refused."""
    roots = root_of(first, all_alike), root_of(second, all_alike)
    proof = consistency_proof(first, second, all_alike)
    verify_consistency(first, second, *roots, proof)
    question = consistent(first, second, roots, proof)
    beside = {**question, "second": str(second - 1)}
    answers = asked(page, "consistent", [question, {**question, "second": str(second + 2**63)}])
    assert answers == [True, False]
    assert asked(page, "consistent", [beside]) == [_holds_here(beside)]
    path = inclusion_proof(first, second, all_alike)
    leaf = b"\x07" * 32
    verify_inclusion(first, second, leaf, path, roots[1])
    entry = included(first, second, leaf, roots[1], path)
    assert asked(page, "included", [entry, {**entry, "index": str(second)}]) == [True, False]


def test_what_is_no_hash_or_too_many_is_refused(page: Page) -> None:
    """Before anything is hashed."""
    good = of_trees(3, 7)
    short = {**good, "proof": [text(b"x" * 31), *good["proof"][1:]]}
    many = {**good, "proof": [text(b"x" * 32)] * 64}
    negative = {**good, "first": "-1"}
    assert asked(page, "consistent", [short, many, negative]) == [False] * 3


NOTE = """async ([note, vkey, witness]) => believed(note, vkey, witness)"""
NOTES = """async ([all, vkey, witness]) => {
  const found = [];
  for (const note of all) found.push(await believed(note, vkey, witness));
  return found;
}"""
BELIEVED = """() => { window.believed = (note, vkey, witness) => holds(async () => {
  const parsed = notes.parseNote(note);
  const checkpoint = notes.parseCheckpoint(parsed.text);
  await notes.verifyLogSignature(parsed, checkpoint, await notes.parseVkey(vkey));
  if (witness) {
    const said = await notes.cosignatureOf(parsed, await notes.parseVkey(witness));
    if (said.state !== "good" || said.time !== 1700000000n) throw new notes.NoteError(said.state);
  }
}); }"""


def a_note(keys: LogKeys, *lines: str, size: int = 2**40) -> str:
    """Return a signed checkpoint of a large tree with more signature lines."""
    return keys.sign(size, trees.mth(0, 9)) + "".join(lines)


def test_a_note_is_believed_by_its_signatures_alone(page: Page, run_seed: int) -> None:
    """The log's and a witness's; with any character changed it is refused."""
    keys, witness = log_keys(), Witness("w.example")
    line = cosign(
        Checkpoint(keys.origin, 2**40, trees.mth(0, 9)),
        witness.key,
        witness.signer.sign,
        1_700_000_000,
    ).line
    note, vkey = a_note(keys, line), keys.vkeys[0]
    assert page.evaluate(NOTE, [note, vkey, witness.key.vkey])
    chance = random.Random(run_seed)
    spoilt = [
        note[:at] + chr(ord(note[at]) ^ chance.choice([1, 2, 4, 16])) + note[at + 1 :]
        for at in range(len(note))
    ]
    believed = page.evaluate(NOTES, [spoilt, vkey, witness.key.vkey])
    assert [one for one, ok in zip(spoilt, believed, strict=True) if ok] == []


def test_keys_that_are_not_the_logs_own_do_not_speak_for_it(page: Page) -> None:
    """Another key, another name, a weak key, a line twice, and a key of another type."""
    keys = log_keys()
    note = a_note(keys)
    other = VerifierKey(keys.origin, SignatureType.ED25519, Witness("x").key.public_key)
    renamed = VerifierKey("other.example", SignatureType.ED25519, keys.verifiers[0].public_key)
    typed = VerifierKey(keys.origin, SignatureType.COSIGNATURE_ED25519, Witness("x").key.public_key)
    for key in (other, renamed, typed):
        assert not page.evaluate(NOTE, [note, key.vkey, None])
    assert not page.evaluate(NOTE, [note, keys.vkeys[0][:-4] + "AAAA", None])
    twice = Note.parse(note).signatures[0].line
    assert not page.evaluate(NOTE, [note + twice, keys.vkeys[0], None])
    assert page.evaluate(NOTE, [note, keys.vkeys[0], None])


def test_a_weak_key_signs_nothing(page: Page) -> None:
    """A key of small order would verify texts that nobody signed."""
    weak = """async () => {
      const point = new Uint8Array(32);
      point[0] = 1;
      const key = { name: "x", keyId: "00000000", type: 1, publicKey: point };
      const signature = new Uint8Array(64);
      signature[0] = 1;
      const note = { text: "x\\n", signatures: [{ name: "x", keyId: "00000000", signature }] };
      return holds(() => notes.verifyLogSignature(note, { origin: "x" }, key));
    }"""
    assert page.evaluate(weak) is False
