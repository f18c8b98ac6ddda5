"""A part imports only from the parts to its left, read from the syntax tree."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "privaudit"
ORDER = [
    {"_version", "errors"},
    {"escape", "registry"},
    {"storage"},
    {"model"},
    {"data", "execution"},
    {"loading"},
    {"inversion"},
    {"decoder_geometry"},
    {"attacks"},
    {"evaluation"},
    {"canaries", "scorers"},
    {"results"},
    {"auditing"},
    {"compare"},
    {"report"},
    {"lab", "tasks"},
    {"cli"},
    {"__main__"},
]
NAMED_BY_WHAT_THEY_HOLD = {"cli", "influence", "distortion", "families"}
"""Rooms whose files are named by the command, estimator, method or family that they hold."""
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
LATE = {("results", "report"), ("compare", "report")}
"""What a part may take from its right, inside a function alone: a result is asked for its tables, plots and pages
(`AuditResult.frame`, `.plot`, `.to_html`, `.save`; `ComparisonResult.to_html`), which is how auditors know results from
pandas. What a result is depends on none of them, and loading it loads none of them."""


def part_of(module: str) -> str | None:
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 and pieces[0] == "privaudit" else None


def imports(path: Path, *, late: bool = True) -> set[str]:
    """Modules that a file imports; without the late ones, only what is imported when the file is."""
    found = set()
    for node in walk(ast.parse(path.read_text()), late):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test does not follow"
            assert node.module
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "privaudit" else [node.module]
            )
            found.update(names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def walk(node: ast.AST, late: bool) -> Iterator[ast.AST]:
    yield node
    if not late and (isinstance(node, ast.FunctionDef) or is_for_types(node)):
        return
    for child in ast.iter_child_nodes(node):
        yield from walk(child, late)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def own_part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_part_has_its_place():
    assert {own_part(path) for path in MODULES} == set(RANK)


def test_nothing_lies_loose_at_the_top():
    loose = {path.name for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "_version.py", "errors.py", "escape.py", "registry.py"}


def test_no_two_modules_can_be_confused():
    """A command's module has the command's name, and a plug-in's the plug-in's; every other name occurs once."""
    found = Counter(
        path.stem for path in MODULES if path.stem != "__init__" and path.parent.name not in NAMED_BY_WHAT_THEY_HOLD
    )
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own, at_once = own_part(path), imports(path, late=False)
    for module in imports(path):
        part = part_of(module)
        if part in RANK and part != own and ((own, part) not in LATE or module in at_once):
            assert RANK[part] < RANK[own], f"{own} may not import {module}"


def test_late_imports_are_told_from_others(tmp_path):
    file = tmp_path / "some.py"
    file.write_text(
        "import one\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import two\n"
        "def f():\n    import three\nclass C:\n    import four\n    def g(self):\n        from five import six\n"
    )
    assert imports(file) == {"one", "typing", "two", "three", "four", "five"}
    assert imports(file, late=False) == {"one", "typing", "four"}


@pytest.mark.parametrize("path", [p for p in MODULES if own_part(p) == "evaluation"], ids=lambda path: path.name)
def test_evaluation_never_imports_torch(path):
    assert not any(module.split(".")[0] in ("torch", "diffusers", "transformers") for module in imports(path))


@pytest.mark.parametrize("statement", ["import privaudit", "from privaudit.cli import app"])
def test_importing_is_light(statement):
    heavy = "{'torch', 'diffusers', 'transformers', 'pandas', 'sklearn', 'scipy'}"
    code = f"import sys; {statement}; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
