"""What a Party registry runs: the connector, a small reference registry, and a simulator.

config, connector, cli                 one TOML file, one process, the command `registry`
api, api_*, openapi, requests          the local HTTP API for operators and other registries
webhooks, webhook_store                the same events pushed to a registry in any language
registry, arrivals, closings, outcomes what each thing that arrives means here
answers, policy, commands, *_commands  what we answer, and what an operator may ask for
tracking, tracking_tables              transfers and actions as this end knows them
units, book, book_store, check_book    the book: blocks, reservations, the journal, its proof
query_*                                questions to the hub and to the mechanism registry
simulator                              a peer that misbehaves on demand, from a printed seed
"""
