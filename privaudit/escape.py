r"""Escaping of untrusted text for terminals, CSV files and Markdown.

File names, captions, labels, groups and model names come from users and may contain terminal escapes, HTML, Markdown,
spreadsheet formulas, characters that XML forbids, or marks that reverse the reading direction. Each function makes text
inert for one output format and leaves a readable trace, such as ``\x1b`` for an escape character.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph: controls, format marks (bidi overrides, zero-width characters), surrogates,
private and unassigned code points, line and paragraph separators."""
JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner, which several scripts and many emoji need."""
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Beginning of a cell that a spreadsheet runs as a formula; also in full width."""
COMMAND = re.compile(r"(?<![\w\\:])::(?=\w)|##(?=\[|vso\[|teamcity\[)")
"""Text that the log of a CI job may run as a command."""
BREAK = "&#8203;"
"""Zero-width space, which splits an address, mention or reference so that it is not linked."""


def escape_control(text: str, keep: str = "") -> str:
    r"""Replace characters without a glyph by their escape sequences.

    Args:
        text: Untrusted text.
        keep: Characters to keep, such as a newline.

    Returns:
        The text, with ``\x1b`` for an escape character, ``\n`` for a newline, ``\u202e`` for a bidi override.

    >>> print(escape_control("a\x1b[2Jb\u202etxt.exe"))
    a\x1b[2Jb\u202etxt.exe
    """
    if text.isascii() and text.isprintable():
        return text
    allowed = set(keep) | set(JOINERS)
    return "".join(
        character
        if character in allowed or unicodedata.category(character) not in HIDDEN
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def terminal(text: str, keep: str = "") -> str:
    r"""Escape a text for a terminal or the log of a CI job.

    GitHub runs a log line that begins with ``::`` as a command; GitHub and Azure do so with ``##[`` anywhere in a line.

    Args:
        text: Untrusted text.
        keep: Characters to keep, such as a newline.

    Returns:
        The output of `escape_control`, with a backslash that breaks any such command.

    >>> print(terminal("::stop-commands::x"), terminal("a::b ##[add-mask]x"))
    \::stop-commands::x a::b #\#[add-mask]x
    """
    shown = escape_control(text, keep)
    return COMMAND.sub(lambda match: f"#\\{match[0][1:]}" if match[0][0] == "#" else f"\\{match[0]}", shown)


def encodable(value: T) -> T | str:
    r"""Escape what UTF-8 cannot encode: the bytes of a file name in another encoding.

    Args:
        value: Any value, such as the text of a path, in which Python represents such bytes as lone surrogates.

    Returns:
        A text with ``\udce9`` for the byte E9; a value that is not a text unchanged.
    """
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def csv_cell(value: T) -> T | str:
    """Escape the value of a cell so that a spreadsheet does not run it as a formula.

    Args:
        value: Value of a cell.

    Returns:
        A text on one line, with an apostrophe in front if it would be a formula; a value that is not a text unchanged.

    >>> csv_cell("=1+1"), csv_cell(-1.5)
    ("'=1+1", -1.5)
    """
    if not isinstance(value, str):
        return value
    shown = escape_control(value)
    return f"'{shown}" if FORMULA.match(value) or value[:1] in ("\t", "\r") else shown


def csv_text(frame: pd.DataFrame) -> str:
    """Write a table as CSV in which no text can act as a formula.

    Args:
        frame: Table; its index is not written.

    Returns:
        Comma-separated text with a header; missing values are empty.
    """
    safe = frame.rename(columns=csv_cell)
    for number, kind in enumerate(frame.dtypes):
        if kind.kind not in "biuf":  # numbers and booleans need no escaping
            safe.isetitem(number, [csv_cell(value) for value in frame.iloc[:, number]])
    return safe.to_csv(index=False)


def markdown(text: str) -> str:
    """Escape prose for one line of GitHub-flavoured Markdown, in a table or outside.

    HTML, links, images, emphasis, headings, tables and formulas are escaped. Addresses, mentions, references and emoji
    codes, which GitHub looks for in the rendered text, are split by a zero-width space.

    Args:
        text: Untrusted text.

    Returns:
        Markdown that renders as the text.
    """
    shown = " ".join(escape_control(text, keep="\r\n\t").split())
    shown = re.sub(r"([\\`*_\[\]~])", r"\\\1", shown)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("$", "&#36;")):
        shown = shown.replace(character, entity)
    # Addresses: ``://``, ``www.``, ``mailto:``, ``xmpp:``; references to issues: ``GH-7``.
    shown = re.sub(r"(?i)(?<=:/)(?=/)|(?<=\bwww)(?=\.)|(?<=\bmailto:)|(?<=\bxmpp:)|(?<=\bGH-)(?=\d)", BREAK, shown)
    # Mentions and e-mail addresses; references such as ``#7`` and ``!7``, but not the entities written above.
    shown = re.sub(r"(?<!\w)@(?=\w)|(?<=[\w.+-])@(?=[\w.-]*\.\w)|[#!](?=\d)(?<!&#)", rf"\g<0>{BREAK}", shown)
    # Emoji codes such as ``:tada:``.
    shown = re.sub(r"(?<!\w):(?=[\w+-]+:)", f":{BREAK}", shown)
    return re.sub(r"^([-+=#:]|\d+(?=[.)]))", _without_mark, shown)


def markdown_code(text: str) -> str:
    """Escape a name as a Markdown code span.

    Args:
        text: Untrusted text.

    Returns:
        The code span; the output of `markdown` for a name with a vertical bar, which would end the cell of a table.
    """
    shown = escape_control(text)
    if "|" in shown or not shown.strip():
        return markdown(shown) or "(empty)"
    # A span is delimited by more backticks than any run inside it; one space next to them is removed when rendered.
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    padding = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def _without_mark(match: re.Match[str]) -> str:
    """Break a mark that would begin a list, a heading or a rule."""
    mark = match[0]
    return f"{mark}{BREAK}" if mark.isdigit() else f"\\{mark}"
