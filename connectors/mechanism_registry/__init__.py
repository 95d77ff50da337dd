"""The mechanism registry's connector: first-transferred A6.4ERs into the international registry.

feed_lines, feed_xml                    a line of the feed, or an element, from its bytes
feed_fields, feed_rows                  from its fields to a row
problems, intervals, shares, survey     what is wrong with a line, or with lines together
messages                                from a row to the message that tells the hub
tables, store                           the place in each feed, its messages, its refusals
feeds, push, run                        survey, push, resume
report, progress                        what a run says
example_feed                            a plausible feed from a seed
settings, cli                           the command ``mechanism``

Run it as ``python -m connectors.mechanism_registry.cli push FEED --config FILE``.
"""
