"""The evidence of one transfer: one file that anybody can check offline, for ever.

- `verify_evidence` verifies a bundle; with `archives`, `anchors`, `signatures`, `reports` and
  `narratives` it is the verifier, which needs the standard library and `cryptography` alone;
  `xml_documents`, `xml_signatures`, `xml_values` and `xml_names` are its own reading of XML.
- `standalone` joins those modules into one script that runs without any of ours.
- `bundles` writes a bundle; `stories` writes the page in it that a person reads and prints, with
  the `originals` laid out.

Imports nothing of ours. Values in, values out: only the verifier's ``main`` touches files.
"""
