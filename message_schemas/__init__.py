"""The words both ends share: catalogue, frozen messages, JSON codec, schemas, code lists.

The map:

``catalogue``     every message and notice type: body, senders, recipient, one sentence.
``envelopes``     what is signed: envelopes, receipts, deliveries.
``messages``      the bodies, one module a family; ``blocks`` are the units in them.
``strict_json``   bytes to values, refusing what two parsers could read differently.
``json_codec``    values to dataclasses and back.
``validation``    JSON Schema, by a fast and by a reference validator.
``schema_files``  the JSON Schema documents themselves, ``json/v1``.
``code_lists``    the common nomenclatures as dated data.
``examples``      valid and invalid documents, to build and to test a client with.

PURE: no sockets, clocks or files but the package's own data, read at import.
"""
