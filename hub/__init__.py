"""The message hub and the core of the international registry.

The map, from the pure core to the shells around it:

``protocol``                PURE: envelopes, receipts, response codes, states, retry schedule.
``checks``                  PURE: may this message have effect? An ordered list of checks.
``international_registry``  PURE: units, accounts, authorizations, actions, the ledger.
``store``                   SQL and nothing else, one module a concept.
``services``                One file is one use case is one transaction.
``http``                    The aiohttp shell: server, routes, problems, client.
``console``                 The pages for people, a process of its own: templates, routes, the door.

The import rule: imports point one way, down this list to the core. Only ``bootstrap``,
``bootstrap_console`` and ``cli`` may import everything, and nobody imports them. ``make check``
enforces it (see ``pyproject.toml``, import-linter contracts).
"""
