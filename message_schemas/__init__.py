"""The words both ends share: catalogue, frozen messages, two codecs, schemas, code lists.

The map:

``catalogue``     every message and notice type: body, senders, recipient, one sentence.
``envelopes``     what is signed: envelopes, receipts, deliveries.
``messages``      the bodies, one module a family; ``blocks`` are the units in them.
``strict_json``   bytes to values, refusing what two parsers could read differently.
``json_codec``    values to dataclasses and back.
``validation``    JSON Schema, by a fast and by a reference validator.
``schema_files``  the JSON Schema documents themselves, ``json/v1``.
``strict_xml``    bytes to an element tree, refusing what could deceive.
``xml_codec``     elements to the same values and back; ``xml_forms`` are its rules, read off the
                  JSON Schemas, ``xml_values`` what no schema names.
``xml_validation``  XML Schema, for partners' tools; ``xml_schema_files`` are ``xml/v1``,
                  ``xml_limits`` lists what they cannot say.
``code_lists``    the common nomenclatures as dated data.
``examples``      valid and invalid documents, to build and to test a client with.

PURE: no sockets, clocks or files but the package's own data, read at import.
"""
