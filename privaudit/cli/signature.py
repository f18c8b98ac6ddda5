"""Signatures of commands: options of the table (`privaudit.auditing.option_table`), and those of the command alone."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import typer

from privaudit.auditing.option_table import GATES, RUNNING, Kind, Option, flag_of, table
from privaudit.auditing.parsed_options import Options
from privaudit.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])
TYPES: Mapping[Kind, Any] = {
    "flag": bool,
    "integer": int,
    "number": float,
    "text": str,
    "path": Path,
    "texts": list[str],
    "paths": list[Path],
}
INCONCLUSIVE = ("pass", "fail", "error")
FORMAT_NAMES = "json, html, md, junit, sarif, card, csv, parquet"  # in --help, which does not wait for their registry


@dataclass(frozen=True)
class After:
    """Places a command's own option in its help.

    Attributes:
        name: Option that it follows; without a place, it follows the one before it, and the first of them comes last.
    """

    name: str


def takes(options: type[Options], names: Iterable[str] | None = None) -> Callable[[Command], Command]:
    """Give a command the options of a class, which it gets as keywords, in addition to its own.

    Returns:
        A decorator.
    """
    entries = table(options)
    shared = [name for name, entry in entries.items() if entry.help] if names is None else list(names)

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        parameters = {name: _parameter(name, entries[name]) for name in shared}
        order, previous = list(parameters), ""
        for name, own in inspect.signature(command).parameters.items():
            if own.kind is own.VAR_KEYWORD:
                continue
            parameters[name] = own.replace(annotation=hints[name])
            places = [extra.name for extra in get_args(hints[name]) if isinstance(extra, After)]
            place = order.index((*places, previous)[0]) + 1 if places or previous else len(order)
            order.insert(place, name)
            previous = name
        made: Any = command
        made.__signature__ = inspect.Signature([parameters[name] for name in order])
        made.__annotations__ = {name: parameters[name].annotation for name in order}
        return command

    return decorate


def _parameter(name: str, entry: Option) -> inspect.Parameter:
    kind, default = TYPES[entry.kind], entry.unset
    if entry.argument:
        info = typer.Argument(help=entry.help)
        default = inspect.Parameter.empty
    else:
        info = typer.Option(
            flag_of(name, entry),
            metavar=entry.metavar,
            callback=checked(entry.read) if entry.syntax else None,
            rich_help_panel=entry.panel,
            help=entry.help,
        )
        kind = kind | None if default is None else kind
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def kinds_of(command: Callable[..., Any]) -> dict[str, Kind]:
    """Read what a command's parameters take."""
    kinds = [(kind, name) for name, kind in TYPES.items()]
    hints = get_type_hints(inspect.unwrap(command))
    return {
        name: next(known for kind, known in kinds if kind == _without_none(hint))
        for name, hint in hints.items()
        if name != "return"
    }


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    return hint


def checked(read: Callable[[str], object]) -> Callable[[str], str]:
    """Make a callback that checks a text; its problems are named together with all others of a configuration."""

    def check(value: str) -> str:
        read(value)
        return value

    return check


def counted_as(text: str) -> Literal["pass", "fail", "error"]:
    """Read ``--inconclusive``.

    Returns:
        The same.

    Raises:
        ConfigError: It is none of the three.
    """
    if text not in INCONCLUSIVE:
        raise ConfigError([f"expected --inconclusive pass, fail or error, got {text}"])
    return cast("Literal['pass', 'fail', 'error']", text)


Inconclusive = Annotated[
    str,
    typer.Option(
        metavar="pass|fail|error",
        callback=checked(counted_as),
        rich_help_panel=GATES,
        help="What an inconclusive gate exits as: pass (0), fail (1) or error (3).",
    ),
]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", rich_help_panel=GATES, help="Exit 0 whatever the gates say; errors still exit 2."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        envvar="PRIVAUDIT_QUIET",  # for commands without a configuration, too
        show_envvar=False,
        rich_help_panel=RUNNING,
        help="No progress on standard error.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        is_eager=True,
        rich_help_panel=RUNNING,
        help="TOML file with options; otherwise privaudit.toml and \\[tool.privaudit] of pyproject.toml are read. "
        "privaudit config shows what applies.",
    ),
]
