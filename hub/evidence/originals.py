"""What a participant signed, laid out for a person: the words of the original, line by line.

Line breaks and indentation are added between elements and members, never inside a text. The
signature is left out; the file beside the page has it. It is for reading, and proves nothing.
"""

import json
from collections.abc import Iterator
from typing import Final

from hub.evidence.signatures import DELIVERY_TYP, ENVELOPE_TYP, RECEIPT_TYP, open_signed
from hub.evidence.xml_documents import Element
from hub.evidence.xml_signatures import is_xml, open_signed_xml
from hub.evidence.xml_values import EXCHANGE_NAMESPACE

LINES_MAX: Final = 120
_TYPS: Final = {"envelope": ENVELOPE_TYP, "receipt": RECEIPT_TYP, "delivery": DELIVERY_TYP}
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VALUE: Final = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;"})


def laid_out(signed: bytes, kind: str = "envelope") -> tuple[str, str]:
    """Return the binding of a signed object and its words; a long one is cut.

    ``kind`` is envelope, receipt or delivery. Raises RefutedError.
    """
    if is_xml(signed):
        element, _ = open_signed_xml(signed, EXCHANGE_NAMESPACE, kind)
        return "XML", _cut(_lines(element, ""))
    payload, _ = open_signed(signed, _TYPS[kind])
    return "JSON", _cut(iter(json.dumps(payload, indent=2, ensure_ascii=False).split("\n")))


def _cut(lines: Iterator[str]) -> str:
    kept = [line for _, line in zip(range(LINES_MAX), lines, strict=False)]
    more = sum(1 for _ in lines)
    return "\n".join([*kept, f"… and {more:,} more lines, in the file itself"] if more else kept)


def _lines(element: Element, indent: str) -> Iterator[str]:
    said = "".join(f' {name}="{value.translate(_VALUE)}"' for *_, name, value in element.attributes)
    children = element.children
    if not children:
        text = element.text.translate(_TEXT)
        yield f"{indent}<{element.name}{said}>{text}</{element.name}>"
        return
    yield f"{indent}<{element.name}{said}>"
    for child in children:
        yield from _lines(child, f"{indent}  ")
    yield f"{indent}</{element.name}>"
