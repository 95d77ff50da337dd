"""The page that a person reads: everything in it, nothing active in it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hub.evidence import stories
from hub.evidence.bundles import erased, read
from keys.algorithms import Algorithm
from tests.hub.evidence.made_log import MadeLog, Story, bundle_of, proposal_body
from tests.hub.evidence.made_trust import seeded_signer


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one element."""
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("ending", ["completed", "rejected", "cancelled", "expired", "open"])
def test_the_page_tells_the_transfer_in_the_verifiers_words(ending: str) -> None:
    """Outcome, units, parties, every entry's index and digest, the root, and how to verify."""
    story = Story(ending).tell()
    evidence = story.evidence()
    page = stories.render(evidence)
    assert f'<span class="state {ending}">{ending}</span>' in page
    assert "THA01 proposed CHE01 the transfer of 1,900 units" in page
    assert "CA0001-THA01-THA-1900-2022" in page
    assert evidence.items[0].index == 1
    assert all(f"<td>{item.index}<td>" in page for item in evidence.items)
    assert story.sha(3) in page
    assert "python verify_evidence.py FILE --trust ANCHOR" in page


def test_the_page_loads_and_runs_nothing() -> None:
    """No script, no link, no image, no form; a policy in the page forbids them too."""
    elements = Elements(stories.render(Story().tell().evidence())).found
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "link", "img", "iframe", "form", "a", "object", "base"}
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    policies = [given.get("content") or "" for _, given in elements if given.get("http-equiv")]
    assert policies[0].startswith("default-src 'none'")


def test_what_a_participant_wrote_stays_text() -> None:
    """Markup in a message is shown, never obeyed."""
    attack = "<script>alert(1)</script>\"'&"
    story = Story(filler=0)
    original = proposal_body

    def propose(it: Story) -> None:
        body = original(transferring_account=attack, purpose=attack, reference=attack)
        log = it.log
        it.note(log.envelope(it.seller, "CHE01", "transfer.proposal", body), attack)

    story.before_proposal = propose
    story.ending = "open"
    page = stories.render(story.tell().evidence())
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_originals_stand_in_their_own_words_in_either_binding() -> None:
    """What a Party signed in XML is shown as XML, escaped; what it signed in JSON as JSON."""
    es256 = [seeded_signer(Algorithm.ES256, "THA01", "es")]
    story = Story(seller=es256, log=MadeLog(speaks_xml=frozenset({"THA01"}))).tell()
    page = stories.render(story.evidence())
    assert "<h3>Entry 3: proposal (XML)</h3>" in page
    assert "  &lt;sender&gt;THA01&lt;/sender&gt;\n" in page
    assert "<h3>Entry 6: answer (JSON)</h3>" in page
    assert "  &quot;sender&quot;: &quot;CHE01&quot;,\n" in page
    assert "SignatureValue" not in page


def test_a_long_original_is_cut_and_says_so() -> None:
    """The page stays short; the file beside it has everything."""
    story = Story("open")
    blocks = proposal_body()["blocks"] * 60
    story.before_proposal = lambda it: it.note(
        it.log.envelope(it.seller, "CHE01", "transfer.proposal", proposal_body(blocks=blocks)),
        "long",
    )
    page = stories.render(story.tell().evidence())
    assert re.search(r"… and \d+ more lines, in the file itself</pre>", page)


def test_erased_contents_are_called_so() -> None:
    """A page without bodies still shows entries, times and parties."""
    evidence = Story().tell().evidence()
    page = stories.render(replace(evidence, items=[erased(one) for one in evidence.items]))
    assert "content erased, or not in this bundle" in page
    assert "how it ended is not shown here" in page
    assert re.search(r"THA01 → CHE01", page)


def test_what_is_written_is_what_is_read_again() -> None:
    """A bundle read and written anew is the same file."""
    evidence = Story(seller=[seeded_signer(participant="THA01", seed="x")]).tell().evidence()
    bundle = bundle_of(evidence)
    assert read(bundle) == evidence
    assert bundle_of(read(bundle)) == bundle
