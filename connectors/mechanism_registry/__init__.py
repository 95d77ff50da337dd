"""The mechanism registry's connector: first-transferred A6.4ERs into the international registry.

feed_lines, feed_xml                    a line of the feed, or an element, from its bytes
feed_fields, feed_rows                  from its fields to a row
problems, intervals, shares, survey     what is wrong with a line, or with lines together
messages                                from a row to the message that tells the hub
mapping, mapping_file                   from a source's names and forms to ours
tally_shelf                             the issuances of a feed, in little memory
tables, store, totals, runs, pages      what is remembered, in one SQLite file
feeds, push, run                        survey, push, resume
rejected                                the refused lines, as a feed to be mended
source_settings, source_client, polled  a feed fetched page by page over HTTP
report, run_report, report_html         what a run says, and the report of a feed
progress                                how far a run is
example_feed                            a plausible feed from a seed
views, views_http, views_files          the registry's own books, to answer queries from
asked, cursors, parties, answers, serve queries that arrive, and their answers
one_process, secrets_by_uri             one session a database; secrets named by the settings
settings, view_settings, cli, cli_*     the command ``mechanism``

Run it as ``python -m connectors.mechanism_registry.cli push FEED --config FILE``.
"""
