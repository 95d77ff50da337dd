"""A bounded memory for what never changes: tiles, bundles, and the nodes within tiles."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TileCache(Generic[Value]):
    """Keeps the values used last, up to ``bytes_max`` in all; for any number of threads.

    ``weigh`` tells how many bytes a value takes.
    """

    def __init__(self, bytes_max: int, weigh: Callable[[Value], int]) -> None:
        self._bytes_max = bytes_max
        self._weigh = weigh
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    @property
    def bytes_kept(self) -> int:
        """Return how many bytes are kept, keys not counted."""
        return self._bytes

    def get(self, key: Hashable) -> Value | None:
        """Return what is kept under a key, or None."""
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value under a key; what was used longest ago gives way."""
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes += self._weigh(value) - (0 if before is None else self._weigh(before))
            self._kept[key] = value
            while self._bytes > self._bytes_max:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= self._weigh(dropped)

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, or make it and keep it.

        Two threads may both make it: they make the same.
        """
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value
