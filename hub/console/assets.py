"""Styles, scripts and libraries of the pages, from memory, under an address that tells the version.

The address has the hash of all files together, so a browser may keep what it has for a year, and a
module that imports another one gets the one of the same version.
"""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(__file__).parent / "static"
_ZIPPED: Final = frozenset({".css", ".js", ".svg", ".txt", ".md"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: as it is, and zipped where that is worth it."""

    content_type: str
    plain: bytes
    zipped: bytes | None


class Assets:
    """All files of the pages. ``version`` is the beginning of their common hash."""

    def __init__(self, folder: Path = FOLDER) -> None:
        digest = sha256()
        self._files: dict[str, Asset] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                plain = path.read_bytes()
                digest.update(f"{name}\0{len(plain)}\0".encode() + plain)
                self._files[name] = _asset(path, plain)
        self.version = digest.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Return the address of a file. Raises KeyError for one that is not there."""
        self._files[name]
        return f"/static/{self.version}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """Answer with a file; anything else than a known name of this version is not found."""
        found = self._files.get(request.match_info["name"])
        if found is None or request.match_info["version"] != self.version:
            raise web.HTTPNotFound
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        body = found.plain
        if found.zipped is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = found.zipped
        return web.Response(
            body=body, content_type=found.content_type, charset="utf-8", headers=headers
        )


def _asset(path: Path, plain: bytes) -> Asset:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    return Asset(kind, plain, _zipped(plain) if path.suffix in _ZIPPED else None)


@cache
def _zipped(plain: bytes) -> bytes:
    return gzip.compress(plain, compresslevel=6, mtime=0)
