"""`privaudit config`: the options that apply, where each value comes from, and the problems with them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from privaudit.cli.command import CHECK_ONLY, OPTION_STATE, ConfiguredCommand, key_of, variable_of
from privaudit.cli.option_state import OptionState
from privaudit.cli.output import print_error, reasons_of, tolerate_closed_stdout
from privaudit.errors import ConfigError, did_you_mean

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""Everything after the name of a command is parsed by that command."""


def config(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help="Command, optionally followed by options of its own.")] = "scan",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the options that apply to a command, where each value comes from, and the problems with them.

    privaudit config --json sweep --seed 3 shows the options of that call. Exits 2 if the call would be refused.
    """
    name, arguments = command, list(context.args)
    if command.startswith("-"):  # an option of the default command, scan, whose name was left out
        name, arguments = "scan", [command, *arguments]
    configured = _configured(context, name)
    state, error = _resolve(context, configured, arguments)
    with tolerate_closed_stdout():
        if as_json:
            sys.stdout.write(_as_json(name, configured, state, reasons_of(error) if error else ()))
        else:
            _print(name, configured, state)
    if error is not None:
        print_error(error)
    context.exit(0 if error is None else 2)


def _configured(context: typer.Context, name: str) -> ConfiguredCommand:
    root: Any = context.find_root().command
    configured = {key: command for key, command in root.commands.items() if isinstance(command, ConfiguredCommand)}
    if name not in configured:
        raise ConfigError([
            f"expected a command that files can configure, one of {', '.join(configured)}, got {name}"
            f"{did_you_mean(name, configured)}"
        ])
    return configured[name]


def _resolve(
    context: typer.Context, command: ConfiguredCommand, arguments: list[str]
) -> tuple[OptionState, ConfigError | None]:
    """The options of a command and the error that they raise, if any; the command itself is not run."""
    context.meta[CHECK_ONLY] = True
    with command.make_context(command.name, arguments, parent=context) as inner:
        error: ConfigError | None = None
        try:
            # With CHECK_ONLY, `options_together` exits once the options have been checked.
            command.invoke(cast("typer.Context", inner))
        except typer.Exit:
            pass
        except ConfigError as raised:
            error = raised
        state: OptionState = inner.meta[OPTION_STATE]
        return state, error


def _print(name: str, command: ConfiguredCommand, state: OptionState) -> None:
    from rich.table import Table
    from rich.text import Text

    from privaudit.report.terminal.console import TABLE, standard_output

    out = standard_output()
    files = ", ".join(map(str, state.files)) or "none (privaudit.toml, [tool.privaudit] of pyproject.toml)"
    out.print(Text(f"privaudit {name}: flags override variables, variables override files; - is not set"))
    out.print(Text(f"files read: {files}"), soft_wrap=True)
    out.print()
    table = Table("option", "value", "from", **TABLE)
    for parameter in _settable(command):
        origin = state.origins[str(parameter.name)]
        wrong = state.wrong.get(str(parameter.name))
        style = "dim" if origin.source == "default" else "bold" if wrong is None else "bold red"
        value = _shown(state.values[str(parameter.name)]) if wrong is None else f"{wrong} (wrong)"
        table.add_row(Text(key_of(parameter), style), Text(value, style), Text(origin.where, style))
    out.print(table)
    for note in _unread(command):
        out.print(Text(f"note: {note}", style="yellow"))


def _as_json(name: str, command: ConfiguredCommand, state: OptionState, problems: tuple[str, ...]) -> str:
    options = {
        key_of(parameter): {
            "value": _plain(state.values[str(parameter.name)]),
            "source": state.origins[str(parameter.name)].source,
            "where": state.origins[str(parameter.name)].where,
            "variable": variable_of(key_of(parameter)),
        }
        for parameter in _settable(command)
    }
    record: Mapping[str, Any] = {
        "command": name,
        "files": [str(file) for file in state.files],
        "options": options,
        "problems": list(problems),
        "notes": _unread(command),
    }
    return json.dumps(record, indent=2) + "\n"


def _settable(command: ConfiguredCommand) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.is_eager]


def _unread(command: ConfiguredCommand) -> list[str]:
    """Notes on environment variables that resemble an option's variable and that nothing reads."""
    known = [variable_of(key_of(parameter)) for parameter in command.params]
    notes = []
    for variable in sorted(set(os.environ) - set(known)):
        if variable.startswith("PRIVAUDIT_") and (suggestion := did_you_mean(variable, known, cutoff=0.8)):
            notes.append(f"the variable {variable} is set and not read{suggestion}")
    return notes


def _shown(value: Any) -> str:  # noqa: ANN401 - value of any option
    if value in (None, [], (), ""):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
