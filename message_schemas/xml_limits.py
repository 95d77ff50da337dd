"""What XML Schema 1.0 cannot say of our messages, and who says it instead.

``docs/xml-binding.md`` prints the list; a test holds it against the invalid examples: whatever the
JSON side refuses and is not listed here, the XML Schemas refuse too.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unsaid:
    """One rule that the XML Schemas leave open.

    ``examples`` are invalid examples (type, name) that they accept. ``same_in_xml`` is true where
    there is nothing to refuse, because XML has no two ways to say it.
    """

    rule: str
    reason: str
    instead: str
    examples: tuple[tuple[str, str], ...]
    same_in_xml: bool = False


UNSAID: Final[tuple[Unsaid, ...]] = (
    Unsaid(
        "`sop_exemption` stands exactly when `sop_exempt` is true",
        "a member that depends on the value of another needs XML Schema 1.1",
        "the JSON Schema, after reading",
        (
            ("a64.issuance_notice", "exempt_without_ground"),
            ("a64.issuance_notice", "ground_without_exemption"),
        ),
    ),
    Unsaid(
        "`reasons` is empty on accept and recognize, and not empty on reject and decline",
        "a length that depends on the value of another member needs XML Schema 1.1",
        "the JSON Schema, after reading",
        (
            ("transfer.acknowledgement", "accept_with_reason"),
            ("transfer.acknowledgement", "reject_without_reason"),
            ("transfer.recognition", "decline_without_reason"),
        ),
    ),
    Unsaid(
        "the two identifiers of a block differ in the serial number alone, which fits 64 bits",
        "parts of two texts cannot be compared; JSON Schema cannot say it either",
        "decoding, in both bindings",
        (
            ("history.query", "range_of_two_vintages"),
            ("receipt", "finding_of_two_registries"),
            ("transfer.acknowledgement", "reason_of_two_parties"),
            ("transfer.notification", "identifiers_of_two_registries"),
            ("transfer.proposal", "identifiers_of_two_vintages"),
            ("transfer.proposal", "serial_beyond_64_bits"),
        ),
    ),
    Unsaid(
        "a body holds the element of its own type, or `map`",
        "one element may stand for many types only as a wildcard, which cannot look at `type`",
        "reading",
        (("envelope", "body_a_list"),),
    ),
    Unsaid(
        "a number is not a text",
        "every number of XML is a text; `<quantity>12</quantity>` is the number 12",
        "nobody: XML cannot say the wrong thing",
        (("mailbox.fetch", "after_sequence_text"), ("transfer.proposal", "quantity_text")),
        same_in_xml=True,
    ),
)
