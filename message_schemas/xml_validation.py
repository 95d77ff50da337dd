"""Does an element satisfy its XML Schema? What a partner's XML tools will say of it.

Reading (``xml_codec.read_document``) and the JSON Schemas together refuse everything that the XML
Schemas refuse, so the hub's side need not ask them; they are for those who build a client with
XML tools, and for the tests that hold both in agreement.

The same compiled schema must not be used by two threads at once: errors are kept beside it.
"""

import re
from functools import cache
from typing import Any, Final

from lxml import etree

from message_schemas import strict_xml, xml_schema_files
from message_schemas.json_codec import UnknownTypeError
from message_schemas.validation import ERROR_COUNT_MAX, SchemaError, bounded
from message_schemas.xml_forms import NAMESPACE
from message_schemas.xml_values import pointer_of

# A name with the document's own prefix, which means nothing in our XPath.
_PREFIXED: Final = re.compile(r"/([^/\[\]*:']+:[^/\[\]*:']+)")
# What libxml2 adds when it cannot compare a key that it has just refused.
_ECHO: Final = "Warning: No precomputed value available"
_ADDRESS: Final = "itmo-hub:"
_QUALIFIED: Final = re.compile(re.escape(f"{{{NAMESPACE}}}"))


def xml_schema_errors(type_: str, element: etree._Element) -> tuple[SchemaError, ...]:
    """Return what breaks the XML Schema of a type, at most ERROR_COUNT_MAX places.

    Paths are JSON pointers into the value that the element says, keywords the names of libxml2
    (``SCHEMAV_CVC_PATTERN_VALID``). ``itmo-exchange`` as type takes any element and looks into
    the bodies of messages. Raises XmlRefusedError for documents that ``parse_strict`` would
    refuse by their look, and UnknownTypeError.
    """
    if type_ == "common" or type_ not in xml_schema_files.TEXTS:
        raise UnknownTypeError(f"no XML Schema {type_!r}")
    strict_xml.refuse_surprises(element)
    schema = _schema(type_)
    if schema.validate(element):
        return ()
    found = [error for error in schema.error_log if _ECHO not in error.message]
    return tuple(
        bounded(_pointer(error.path, element), _QUALIFIED.sub("", error.message), error.type_name)
        for error in found[:ERROR_COUNT_MAX]
    )


def _pointer(path: str | None, element: etree._Element) -> str:
    """Return the JSON pointer of a place that libxml2 names by an XPath."""
    if path is None:
        return ""
    # A part of a document is validated as if it stood alone, so the path begins with it.
    inside = "." + _PREFIXED.sub(r"/*[name()='\1']", re.sub(r"^/[^/]*", "", path))
    found = element.xpath(inside)
    if isinstance(found, list) and found and isinstance(found[0], etree._Element):
        return pointer_of(found[0], element)
    return ""


class _PackageFiles(etree.Resolver):
    """Answers ``xs:include`` from the package; nothing is looked for elsewhere."""

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:
        """Return the document of the package that an address names."""
        del public_id  # XML Schema has none; the parser of this library hands one on
        name = str(system_url).removeprefix(_ADDRESS).removesuffix(".xsd")
        return self.resolve_string(xml_schema_files.TEXTS[name], context, base_url=system_url)


@cache
def _schema(name: str) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    parser.resolvers.add(_PackageFiles())
    address = f"{_ADDRESS}{name}.xsd"
    return etree.XMLSchema(etree.fromstring(xml_schema_files.TEXTS[name], parser, base_url=address))
