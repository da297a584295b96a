"""What imports what in the package: down, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import timerwheel

ROOT = Path(timerwheel.__file__).parents[1]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """The names that a file imports anywhere, also in functions and for type checkers alone.

    A name that is imported from a package may be one of its modules, or a name in it.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_module_imports_itself_by_others() -> None:
    """The compiled modules are left out.

    One goes up: `_core` asks `timerwheel.aio` when a loop is in debug mode or a timer of it fails.
    """
    modules = {module_name(path): path for path in (ROOT / "timerwheel").glob("**/*.py")}
    compiled = {f"timerwheel.{path.stem}" for path in (ROOT / "timerwheel").glob("*.pyi")}
    assert len(modules) > 100
    assert "timerwheel._core" in compiled
    imports = {
        module: {
            name if name in modules else name.rpartition(".")[0]
            for name in imported(path)
            if name not in compiled and name.rpartition(".")[0] not in compiled
        }
        for module, path in modules.items()
    }
    graph = {module: names & modules.keys() for module, names in imports.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which has the circle
