"""Open a feed file, find its place, and judge it all before anything is sent.

1. The name of the file is the name of the feed. A name seen before must lead to a file that
   begins with the very bytes that were pushed; it may have grown since.
2. The survey reads the whole file. What it refuses is written down, line by line, and what the
   issuances add up to is there to be shown before the first envelope is sealed.
3. The push reads the file a second time, from its place on, and skips what is written down.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from connectors.mechanism_registry.feed_fields import COLUMNS
from connectors.mechanism_registry.feed_lines import (
    FeedFormat,
    FeedLine,
    FeedPlace,
    FeedReader,
    FeedRefusedError,
    Reader,
    place_at,
)
from connectors.mechanism_registry.feed_xml import XmlFeedReader
from connectors.mechanism_registry.shares import IssuanceTally
from connectors.mechanism_registry.store import FeedState, Refusal, refusals_of
from connectors.mechanism_registry.survey import Survey, Totals

LINES_PER_STEP: Final = 500


class FeedChangedError(Exception):
    """The file is not the one that was pushed, or it changed under our hands."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the survey of a feed found; ``end`` is the place behind the last good line."""

    totals: Totals
    tallies: tuple[IssuanceTally, ...]
    end: FeedPlace
    unterminated: bool


def open_reader(path: Path, format_: FeedFormat) -> Reader:
    """Return a reader of the feed's lines, at the first of them.

    Raises FeedRefusedError when the file is no feed of the format, OSError.
    """
    if format_ is FeedFormat.XML:
        return XmlFeedReader(path)
    return FeedReader(path, format_, COLUMNS)


def steps(lines: Iterator[FeedLine]) -> Iterator[list[FeedLine]]:
    """Return the lines a few hundred at a time."""
    while step := list(islice(lines, LINES_PER_STEP)):
        yield step


def survey_feed(
    path: Path,
    format_: FeedFormat,
    survey: Survey,
    refuse: Callable[[Sequence[Refusal]], None],
    registry: str,
    seen: Callable[[int], None],
) -> Surveyed:
    """Judge every line; ``refuse`` gets the refusals, ``seen`` the number of bytes read so far.

    Raises FeedRefusedError when the file is no feed, OSError when it cannot be read.
    """
    unterminated = False
    with closing(open_reader(path, format_)) as reader:
        for step in steps(iter(reader)):
            refusals = [
                refusal
                for judged in survey.judge(step)
                for refusal in refusals_of(judged.number, judged.row, judged.problems, registry)
            ]
            refuse(refusals)
            seen(step[-1].end_offset)
            unterminated = not step[-1].terminated
        return Surveyed(survey.totals, tuple(survey.tallies()), reader.place, unterminated)


def find_place(path: Path, format_: FeedFormat, state: FeedState | None) -> FeedPlace:
    """Return where to go on with a feed: behind the header, or where an earlier run stopped.

    Raises FeedChangedError when the file does not begin with what was pushed.
    """
    if state is None or state.line == 0:
        with closing(open_reader(path, format_)) as reader:
            return reader.place
    try:
        place = place_at(path, state.offset_bytes, state.line, format_)
    except FeedRefusedError as error:
        raise FeedChangedError(str(error)) from None
    if place.reached_sha256 != state.prefix_sha256:
        raise FeedChangedError(
            f"{path.name} was pushed before up to line {state.line}, with another content; "
            "give a corrected feed another name"
        )
    return place
