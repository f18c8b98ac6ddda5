"""Signatures of commands: shared options from the table (`privaudit.auditing.option_table`) and a command's own."""

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
from privaudit.errors import ConfigError, did_you_mean

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
FORMAT_NAMES = "json, html, md, junit, sarif, card, csv, parquet"  # text of --help, which must not import the registry


@dataclass(frozen=True)
class After:
    """Position of a command's own option in ``--help``.

    Without this mark, an option follows the command's previous own option; the first one follows all options of the
    table.

    Attributes:
        name: Option that it follows.
    """

    name: str


def takes(options: type[Options], names: Iterable[str] | None = None) -> Callable[[Command], Command]:
    """Add the options of a class to the signature of a command, which receives them as keywords.

    Args:
        options: Class of the options.
        names: Options to add, in the order of ``--help``; None for all that are on the command line.

    Returns:
        A decorator.
    """
    entries = table(options)
    shared = [name for name, entry in entries.items() if entry.help] if names is None else list(names)

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        parameters = {name: _parameter(name, entries[name]) for name in shared}
        order, previous = list(parameters), ""
        for name, parameter in inspect.signature(command).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:  # **options receives the options of the table
                continue
            parameters[name] = parameter.replace(annotation=hints[name])
            marks = [extra.name for extra in get_args(hints[name]) if isinstance(extra, After)]
            position = order.index((*marks, previous)[0]) + 1 if marks or previous else len(order)
            order.insert(position, name)
            previous = name
        decorated: Any = command
        # typer reads the signature for the order and the defaults, and the annotations for the types.
        decorated.__signature__ = inspect.Signature([parameters[name] for name in order])
        decorated.__annotations__ = {name: parameters[name].annotation for name in order}
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
    """Return the kind of each parameter of a command, from its annotation."""
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
    """Make a callback that checks the syntax of a text.

    Args:
        read: Parser that raises `ConfigError`, which `privaudit.cli.command.ConfiguredCommand` collects with all other
            problems.

    Returns:
        The callback; it returns the text unchanged.
    """

    def check(value: str) -> str:
        read(value)
        return value

    return check


def parse_inconclusive(text: str) -> Literal["pass", "fail", "error"]:
    """Check the value of ``--inconclusive``.

    Returns:
        The text.

    Raises:
        ConfigError: The text is none of `INCONCLUSIVE`.
    """
    if text not in INCONCLUSIVE:
        raise ConfigError([
            f"expected --inconclusive pass, fail or error, got {text}{did_you_mean(text, INCONCLUSIVE)}"
        ])
    return cast("Literal['pass', 'fail', 'error']", text)


Inconclusive = Annotated[
    str,
    typer.Option(
        metavar="pass|fail|error",
        callback=checked(parse_inconclusive),
        rich_help_panel=GATES,
        help="How an inconclusive verdict exits: pass (0), fail (1) or error (3).",
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
        envvar="PRIVAUDIT_QUIET",  # read by typer for commands that are no ConfiguredCommand
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
        help="TOML file with options; by default privaudit.toml and \\[tool.privaudit] of pyproject.toml. "
        "privaudit config shows what applies.",
    ),
]
