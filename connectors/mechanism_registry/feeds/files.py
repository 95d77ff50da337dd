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

from connectors.mechanism_registry.feeds.fields import COLUMNS
from connectors.mechanism_registry.feeds.lines import (
    FeedFormat,
    FeedLine,
    FeedPlace,
    FeedReader,
    FeedRefusedError,
    Reader,
    place_at,
)
from connectors.mechanism_registry.feeds.mapping import Mapping
from connectors.mechanism_registry.feeds.xml_records import XmlFeedReader
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.issuances.survey import Survey, Totals
from connectors.mechanism_registry.store import FeedState, Refusal, refusals_of

LINES_PER_STEP: Final = 500


class FeedChangedError(Exception):
    """The file is not the one that was pushed, or it changed under our hands."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the survey of a feed found; ``end`` is the place behind the last good line.

    ``tallies`` gives the issuances one by one, each time anew.
    """

    totals: Totals
    tallies: Callable[[], Iterator[IssuanceTally]]
    end: FeedPlace
    unterminated: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed file, its format, and the mapping from its names to ours, if it needs one."""

    path: Path
    format: FeedFormat
    mapping: Mapping | None = None

    def open(self) -> Reader:
        """Return a reader of the lines, at the first of them.

        Raises FeedRefusedError when the file is no feed of the format, OSError.
        """
        if self.format is FeedFormat.XML:
            return XmlFeedReader(self.path)
        return FeedReader(self.path, self.format, COLUMNS if self.mapping is None else None)

    def steps(self, lines: Iterator[FeedLine]) -> Iterator[list[FeedLine]]:
        """Return the lines in our names, a few hundred at a time."""
        while step := list(islice(lines, LINES_PER_STEP)):
            yield step if self.mapping is None else [self.mapping.line(line) for line in step]


def survey_feed(
    feed: Feed,
    survey: Survey,
    refuse: Callable[[Sequence[Refusal]], None],
    registry: str,
    seen: Callable[[int, int], None],
) -> Surveyed:
    """Judge every line; ``refuse`` gets the refusals, ``seen`` the bytes and lines read so far.

    Raises FeedRefusedError when the file is no feed, OSError when it cannot be read.
    """
    unterminated = False
    count = 0
    with closing(feed.open()) as reader:
        for step in feed.steps(iter(reader)):
            refusals = [
                refusal
                for line, judged in zip(step, survey.judge(step), strict=True)
                if judged.problems
                for refusal in refusals_of(
                    line, judged.row, judged.problems, registry, feed.mapping
                )
            ]
            refuse(refusals)
            count += len(step)
            seen(step[-1].end_offset, count)
            unterminated = not step[-1].terminated
        return Surveyed(survey.totals, survey.tallies, reader.place, unterminated)


def find_place(feed: Feed, state: FeedState | None) -> FeedPlace:
    """Return where to go on with a feed: behind the header, or where an earlier run stopped.

    Raises FeedChangedError when the file does not begin with what was pushed, or was pushed in
    another format or with another mapping.
    """
    if state is None or state.line == 0:
        with closing(feed.open()) as reader:
            return reader.place
    name, remedy = feed.path.name, "give a corrected feed another name"
    if state.format != feed.format.value:
        raise FeedChangedError(f"{name} was pushed before as {state.format}; {remedy}")
    if state.mapping_sha256 != (feed.mapping and feed.mapping.sha256):
        before = "no mapping"
        if state.mapping_name is not None:
            before = f"the mapping {state.mapping_name} version {state.mapping_version}"
            before += f" ({state.mapping_sha256})"
        raise FeedChangedError(f"{name} was pushed before with {before}; use it again, or {remedy}")
    try:
        place = place_at(feed.path, state.offset_bytes, state.line, feed.format)
    except FeedRefusedError as error:
        raise FeedChangedError(str(error)) from None
    if place.reached_sha256 != state.prefix_sha256:
        raise FeedChangedError(
            f"{name} was pushed before up to line {state.line}, with another content; {remedy}"
        )
    return place
