"""Names, sentences, lists and tables in Markdown: nothing in them is alive, and each of them has an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from privaudit.escape import escape_control, markdown, markdown_code

NAME, PROSE = 100, 700
"""Characters of a name and of a sentence; what is longer is cut."""


def prose(text: str) -> str:
    """Write a sentence."""
    return markdown(_cut(text, PROSE))


def name(text: str, most: int = NAME) -> str:
    """Write a name, a gate or a command as a code span of so many characters at most."""
    return markdown_code(_cut(text, most))


def bullets(texts: Sequence[str], most: int) -> str:
    """List sentences."""
    return "\n".join(f"- {prose(text)}" for text in texts[:most]) + _more(len(texts) - most)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], most: int, count: int) -> str:
    """Lay out a table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row, _ in zip(rows, range(most), strict=False)]
    return "\n".join(lines) + _more(count - most)


def _more(count: int) -> str:
    return f"\n\n{count} more in report.json" if count > 0 else ""


def _cut(text: str, most: int) -> str:
    shown = escape_control(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
