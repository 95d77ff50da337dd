"""The verifier as one script: its modules joined, so that an auditor needs none of ours.

The modules stand in the order in which they need each other; imports are gathered at the top, and
those from this package fall away. What runs is the same code, line for line.
"""

import ast
from importlib import resources
from typing import Final

PACKAGE: Final = "hub.evidence"
MODULES: Final = (
    "archives",
    "anchors",
    "xml_documents",
    "xml_signatures",
    "xml_names",
    "xml_values",
    "signatures",
    "reports",
    "narratives",
    "verification",
    "verify_evidence",
)


def script() -> str:
    """Return the source of the stand-alone verifier, to be saved as ``verify_evidence.py``."""
    sources = {
        name: resources.files(PACKAGE).joinpath(f"{name}.py").read_text(encoding="utf-8")
        for name in MODULES
    }
    return join(sources)


def join(sources: dict[str, str]) -> str:
    """Return one module made of several, the last of which gives its docstring."""
    imports: set[str] = set()
    parts: list[str] = []
    story = ""
    for source in sources.values():
        tree = ast.parse(source)
        story = ast.get_docstring(tree, clean=False) or ""
        lines = source.splitlines()
        first = tree.body[0]
        for node in tree.body:
            of_ours = isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
            if node is first or isinstance(node, ast.Import | ast.ImportFrom):
                if node is not first and not of_ours:
                    imports.add(ast.unparse(node))
                for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                    lines[number] = ""
        told = (ast.get_docstring(tree) or "").partition("\n")[0]
        parts.append(f"# --- {told}\n\n" + "\n".join(lines).strip() + "\n")
    imports.discard("from __future__ import annotations")
    head = f'#!/usr/bin/env python3\n"""{story}"""\n\nfrom __future__ import annotations\n\n'
    return head + "\n".join(sorted(imports)) + "\n\n\n" + "\n\n".join(parts)
