"""A part imports only from the parts to its left, read from the syntax tree."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "privaudit"
ORDER = [
    {"errors"},
    {"escape", "files"},
    {"codec", "data", "noise", "schedule", "shards", "spec"},
    {"batching", "memory", "target"},
    {"ddim", "loading"},
    {"inversion"},
    {"geometry"},
    {"attacks"},
    {"evaluation"},
    {"scorers"},
    {"canaries", "entries", "options", "portraits", "result"},
    {"inverting", "measure"},
    {"mapping", "origin", "reading"},
    {"assess"},
    {"auditing"},
    {"planning", "sweeping"},
    {"report"},
    {"lab"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def part_of(module: str) -> str | None:
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 and pieces[0] == "privaudit" else None


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
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


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def own_part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_part_has_its_place():
    assert {own_part(path) for path in MODULES} == set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = own_part(path)
    for module in imports(path):
        part = part_of(module)
        if part in RANK and part != own:
            assert RANK[part] < RANK[own], f"{own} may not import {module}"


@pytest.mark.parametrize("path", [p for p in MODULES if own_part(p) == "evaluation"], ids=lambda path: path.name)
def test_evaluation_never_imports_torch(path):
    assert not any(module.split(".")[0] in ("torch", "diffusers", "transformers") for module in imports(path))


@pytest.mark.parametrize("statement", ["import privaudit", "from privaudit.cli import app"])
def test_importing_is_light(statement):
    heavy = "{'torch', 'diffusers', 'transformers', 'pandas', 'sklearn', 'scipy'}"
    code = f"import sys; {statement}; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
