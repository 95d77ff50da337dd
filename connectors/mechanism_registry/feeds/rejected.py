"""The refused lines of a feed, as the source wrote them, in a file that is a feed itself.

1. What stands around the lines is kept: the header of CSV, the root element of XML.
2. Each refused line follows with exactly its bytes, in the order of the feed; one refused for
   several reasons stands once. What is no line has no place here: where XML broke off.
3. The file is mended by hand (``FEED.refusals.jsonl`` says what is wrong) and pushed like any
   other feed, with the same mapping. What the hub has already is known again by its content.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.lines import BYTE_ORDER_MARK
from connectors.mechanism_registry.store import Refusal


def rejected_path(feed: Feed) -> Path:
    """Return where the rejected lines of a feed go: FEED.rejected.FORMAT."""
    return feed.path.with_name(f"{feed.path.name}.rejected.{feed.format.value}")


def write_rejected(feed: Feed, refusals: Iterable[Refusal]) -> int:
    """Write the refused lines beside the feed, replacing the file; return how many there are.

    No refused line, no file. ``refusals`` come in the order of the lines. Raises OSError.
    """
    path = rejected_path(feed)
    written, last = 0, None
    with closing(feed.open()) as reader:
        head, foot = reader.head, reader.foot
    new = path.with_name(f"{path.name}.new")
    with feed.path.open("rb") as source, new.open("wb") as file:
        file.write(head if head == BYTE_ORDER_MARK else _ended(head))
        for refusal in refusals:
            if refusal.line == last or refusal.offset_bytes is None or refusal.end_bytes is None:
                continue
            source.seek(refusal.offset_bytes)
            file.write(_ended(source.read(refusal.end_bytes - refusal.offset_bytes)))
            written, last = written + 1, refusal.line
        file.write(foot)
    if written:
        new.replace(path)
    else:
        new.unlink()
        path.unlink(missing_ok=True)
    return written


def _ended(raw: bytes) -> bytes:
    """Return the bytes with a line break at their end, if there are any."""
    return raw if not raw or raw.endswith(b"\n") else raw + b"\n"
