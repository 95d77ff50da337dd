"""Write the generated parts of xml-binding.md: tables, and every message in both bindings.

    python -m docs.generate_xml_binding

Parts are marked as in ``docs.generate_protocol_tables``. The messages are the examples of the
package, laid out for reading; without the white space they are what the codec writes.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lxml import etree

from docs.generate_protocol_tables import PART, table
from docs.worked_example import SENTENCE_XML, DeterministicSigner, Step, steps
from hub.protocol.signed_objects import Binding, binding_of
from keys import base64url
from message_schemas import examples, xml_codec
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.schema_files import DOCUMENTS, PAYLOADS
from message_schemas.strict_xml import BYTES_MAX, DEPTH_MAX, parse_strict
from message_schemas.xml_forms import FORMS, ListOf, Record
from message_schemas.xml_limits import UNSAID

SPEAK_XML: Final = ("XHB01", "THA01")
DOCUMENT: Final = Path(__file__).resolve().parent / "xml-binding.md"


def laid_out(raw: bytes) -> str:
    """Return an XML document with a line for each element."""
    root = parse_strict(raw)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def unsaid() -> str:
    """Return the table of rules that XML Schema 1.0 cannot say."""
    rows = ((one.rule, one.reason, one.instead) for one in UNSAID)
    return table(("rule", "why not in the XML Schema", "who says it"), rows)


def limits() -> str:
    """Return the table of the reader's limits."""
    rows = (("bytes of a document", f"{BYTES_MAX:,}"), ("elements inside each other", DEPTH_MAX))
    return table(("limit", "default"), rows)


def lists() -> str:
    """Return the table of lists and the names of their items."""
    found: dict[str, str] = {}

    def collect(form: Any) -> None:
        for name, part in form.members.items():
            if isinstance(part, ListOf):
                found[name] = part.item_name
                part = part.item  # noqa: PLW2901 - the item takes the place of its list
            if isinstance(part, Record):
                collect(part)

    for form in FORMS.values():
        collect(form)
    return table(
        ("list", "item"), ((f"`{name}`", f"`{item}`") for name, item in sorted(found.items()))
    )


def _both(type_: str) -> str:
    """Return the fullest example of a type in both bindings."""
    document = examples.valid(type_, "full")
    shown = json.dumps(document, indent=2, ensure_ascii=False)
    written = laid_out(xml_codec.encode_document(type_, document))
    return (
        f"### `{type_}`\n\n{DOCUMENTS[type_]['title']}.\n\n"
        f"```xml {type_}\n{written}\n```\n\n```json {type_}\n{shown}\n```\n"
    )


def _all(types: Iterable[str]) -> Callable[[], str]:
    return lambda: "\n".join(_both(type_) for type_ in types)


def example() -> str:
    """Return the worked example with THA01 in XML: its keys, and each signed object in XML."""
    rows = [
        (code, f"`{signer.key_id}`", f"`{base64url.encode(signer.public_key_der)}`")
        for code in SPEAK_XML
        for signer in (DeterministicSigner(code),)
    ]
    parts = [
        f'The private key is the SHA-256 of the ASCII text "{SENTENCE_XML.format("CODE")}".\n\n'
        + table(("participant", "key id", "public key (SPKI)"), rows)
    ]
    parts += [_step(step) for step in steps(SPEAK_XML) if binding_of(step.raw) is Binding.XML]
    return "\n".join(parts)


def _step(step: Step) -> str:
    """Return one signed object: its exact bytes and their digest."""
    return (
        f"### {step.name}\n\nSigned by {step.signer}. Exact bytes ({len(step.raw)}), SHA-256 "
        f"`{step.sha256}`:\n\n```text {step.name} {step.kind}\n{step.raw.decode()}\n```\n"
    )


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "xml-example": example,
    "xml-limits": limits,
    "xml-lists": lists,
    "xml-unsaid": unsaid,
    "xml-payloads": _all(PAYLOADS),
    "xml-messages": _all(MESSAGE_TYPES),
    "xml-notices": _all(NOTICE_TYPES),
}


def rendered(text: str) -> str:
    """Return the document with its generated parts made anew. Raises KeyError for others."""
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[3]}", text)


def main() -> None:
    """Write the document."""
    text = rendered(DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
