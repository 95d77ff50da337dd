"""Commands whose modules are imported when they are called, so that the command line starts fast.

1. Each part is listed with its sentence; the listing of ``--help`` needs nothing more.
2. Whoever asks for a command itself (to run it, or to walk them all) gets it made from its module,
   by the same road as if it had been registered at once.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class LatePart:
    """A command or group: ``attribute`` of ``module`` is its function or its Typer.

    ``help`` is its own first sentence, which a test compares.
    """

    name: str
    module: str
    attribute: str
    help: str

    def load(self) -> Any:
        """Return the command, its module imported."""
        found = getattr(import_module(self.module), self.attribute)
        host = typer.Typer()
        host.callback()(lambda: None)
        if isinstance(found, typer.Typer):
            host.add_typer(found, name=self.name)
        else:
            host.command(self.name)(found)
        return get_group(host).commands[self.name]


class LateCommands(MutableMapping[str, Any]):
    """The commands of a group by name, in the order of the parts; each is made when first taken."""

    def __init__(self, parts: tuple[LatePart, ...]) -> None:
        self._parts = {part.name: part for part in parts}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._parts[name].load()
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        self._made.pop(name, None)
        del self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._parts, *self._made)))

    def __len__(self) -> int:
        return len(self._parts.keys() | self._made.keys())


def late_group(parts: tuple[LatePart, ...]) -> type[TyperGroup]:
    """Return the class of a group of these parts, for ``typer.Typer(cls=…)``."""

    class LateGroup(TyperGroup):
        """A group that lists its commands without importing them."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands: Any = LateCommands(parts)
            self._is_listing = False

        def format_help(self, ctx: Any, formatter: Any) -> None:
            """Write the help of the group."""
            self._is_listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._is_listing = False

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names, in the order of the parts."""
            del ctx
            return list(self.commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command; while the help is written, only its name and sentence."""
            if not self._is_listing:
                return super().get_command(ctx, cmd_name)
            return next(
                (TyperCommand(one.name, help=one.help) for one in parts if one.name == cmd_name),
                None,
            )

    return LateGroup
