"""Where signed objects are opened: XML in threads of its own, each of which ends with its object.

libxml2 keeps every name that it ever parsed for the life of the thread (docs/adr/0015), and what
arrives is parsed before anybody knows who wrote it. JSON is opened at once, where it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hub.protocol.signed_objects import Binding, binding_of

__all__ = ["open_aside"]

T = TypeVar("T")


async def open_aside(use: Callable[[], T], raws: Iterable[bytes]) -> T:
    """Return `use()`, which opens these bytes and returns plain values; raises what it raises.

    Of each of `raws` the beginning is enough: it tells the binding.
    """
    if not any(binding_of(raw) is Binding.XML for raw in raws):
        return use()
    thread = ThreadPoolExecutor(1, "session-xml")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, use)
    finally:
        thread.shutdown(wait=False)
