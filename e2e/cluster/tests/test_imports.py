"""The modules of the harness build on each other in one direction."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from e2e.cluster.paths import PACKAGE

PREFIX = "e2e.cluster"


def imported(path: Path) -> set[str]:
    """The harness' own modules that a module imports, inside functions as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            rest = (node.module or "")[len(PREFIX) + 1 :]
            found |= {rest} if rest else {alias.name for alias in node.names}
    return found


def test_no_module_imports_itself_through_others() -> None:
    graph = {path.stem: imported(path) for path in PACKAGE.glob("*.py")}
    assert graph["opening"] >= {"kind", "node"}
    TopologicalSorter(graph).prepare()  # raises CycleError and names the circle
