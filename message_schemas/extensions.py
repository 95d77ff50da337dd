"""What a participant may say beyond the fields of a message: kept, carried, never interpreted.

Keys are namespaced (``thailand.example/ministry_reference``) so that two users cannot meet.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

Extensions: TypeAlias = Mapping[str, object]
"""Namespaced key to a JSON value."""

EXTENSION_DEPTH_MAX: Final = 4
"""Lists and objects inside each other, at most, in the value of one key."""
