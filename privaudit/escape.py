r"""Names and captions come from users: here they become text that does nothing, whatever shows it.

File names, captions, labels, groups and model names may hold terminal escapes, HTML, Markdown, spreadsheet formulas,
characters that XML forbids, or marks that reverse the direction of reading. Each function makes one kind inert and
leaves a readable trace of what was there: ``\x1b`` for an escape character.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph of their own: controls, format marks (bidi overrides, zero widths), surrogates,
private and unassigned code points, line and paragraph separators."""
JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: several scripts and many emoji are not written without them."""
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Spreadsheets take a cell that begins like this, also in full width, for a formula."""
COMMAND = re.compile(r"(?<![\w\\:])::(?=\w)|##(?=\[|vso\[|teamcity\[)")
"""What the log of a CI job may take for a command."""
BREAK = "&#8203;"
"""A zero-width space: what stands on either side of it is no longer one address, mention or reference."""


def escape_control(text: str, keep: str = "") -> str:
    r"""Show what has no glyph instead of letting it act.

    Args:
        text: Text of any origin.
        keep: Characters to leave as they are, such as a newline.

    Returns:
        The same, with ``\x1b`` for an escape character, ``\n`` for a newline, ``\u202e`` for a bidi override.

    >>> print(escape_control("a\x1b[2Jb\u202etxt.exe"))
    a\x1b[2Jb\u202etxt.exe
    """
    if text.isascii() and text.isprintable():
        return text
    kept = set(keep) | set(JOINERS)
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in HIDDEN
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def terminal(text: str, keep: str = "") -> str:
    r"""Write a text for a terminal, or for the log of a CI job, in which nothing is obeyed.

    A line of a log that begins with ``::`` is a command to GitHub, ``##[`` anywhere in it one to GitHub or Azure.

    Args:
        text: Text of any origin.
        keep: Characters to leave as they are, such as a newline.

    Returns:
        The same as `escape_control`, with a backslash inside of what would be such a command.

    >>> print(terminal("::stop-commands::x"), terminal("a::b ##[add-mask]x"))
    \::stop-commands::x a::b #\#[add-mask]x
    """
    shown = escape_control(text, keep)
    return COMMAND.sub(lambda found: f"#\\{found[0][1:]}" if found[0][0] == "#" else f"\\{found[0]}", shown)


def encodable(value: T) -> T | str:
    r"""Show what UTF-8 cannot hold: the bytes of a file name that is in another encoding.

    Args:
        value: Such as a path's text, in which Python keeps such bytes as lone surrogates.

    Returns:
        A text with ``\udce9`` for the byte E9; anything but a text as it is.
    """
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def csv_cell(value: T) -> T | str:
    """Keep a spreadsheet from running a text as a formula.

    Args:
        value: Value of a cell.

    Returns:
        A text with an apostrophe in front where it would be one, on one line; anything but a text as it is.

    >>> csv_cell("=1+1"), csv_cell(-1.5)
    ("'=1+1", -1.5)
    """
    if not isinstance(value, str):
        return value
    shown = escape_control(value)
    return f"'{shown}" if FORMULA.match(value) or value[:1] in ("\t", "\r") else shown


def csv_text(frame: pd.DataFrame) -> str:
    """Write a table as CSV whose texts are only texts.

    Args:
        frame: Its index is left out.

    Returns:
        Comma-separated, with a header; missing values are empty.
    """
    safe = frame.rename(columns=csv_cell)
    for number, kind in enumerate(frame.dtypes):
        if kind.kind not in "biuf":
            safe.isetitem(number, [csv_cell(value) for value in frame.iloc[:, number]])
    return safe.to_csv(index=False)


def markdown(text: str) -> str:
    """Write prose as GitHub-flavoured Markdown in which nothing is alive, on one line, also in a table.

    HTML, links, images, emphasis, headings, tables and formulas are escaped; addresses, mentions, references and emoji
    codes, which are found in the finished text, are broken by a space of no width.

    Args:
        text: Text of any origin.

    Returns:
        Markdown that is shown as the text.
    """
    shown = " ".join(escape_control(text, keep="\r\n\t").split())
    shown = re.sub(r"([\\`*_\[\]~])", r"\\\1", shown)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("$", "&#36;")):
        shown = shown.replace(character, entity)
    shown = re.sub(r"(?i)(?<=:/)(?=/)|(?<=\bwww)(?=\.)|(?<=\bmailto:)|(?<=\bxmpp:)|(?<=\bGH-)(?=\d)", BREAK, shown)
    shown = re.sub(r"(?<!\w)@(?=\w)|(?<=[\w.+-])@(?=[\w.-]*\.\w)|[#!](?=\d)(?<!&#)", rf"\g<0>{BREAK}", shown)
    shown = re.sub(r"(?<!\w):(?=[\w+-]+:)", f":{BREAK}", shown)
    return re.sub(r"^([-+=#:]|\d+(?=[.)]))", _unmarked, shown)


def markdown_code(text: str) -> str:
    """Write a name as a code span, in which nothing is alive.

    Args:
        text: Text of any origin.

    Returns:
        The span; prose as of `markdown` where a span cannot hold the name: in a table, no span may hold a bar.
    """
    shown = escape_control(text)
    if "|" in shown or not shown.strip():
        return markdown(shown) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    padding = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def _unmarked(match: re.Match[str]) -> str:
    """What would begin a list, a heading or a rule."""
    mark = match[0]
    return f"{mark}{BREAK}" if mark.isdigit() else f"\\{mark}"
