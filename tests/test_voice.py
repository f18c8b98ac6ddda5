"""The prose of the package is plain technical English: docstrings, comments, messages, pages and documents.

Every pattern is a habit of earlier versions that made readers stop. CONTRIBUTING.md states the rules; this test holds
the ones that a regular expression can see.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "package": [*(ROOT / "privaudit").glob("*.py")],
    **{
        folder.name: sorted([*folder.rglob("*.py"), *folder.rglob("*.html"), *folder.rglob("*.js")])
        for folder in sorted((ROOT / "privaudit").iterdir())
        if (folder / "__init__.py").exists() and folder.name != "auditing"
    },
    "auditing": [
        path
        for path in sorted((ROOT / "privaudit" / "auditing").rglob("*.py"))
        if not {"assess", "designs"} & set(path.parts)
    ],
    "auditing/assess": sorted((ROOT / "privaudit" / "auditing" / "assess").rglob("*.py")),
    "auditing/designs": sorted((ROOT / "privaudit" / "auditing" / "designs").rglob("*.py")),
    "documents": [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))],
}
_COUNTED = (
    r"(?:ids?|pass(?:es)?|images?|scores?|evaluations?|seconds?|rows?|columns?|lines?|labels?|coins?|groups?|folds?"
    r"|levels?|candidates?|draws?|probes?|values?|copies|copy|bytes|decodes?|decodings?|captions?|masks?)"
)
_UNIT = (
    r"(?:image|pass|canary|candidate|file|group|level|step|fold|sample|mask|attack|line|row|column|device|process"
    r"|tensor)"
)
PATTERNS = {
    "an attribute line that starts with 'Of the': make it a noun phrase": r"^\s*\w+: Of (?:the|a|an|each|every)\b",
    "'a' for 'per'": rf"(?<!\bto)(?-i: {_COUNTED} (?:an?|every) {_UNIT}\b)",
    "someone, anyone, or name the role": r"\b(?:whoever|somebody|nobody|anybody|everybody)\b",
    "at random": r"\bby lot\b",
    "fraction to drop": r"\bshares? (?:to|of dimensions) (?:drop|be dropped)\b",
    "fix": r"\bmend(?:s|ed|ing)?\b",
    "image, not picture": r"\bpictures?\b(?! files?\b)",
    "in addition to, next to": r"\bbeside\b",
    "minimum, at least": r"\bthe least\b(?!-| influential\b| distorted\b| likely\b)",
    "held-out, non-member": r"\b(?:unseen|strangers?)\b",
    "distribution": r"\bthe law\b|\blaws? of\b",
    "assigned": r"\bdealt (?:in|into|to)\b",
}
NAMES = frozenset({"asked", "deal", "found", "given", "kept", "least", "left", "most", "own", "said", "seen", "told"})
"""What says how a value came about and not what it is: no name of a variable, an argument or a function."""


PARAMETERS = {"privaudit/decoder_geometry/influence/adaptive.py": {"least", "most"}}
"""Names that users write in specifications and that reports keep, by file: they stay."""

HASHED = ("pictures that look like ",)
"""Texts that are hashed to assign folds: another word would change the folds and numbers of an audit."""


@dataclass(frozen=True)
class Remark:
    """A place that a rule names."""

    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text!r}: {self.rule}"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Texts for readers with their first line: all of a page or document; docstrings, comments and strings of code."""
    content = path.read_text()
    if path.suffix != ".py":
        # link targets and code name files and parts of the package
        yield 1, re.sub(r"(?s)```.*?```|`[^`\n]*`|\]\([^)\s]*\)", lambda code: "\n" * code[0].count("\n"), content)
        return
    yield from comments(content)
    inside = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def comments(content: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def remarks(text: str, first: int = 1) -> list[Remark]:
    """What the patterns match in a text; a sentence may go on in the next line."""
    found = []
    for hashed in HASHED:
        text = text.replace(hashed, "")
    for rule, pattern in PATTERNS.items():
        spaced = pattern.replace(" ", r"\s+(?:#\s+)?")  # a comment goes on behind another "#"
        for match in re.finditer(spaced, text, re.MULTILINE | re.IGNORECASE):
            line = first + text.count("\n", 0, match.start())
            found.append(Remark(line, rule, " ".join(match.group().split())))
    return found


def names(content: str) -> Iterator[tuple[int, str]]:
    """Every name that a file gives to a value, an argument, a field or a function."""
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def problems(path: Path) -> list[str]:
    """Everything that a file should say otherwise."""
    where = path.relative_to(ROOT)
    listed = [f"{where}, {remark}" for first, text in texts(path) for remark in remarks(text, first)]
    if path.suffix == ".py":
        listed += [
            f"{where}, line {line}: name {name!r} does not say what it holds"
            for line, name in names(path.read_text())
            if name.strip("_") in NAMES - PARAMETERS.get(where.as_posix(), set())
        ]
    return listed


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_voice(room):
    listed = [problem for path in ROOMS[room] for problem in problems(path)]
    assert not listed, "\n".join(listed)


@pytest.mark.parametrize(
    "sample",
    [
        "Attributes:\n    seed: Of the audit.",
        "expected one id an image, got 3",
        "7 passes an image",
        "one coin a candidate",
        "It scores one\n    # image a pass.",
        "Whoever reads this",
        "drawn by lot",
        "the share to drop",
        "mend the file",
        "returns pictures",
        "beside the scores",
        "at the least",
        "unseen images",
        "the law of the scores",
        "dealt into folds",
    ],
)
def test_lint_sees(sample):
    assert remarks(sample)


@pytest.mark.parametrize(
    "sample",
    [
        "seed: Seed of the audit.",
        "one id per image",
        "picture files",
        "besides the scores",
        "Score an image",
        "to score an image",
    ],
)
def test_lint_passes(sample):
    assert not remarks(sample)


def test_lint_sees_names(tmp_path):
    assert [name for _, name in names("def told(given):\n    found = given") if name in NAMES] == [
        "told",
        "given",
        "found",
    ]
