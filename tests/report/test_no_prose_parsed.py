"""Nothing in the report takes sentences apart: they are composed of codes and numbers, and only laid out afterwards."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "privaudit" / "report"
TAKES_APART = {"split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix", "startswith", "endswith"}
NOT_PROSE = {
    "redact.py": "replaces paths and names of files in whatever a user reads",
    "html/svg.py": "reads the SVG that matplotlib wrote",
    "numbers.py": "writes numbers",
    "frames.py": "selects columns by name",
    "formats/report_format.py": "reads names of formats that a user typed",
    "formats/sarif.py": "makes rule ids of the names of checks, and escapes what viewers would take for links",
    "formats/junit.py": "reads a date",
    "sentences/fact_text.py": "reads the format specifications of its own templates",
}
"""Files that take strings apart which are no sentences, and what these are."""
FILES = sorted(path for path in ROOM.rglob("*.py") if str(path.relative_to(ROOM)) not in NOT_PROSE)


def problems(source: str) -> list[str]:
    """Lines that look into a text: by regular expression, by a method of strings, or by searching for a part."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None)]
            found += ["re"] * ("re" in names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [argument for argument in node.args if isinstance(argument, ast.Constant | ast.JoinedStr)]
            if node.func.attr in TAKES_APART or (node.func.attr == "replace" and len(texts) == 2):
                found.append(f"line {node.lineno}: .{node.func.attr}")
        elif isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            searched = isinstance(node.left, ast.Constant) and isinstance(node.comparators[0], ast.Call)
            found += [f"line {node.lineno}: {ast.unparse(node)}"] * searched
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_sentence_is_taken_apart(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


def test_what_is_let_through_is_there() -> None:
    assert {name for name in NOT_PROSE if (ROOM / name).is_file()} == set(NOT_PROSE)


@pytest.mark.parametrize(
    "source",
    [
        "import re",
        "from re import sub",
        "text.startswith('Read the checks')",
        "finding.text.replace('a', f'{b}')",
        "'at least' in statement(result)",
        "name.rpartition('/')",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert problems(source)
