"""How a command talks to the running registry: its local API, over loopback, with its token."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode

from connectors.party_registry.config import RegistryConfig, split_address
from keys.key_files import read_secret_file

__all__ = ["LocalApiError", "LocalClient"]

_SECONDS_MAX: Final = 60.0


class LocalApiError(Exception):
    """The registry refused, or is not running. One sentence for the operator."""


@dataclass(frozen=True, slots=True)
class LocalClient:
    """Calls the local API of the registry that a settings file describes."""

    config: RegistryConfig

    def get(self, path: str, **query: Any) -> Any:
        """Return what a path shows; raises LocalApiError."""
        present = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path + (f"?{urlencode(present)}" if present else ""), None)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the answer to a command; raises LocalApiError."""
        present = {name: value for name, value in (body or {}).items() if value is not None}
        return self._call("POST", path, json.dumps(present).encode())

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        host, port = split_address(self.config.api.listen)
        token = read_secret_file(self.config.api.token_file).decode("ascii").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection = HTTPConnection(host, port, timeout=_SECONDS_MAX)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, HTTPException) as error:
            text = f"no registry answers at {self.config.api.listen}: start it with `serve`"
            raise LocalApiError(f"{text} ({error})") from error
        except ValueError as error:
            raise LocalApiError(f"the answer of {self.config.api.listen} is not JSON") from error
        finally:
            connection.close()
        if response.status >= 400 and "detail" in answer:
            raise LocalApiError(str(answer["detail"]))
        return answer
