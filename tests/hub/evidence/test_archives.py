"""The file of a bundle: every byte of it counts."""

import contextlib
import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.evidence.archives import (
    MANIFEST,
    UnusableError,
    archive,
    decode_base64,
    digest,
    read_archive,
    read_manifest,
)
from hub.evidence.verification import verify
from tests.hub.evidence.made_log import Story, bundle_of

STORY = Story(filler=3).tell()
EVIDENCE = STORY.evidence()
BUNDLE = bundle_of(EVIDENCE)
ANCHOR = STORY.trusted.anchor(*STORY.seller, *STORY.buyer, hub=STORY.log.hub_signers)


@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
@settings(max_examples=400, deadline=None)
def test_any_changed_byte_makes_the_file_unusable(position: int, flip: int) -> None:
    """Also a byte that no program for archives would look at."""
    damaged = bytearray(BUNDLE)
    damaged[position] ^= flip
    with pytest.raises(UnusableError):
        verify(bytes(damaged), ANCHOR)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_found_also_by_who_mends_archive_and_manifest(
    data: st.DataObject,
) -> None:
    """A forger who fixes checksums and digests still proves nothing he could not before."""
    files = read_archive(BUNDLE)
    path = data.draw(st.sampled_from(sorted(files.keys() - {MANIFEST, "story.html"})))
    position = data.draw(st.integers(0, len(files[path]) - 1))
    changed = bytearray(files[path])
    changed[position] ^= data.draw(st.integers(1, 255))
    try:
        report = verify(mended({**files, path: bytes(changed)}), ANCHOR)
    except UnusableError:
        return
    harmless = path == "keys.json" or path.startswith("proofs/") or path == "checkpoint.txt"
    if report.verdict != "failed":
        # Only what nothing rests on may differ: an unknown signer's line, a claim not needed.
        assert harmless, path
        assert report == verify(BUNDLE, ANCHOR)


def mended(files: dict[str, bytes]) -> bytes:
    """Return an archive of changed files whose manifest lists them as they are."""
    manifest = json.loads(files[MANIFEST])
    for one in manifest["files"]:
        one["sha256"] = digest(files[one["path"]])
    return archive({**files, MANIFEST: json.dumps(manifest).encode()})


def test_the_same_content_makes_the_same_file() -> None:
    """A bundle is deterministic, so that two exports can be compared."""
    assert bundle_of(EVIDENCE) == BUNDLE
    assert archive(read_archive(BUNDLE)) == BUNDLE


@pytest.mark.parametrize("kind", ["packed", "twice", "outside", "behind", "before", "reordered"])
def test_an_archive_by_other_hands_is_refused(kind: str) -> None:
    """Packed, with a name twice, a path outside, bytes around it: none is what the hub writes."""
    files = read_archive(BUNDLE)
    target = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if kind == "packed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", packing) as opened:
        names = sorted(files, reverse=kind == "reordered")
        for name in names:
            opened.writestr(name, files[name])
        if kind == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                opened.writestr(MANIFEST, files[MANIFEST])
        if kind == "outside":
            opened.writestr("../outside.txt", b"")
    data = {"behind": BUNDLE + b"\0", "before": b"\0" + BUNDLE}.get(kind, target.getvalue())
    with pytest.raises(UnusableError):
        read_archive(data)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"format": "itmo-evidence/1"},
        {"format": "itmo-evidence/2", "files": [], "items": []},
        {"format": "itmo-evidence/1", "files": [{"path": "a", "sha256": ""}], "items": []},
        {"format": "itmo-evidence/1", "files": [], "items": [{"index": 2}, {"index": 1}]},
        {"format": "itmo-evidence/1", "files": [], "items": 7},
        [],
    ],
)
def test_a_manifest_of_another_form_is_unusable(manifest: object) -> None:
    """The manifest lists exactly the files, and the items in the order of the log."""
    with pytest.raises(UnusableError):
        read_manifest({MANIFEST: json.dumps(manifest).encode()})


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_bundle_are_unusable_and_nothing_worse(data: bytes) -> None:
    """Whatever the file is, the reader is told that it is no bundle."""
    with pytest.raises(UnusableError):
        verify(data, ANCHOR)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    ),
    st.sampled_from(["items", "transfer_id", "files"]),
)
@settings(max_examples=150, deadline=None)
def test_a_manifest_of_any_shape_is_refused_in_words(value: object, member: str) -> None:
    """A malformed manifest never ends in anything but UnusableError or findings."""
    files = read_archive(BUNDLE)
    manifest = json.loads(files[MANIFEST]) | {member: value}
    with contextlib.suppress(UnusableError):
        verify(archive({**files, MANIFEST: json.dumps(manifest).encode()}), ANCHOR)


@pytest.mark.parametrize("text", ["a", "AB=C", "AA==AA", "AB", "é"])
def test_base64_has_one_spelling(text: str) -> None:
    """What decodes to the same bytes in two ways is refused."""
    with pytest.raises(ValueError, match=r".*"):
        decode_base64(text)
