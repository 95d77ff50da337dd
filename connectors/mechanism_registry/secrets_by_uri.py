"""A secret that the settings name and do not hold: ``env:NAME`` or ``file:PATH``."""

import os
from pathlib import Path

from keys.key_files import read_secret_file


def read_secret(uri: str) -> str:
    """Return the secret that a URI names, without white space around it.

    Raises ValueError (no such variable, another kind of URI), KeysError or OSError (the file).
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "env":
        found = os.environ.get(rest, "").strip()
        if not found:
            raise ValueError(f"the environment variable {rest} is not set")
        return found
    if scheme == "file":
        return read_secret_file(Path(rest)).decode("ascii").strip()
    raise ValueError(f"{scheme!r} is no place of a secret: write env:NAME or file:PATH")
