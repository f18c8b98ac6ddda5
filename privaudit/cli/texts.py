"""Texts of the command line that stand for something else, each read by one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.report.formats import Format

INCONCLUSIVE = ("pass", "fail", "error")


def checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Make a callback that reads a text while all other problems of a configuration can still be named with its own.

    Args:
        parse: Raises a ConfigError for what it cannot read.

    Returns:
        The callback; it returns the text.
    """

    def check(value: str) -> str:
        parse(value)
        return value

    return check


def shares(text: str) -> float | tuple[float, ...]:
    """Read ``--drop``.

    Args:
        text: A number, or several with commas between them.

    Returns:
        The number, or all of them.

    Raises:
        ConfigError: It is something else.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError([f"expected --drop as a number, or as several such as 0.2,0.4,0.6, got {text}"]) from error
    return found if len(found) > 1 else found[0]


def batch_size(text: str) -> int | None:
    """Read ``--batch-size``.

    Args:
        text: ``auto`` or a number.

    Returns:
        The number; None for ``auto``.

    Raises:
        ConfigError: It is neither.
    """
    if text != "auto" and not (text.isascii() and text.isdigit()):
        raise ConfigError([f"expected --batch-size auto or a number, got {text}"])
    return int(text) if text != "auto" else None


def counted_as(text: str) -> Literal["pass", "fail", "error"]:
    """Read ``--inconclusive``.

    Args:
        text: What an inconclusive verdict counts as.

    Returns:
        The same.

    Raises:
        ConfigError: It is none of the three.
    """
    if text not in INCONCLUSIVE:
        raise ConfigError([f"expected --inconclusive pass, fail or error, got {text}"])
    return cast("Literal['pass', 'fail', 'error']", text)


def formats(text: str) -> tuple[Format, ...]:
    """Read ``--format``.

    Args:
        text: Names with commas between them.

    Returns:
        The formats.

    Raises:
        ConfigError: One is unknown.
    """
    from privaudit.report.formats import parse_formats

    return parse_formats(text)
