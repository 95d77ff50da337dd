"""Threads that parse XML, each replaced before libxml2 keeps too much in it.

libxml2 keeps every name it ever parsed for the life of its thread, 1.6 bytes for each byte of new
names (docs/adr/0015): whoever may post could make the hub grow without end. A thread that ends
gives all of it back. So:

1. Whoever opens strangers' bytes says so first (``count_bytes``); the count is the thread's own.
2. ``ReplacedThread`` runs functions one after the other, in order, like an executor with one
   thread. When the count is over its bound after a function, the thread hands the queue to a new
   one and ends. No function waits for that, and no two run at once.
3. ``run_apart`` runs one function in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from hub.protocol.signed_objects import Binding, binding_of

Result = TypeVar("Result")
_Work = tuple["Future[Any]", Callable[[], Any]]

XML_BYTES_MAX: Final = 16 * 1024 * 1024
"""How much XML one thread parses: some 25 MB of names at the most."""

_counted = threading.local()


def count_bytes(raw: bytes) -> None:
    """Note that this thread parses ``raw``, which somebody else wrote; JSON does not count."""
    if binding_of(raw) is Binding.XML:
        _counted.xml_bytes = counted_bytes() + len(raw)


def counted_bytes() -> int:
    """Return how many bytes of XML this thread has parsed."""
    count: int = getattr(_counted, "xml_bytes", 0)
    return count


class ReplacedThread(Executor):
    """One thread at a time; it is started by the first function and replaced as described."""

    def __init__(self, name: str, *, xml_bytes_max: int = XML_BYTES_MAX) -> None:
        self._name = name
        self._xml_bytes_max = xml_bytes_max
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def submit(
        self, function: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> "Future[Result]":
        """Run a function after those handed over before it. Raises RuntimeError once shut down."""
        future: Future[Result] = Future()
        with self._starting:
            if self._closed:
                raise RuntimeError(f"the thread {self._name} was shut down")
            self._waiting.put((future, lambda: function(*args, **kwargs)))
            if self._thread is None:
                self._start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was handed over and end; ``cancel_futures`` forgets what has not begun."""
        with self._starting:
            self._closed = True
        if cancel_futures:
            while not self._waiting.empty():
                if (work := self._waiting.get()) is not None:
                    work[0].cancel()
        self._waiting.put(None)
        while wait and (thread := self._thread) is not None:
            thread.join()
            if thread is self._thread:
                break

    def _start(self) -> None:
        """Start a thread; whoever calls holds the lock, so that ``_thread`` is the newest."""
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        thread.start()
        self._thread = thread

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            _run(*work)
            del work  # the result belongs to whoever waits for it
            if counted_bytes() > self._xml_bytes_max:
                with self._starting:
                    self._start()
                return


def _run(future: "Future[Any]", function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it, whatever it is
        future.set_exception(error)
    else:
        future.set_result(result)


async def run_apart(function: Callable[..., Result], /, *args: Any) -> Result:
    """Run a function in a thread that ends with it."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="apart")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, function, *args)
    finally:
        thread.shutdown(wait=False)
