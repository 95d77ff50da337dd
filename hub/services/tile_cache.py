"""A bounded memory for bytes that never change: tiles, bundles, and bundles made small."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock


class TileCache:
    """Keeps the bytes used last, up to ``bytes_max`` in all; for any number of threads."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()

    @property
    def bytes_kept(self) -> int:
        """Return how many bytes are kept, keys not counted."""
        return self._bytes

    def get(self, key: Hashable) -> bytes | None:
        """Return what is kept under a key, or None."""
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
            return data

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep bytes under a key; what was used longest ago gives way."""
        with self._lock:
            self._bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._bytes > self._bytes_max:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)

    def get_or_make(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under a key, or make it and keep it.

        Two threads may both make it: they make the same.
        """
        data = self.get(key)
        if data is None:
            data = make()
            self.put(key, data)
        return data
