"""The exchange itself, without I/O: envelopes, answers, states, schedules, limits.

Both ends use it: nothing here knows whether it runs in the hub or beside a Party registry.
"""
