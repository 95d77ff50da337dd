"""Acts: done through ``acting``, and read back from the log as ``itmo-hub act`` reads them."""

from typing import Final

from hub.console import acting

ROUTES: Final = (*acting.ROUTES,)
