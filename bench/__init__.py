"""Benchmarks: ``python -m bench [NAME]``. Each prints tables and writes build/bench/<name>.json.

Every figure stands beside the machine's own floor, measured in the same run. CPU is counted per
unit of work, because a shared machine's wall clock is not to be trusted.
"""
