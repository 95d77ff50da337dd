"""The checks of a bundle one by one: each is named, in order, and the one that failed as well."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.evidence.bundles import BundleItem, Evidence, erased
from hub.evidence.reports import FAILED, NOT_PROVED, PROVED, Report
from tests.hub.evidence.made_log import Story, report_on
from tests.hub.evidence.test_verification import changed, pinned


def kinds_of(report: Report, about: str) -> list[tuple[str, str]]:
    """Return kind and status of the steps about one part."""
    return [(one.kind, one.status) for one in report.steps if one.about == about]


def test_every_check_of_a_message_is_a_step_of_its_own() -> None:
    """Its leaf, its bytes, its sender's signature with the key, the hub's receipt."""
    story = Story().tell()
    report = report_on(story.evidence(), pinned(story))
    assert kinds_of(report, "log") == [("tree", PROVED), ("cosignatures", PROVED)]
    kinds = ("leaf", "content", "signature", "receipt")
    assert kinds_of(report, "entry 3") == [(kind, PROVED) for kind in kinds]
    (signed,) = [one for one in report.steps if (one.kind, one.about) == ("signature", "entry 3")]
    assert signed.text.startswith("THA01 signed the message with THA01-")
    assert {one.kind for one in report.steps} >= {"delivery", "act", "keys", "story"}
    assert not any(one.status == FAILED for one in report.steps)


def other_content(name: str) -> Callable[[BundleItem], BundleItem]:
    """Return what puts another content in the place of one."""

    def change(item: BundleItem) -> BundleItem:
        return replace(item, contents={**item.contents, name: b'{"other": true}'})

    return change


def other_entry(item: BundleItem) -> BundleItem:
    """Return the item with another leaf."""
    return replace(item, entry=item.entry.replace(b"THA01", b"THA02"))


@pytest.mark.parametrize(
    ("change", "kind"),
    [(other_content("envelope"), "content"), (other_content("receipt"), "content")],
    ids=["envelope", "receipt"],
)
def test_a_step_that_fails_says_where(
    change: Callable[[BundleItem], BundleItem], kind: str
) -> None:
    """What was changed is the step that fails, and no step after it is said to hold."""
    story = Story().tell()
    report = report_on(changed(story.evidence(), 3, change), pinned(story))
    assert report.verdict == "failed"
    assert kinds_of(report, "entry 3") == [("leaf", PROVED), (kind, FAILED)]


def test_a_changed_leaf_fails_as_a_leaf() -> None:
    """It is not in the tree that the log signed."""
    story = Story().tell()
    report = report_on(changed(story.evidence(), 3, other_entry), pinned(story))
    assert kinds_of(report, "entry 3")[0] == ("leaf", FAILED)


def test_what_was_erased_is_a_step_that_proves_nothing() -> None:
    """The leaf is there; what it commits to is not."""
    story = Story().tell()
    evidence: Evidence = changed(story.evidence(), 3, erased)
    report = report_on(evidence, pinned(story))
    steps = kinds_of(report, "entry 3")
    assert steps == [("leaf", PROVED), ("content", NOT_PROVED), ("content", NOT_PROVED)]
