"""What kind of value an option takes, read from its annotation."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Kind = Literal["flag", "integer", "number", "text", "path", "texts", "paths"]

_KINDS: Mapping[Any, Kind] = {
    bool: "flag",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    list[str]: "texts",
    list[Path]: "paths",
}
_WORDS: Mapping[Kind, str] = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "path": "a path",
    "texts": "a text or a list of texts",
    "paths": "a path or a list of paths",
}


def kinds_of(command: Callable[..., Any]) -> dict[str, Kind]:
    """Read the kinds of a command's parameters.

    Args:
        command: A function with annotations; typer may have wrapped it.

    Returns:
        By name of the parameter.
    """
    hints = get_type_hints(inspect.unwrap(command))
    return {name: _KINDS[_without_none(hint)] for name, hint in hints.items() if name != "return"}


def describe(kind: Kind) -> str:
    """Say in words what a value of this kind is."""
    return _WORDS[kind]


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    return hint
