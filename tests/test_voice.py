"""The package and its documents are written in plain technical English, read from comments, strings and pages.

The worst patterns of earlier versions, each with what to write instead. A room that still has them stands in `TO_DO`,
and leaves it for good once it is clean.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "privaudit"

COUNTED = (
    "ids? passes images scores? evaluations seconds rows? columns? lines? labels? coins? folds? values? bytes bits "
    "cycles cotangents? products? probes? iterations repeats calls hashes thumbnails? captions? features? numbers?"
)
UNITS = "image pass canary candidate file group level step split pixel sample batch latent mask fold score attack run"
PATTERNS = {
    r"(?m)^\s*\w+: Of\b": "an attribute line is a noun phrase: `seed: Seed of the audit.`",
    r"\A\s*Of\b": "a description is a noun phrase: `Seed of the audit.`",
    rf"\b({'|'.join(COUNTED.split())})\s+an?\s+({'|'.join(UNITS.split())})\b": "per: `one id per image`",
    r"\b(who|whom|what)soever\b|\bwho(m)?ever\b": "someone, anyone, or the role: auditor, attacker, caller",
    r"\b(somebody|nobody|anybody)\b": "someone, no one, or the role: auditor, attacker, caller",
    r"\bby\s+lot\b": "at random",
    r"\bshares?\s+to\s+drop\b": "fraction to drop",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bbeside\b": "in addition to, next to",
    r"\bunseen\b": "held-out, non-member",
    r"\bstrangers?\b": "non-member, held-out",
    r"\b(deals?|dealt)\b(?! with)": "assigned to folds, split at random",
    r"\bpictures?\b(?! files?\b)": "image, figure, plot",
    r"\bthe\s+least\b": "minimum, at least",
    r"\blaws?\b": "distribution",
}
"""What is not written, as a regular expression, and what is written instead."""

TO_DO: tuple[str, ...] = (
    "attacks",
    "auditing",
    "canaries",
    "cli",
    "compare",
    "data",
    "decoder_geometry",
    "docs",
    "evaluation",
    "execution",
    "inversion",
    "lab",
    "model",
    "report",
    "results",
    "storage",
    "tasks",
)
"""Rooms that still have such patterns."""


def room_of(path: Path) -> str:
    """The folder below the package, or what kind of page it is."""
    if not path.is_relative_to(PACKAGE):
        return "docs"
    pieces = path.relative_to(PACKAGE).parts
    if path.suffix != ".py":
        return "templates"
    return pieces[0] if len(pieces) > 1 else "top"


FILES = [
    *sorted(PACKAGE.rglob("*.py")),
    *sorted(PACKAGE.rglob("*.html")),
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
ROOMS = sorted({room_of(path) for path in FILES})


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of everything in a file that is read as English."""
    content = path.read_text()
    if path.suffix == ".py":
        yield from python_texts(content)
    elif path.suffix == ".md":
        # link targets and code are names of files and of things in the package
        prose = re.sub(r"(?s)```.*?```|`[^`]*`|\]\([^)]*\)", lambda code: "\n" * code[0].count("\n") or " ", content)
        yield 1, prose
    else:
        yield 1, re.sub(r"(?s)\{[%{#].*?[%}#]\}|<[^>]*>", lambda tag: "\n" * tag[0].count("\n") or " ", content)


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every comment, docstring and string; adjacent comment lines are one text."""
    previous = 0
    comment: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if comment and token.start[0] != previous + 1:
            yield previous - len(comment) + 1, "\n".join(comment)
            comment = []
        comment.append(token.string.lstrip("# "))
        previous = token.start[0]
    if comment:
        yield previous - len(comment) + 1, "\n".join(comment)
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, pieces))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def problems(path: Path) -> list[str]:
    """Every pattern in a file, with the line, the text around it and what to write."""
    lines = []
    for start, text in texts(path):
        for pattern, instead in PATTERNS.items():
            for match in re.finditer(pattern, text, re.IGNORECASE if "Of" not in pattern else 0):
                line = start + text[: match.start()].count("\n")
                lines.append(f"{path.relative_to(ROOT)}:{line}: {' '.join(match[0].split())!r}; write {instead}")
    return lines


@cache
def problems_of(room: str) -> tuple[str, ...]:
    return tuple(problem for path in FILES if room_of(path) == room for problem in problems(path))


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in TO_DO])
def test_a_room_is_written_in_plain_english(room: str) -> None:
    assert not problems_of(room), "\n".join(problems_of(room))


def test_a_clean_room_is_no_longer_to_do() -> None:
    assert set(TO_DO) <= set(ROOMS)
    clean = [room for room in TO_DO if not problems_of(room)]
    assert not clean, f"take {clean} out of TO_DO"


@pytest.mark.parametrize(
    "text",
    [
        "    seed: Of the audit.",
        "Of the computation; inputs are float32.",
        "one id an image",
        "two passes\n    a step",
        "whoever knows the seed",
        "Nobody looked",
        "drawn by lot",
        "one share to drop",
        "leave them out or mend their scores",
        "the scores beside it",
        "the unseen images",
        "1 of 100 strangers",
        "dealt into folds",
        "without a picture in common",
        "with the least error",
        "the normal law",
    ],
)
def test_a_bad_sample_is_noticed(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    for name, source in {
        "docstring.py": f'"""{text}"""\n',
        "comment.py": "".join(f"# {line}\n" for line in text.splitlines()),
        "message.py": f"n = 1\nraise ValueError(f{text!r} f' {{n}}')\n",
        "page.md": text,
        "page.html": f"<p>{text}</p>",
    }.items():
        path = tmp_path / name
        path.write_text(source)
        assert len(problems(path)) == 1, name


@pytest.mark.parametrize(
    "text",
    [
        "seed: Seed of the audit.",
        "one id per image",
        "picture files",
        "deal with it",
        "[a](pictures/a.png)",
        "at least",
    ],
)
def test_a_good_sample_is_let_through(text: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    assert not problems(path)
