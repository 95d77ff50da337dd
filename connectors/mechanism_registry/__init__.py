"""The mechanism registry's connector: first-transferred A6.4ERs into the international registry.

feeds        a feed, from its bytes to rows: three forms, a mapping, its fields, what was refused
issuances    what is judged over a whole feed, and told: issuances, their shares, messages
runs         survey, push, resume
sources      a feed fetched page by page over HTTP
reports      what a run says at its end
views        pull and view: queries that arrive, the registry's own books, signed answers
simulator    a registry that lives from a seed, and misbehaves on demand
cli, commands  the command ``mechanism``
settings, secrets_by_uri  one TOML file, and the secrets it names
tables, store, totals     what is remembered, in one SQLite file; one_process: one session each

Bytes become lines, lines rows, rows messages; the session of ``connectors.session`` carries them.
Run it as ``python -m connectors.mechanism_registry.cli push FEED --config FILE``.
"""
