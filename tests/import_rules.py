"""The contract type ``may_import``: what a row does not name is refused.

import-linter's own contracts list what is forbidden, so that a new package is allowed everywhere
until somebody remembers to forbid it. Here a row names a package and what it may import of ours:

1. Take each module of the source package, and each import it writes.
2. An import inside the package is its own business; an import of a library is ruff's and mypy's.
3. Any other import must lie in a package that the row names; ``*`` names everything.

Only written imports count, not what those import in turn: each package has a row of its own.
A source that does not exist yet breaks nothing.
"""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def lies_in(module: str, package: str) -> bool:
    """Tell whether a dotted module name is the package or one of its descendants."""
    return module == package or module.startswith(f"{package}.")


def refused_imports(graph: ImportGraph, source: str, allowed: list[str]) -> list[tuple[str, str]]:
    """Return the (importer, imported) pairs that the row does not allow, in a stable order."""
    if "*" in allowed:
        return []
    return sorted(
        (importer, imported)
        for importer in graph.modules
        if lies_in(importer, source)
        for imported in graph.find_modules_directly_imported_by(importer)
        if not any(lies_in(imported, package) for package in (source, *allowed))
    )


class MayImportContract(Contract):
    """One row of the table: a source package, and all that it may import of ours."""

    source = fields.StringField()
    may_import = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare the imports written in the source package with the row."""
        source: Any = self.source  # a field turns into its value when the contract is read
        allowed: Any = self.may_import
        refused = refused_imports(graph, source, list(allowed))
        output.verbose_print(verbose, f"{source} may import {', '.join(allowed) or 'nothing'}")
        return ContractCheck(kept=not refused, metadata={"refused": refused})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each refused import on a line."""
        for importer, imported in check.metadata["refused"]:
            output.print_error(f"{importer} may not import {imported}")
