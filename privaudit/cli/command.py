"""Commands whose options come from flags > PRIVAUDIT_* > privaudit.toml > pyproject.toml, all checked together.

typer stops at the first value of a wrong type. Here the wrong values of all sources are collected, and the problems
that the options class finds are added (`privaudit.cli.option_state.options_together`), so that one message names
everything to fix.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from privaudit.auditing.option_table import Kind
from privaudit.cli.option_files import WORDS, Setting, Settings, read_settings
from privaudit.cli.option_state import DEFAULT, OptionState, Origin, origins_text, running
from privaudit.cli.output import print_notes
from privaudit.cli.signature import kinds_of
from privaudit.errors import ConfigError

ONLY_FLAGS = frozenset({"config", "help"})
"""Options that a file cannot set."""
CHECK_ONLY, OPTION_STATE = "privaudit.check_only", "privaudit.option_state"
"""Keys of a context's ``meta``: whether to only check the options, and their `OptionState`."""


@dataclass(frozen=True)
class _ReadOption:
    """Outcome of reading one option.

    Attributes:
        origin: Where its value came from.
        problems: Why it could not be read.
        wrong: Text of a value that could not be read.
        missing: Whether it is a required argument without a value.
    """

    origin: Origin
    problems: tuple[str, ...] = ()
    wrong: str | None = None
    missing: bool = False


class PlainCommand(TyperCommand):
    """A command whose usage line names arguments in capitals: ``TARGET`` where typer writes ``{target}``."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Collect the words of the usage line."""
        pieces = super().collect_usage_pieces(ctx)
        return [re.sub(r"\{([^{}]+)\}", lambda match: match[1].upper(), piece) for piece in pieces]


class ConfiguredCommand(PlainCommand):
    """A command whose options can be set by flag, environment variable and file."""

    not_from_files: ClassVar[frozenset[str]] = frozenset()
    """Keys that this command does not read from files; files set them for other commands."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read flags, variables and files into the parameters of the context.

        Returns:
            Arguments that were not parsed: none.

        Raises:
            ConfigError: A required argument is missing; the message also names everything that could not be read.
            TyperException: A flag does not exist, or there are too many arguments.
        """
        flags, rest, usage_error = self._parse(ctx, args)
        config = flags.get("config") or os.environ.get(variable_of("config"))
        config_origin = f" ({variable_of('config')})" if config and not flags.get("config") else ""
        for parameter in self.get_params(ctx):
            if parameter.is_eager:  # --help exits here, before a broken file can fail it
                parameter.handle_parse_result(ctx, {**flags, "config": config}, [])
        settings = read_settings(Path(config) if config else None, config_origin)
        kinds = kinds_of(self.callback) if self.callback else {}
        options = {
            str(parameter.name): self._read(ctx, parameter, kinds[str(parameter.name)], flags, settings)
            for parameter in self.params
            if not parameter.is_eager
        }
        only_check = bool(ctx.meta.get(CHECK_ONLY))
        problems = [*settings.problems, *settings.unknown(_known_keys(ctx))]
        for option in options.values():
            if not (option.missing and only_check):
                problems += option.problems
        ctx.meta[OPTION_STATE] = OptionState(
            values=dict(ctx.params),
            origins={name: option.origin for name, option in options.items()},
            keys={str(parameter.name): key_of(parameter) for parameter in self.params},
            wrong={name: option.wrong for name, option in options.items() if option.wrong is not None},
            problems=tuple(problems),
            files=settings.files,
            only_check=only_check,
        )
        if usage_error is not None:
            refused = ConfigError([str(usage_error), *problems], private=rest)
            self.on_refused(ctx, refused)
            print_notes(refused)  # typer prints the usage error itself
            raise usage_error
        # Only a missing argument is raised here. `options_together` raises the other problems later, together with
        # those that the options class finds, which needs every argument.
        if not only_check and any(option.missing for option in options.values()):
            error = ConfigError(problems)
            self.on_refused(ctx, error)
            raise error
        return []

    def on_refused(self, ctx: typer.Context, error: ConfigError) -> None:
        """Handle an error in the options before it is raised; does nothing by default.

        Args:
            ctx: Context of the call; its ``meta`` holds the options as far as they could be read.
            error: The error.
        """

    def _parse(
        self, ctx: typer.Context, args: Sequence[str]
    ) -> tuple[Mapping[str, Any], list[str], TyperException | None]:
        """Parse the command line.

        Returns:
            Values by parameter name, superfluous arguments, and the usage error, if any. After an error the values are
            those that could still be parsed.
        """
        try:
            flags, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
            if rest:
                ctx.fail(f"Got unexpected extra argument{'s' if len(rest) > 1 else ''} ({' '.join(rest)})")
        except TyperException as error:
            # Parse again, leniently: the report of the failure names the target and the folder, if they can be read.
            ctx.ignore_unknown_options = ctx.resilient_parsing = True
            flags, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
            ctx.resilient_parsing = False
            return flags, rest, error
        return flags, [], None

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401 - what the command returns
        """Run the command; `privaudit.cli.option_state.current_options` then returns its options."""
        with running(ctx.meta.get(OPTION_STATE)):
            return super().invoke(ctx)

    def _read(
        self,
        ctx: typer.Context,
        parameter: Any,  # noqa: ANN401 - a parameter of typer
        kind: Kind,
        flags: Mapping[str, Any],
        settings: Settings,
    ) -> _ReadOption:
        """Read one option into the context; its default, or a stand-in, if that is not possible."""
        name, key = str(parameter.name), key_of(parameter)
        value, origin = self._find(parameter, flags, settings)
        # Set first, and overwritten if the value can be read: the other options are checked in either case.
        ctx.params[name] = _stand_in(kind) if parameter.required else parameter.get_default(ctx)
        if origin is DEFAULT and parameter.required:
            problem = f"expected {key.upper()}, got none; privaudit {ctx.info_name} --help describes it"
            return _ReadOption(origin, (problem,), missing=True)
        try:
            argument = value.as_argument(kind) if isinstance(value, Setting) else value
            parameter.handle_parse_result(ctx, {} if origin is DEFAULT else {name: argument}, [])
        except ConfigError as error:  # wrong type in a file, or raised by the option's own parser
            problems = error.problems
        except typer.BadParameter:
            problems = (f"expected {key} as {WORDS[kind]}, got {value}",)
        else:
            return _ReadOption(origin)
        shown = str(value.value if isinstance(value, Setting) else value)
        return _ReadOption(origin, tuple(problem + origins_text({key: origin}) for problem in problems), wrong=shown)

    def _find(self, parameter: Any, flags: Mapping[str, Any], settings: Settings) -> tuple[Any, Origin]:  # noqa: ANN401
        """The value of the source with the highest precedence, and its origin."""
        key, flag = key_of(parameter), flags.get(str(parameter.name))
        if flag is not None and flag != () and flag != []:  # a repeatable flag that is not set is an empty sequence
            return flag, Origin("flag", parameter.opts[0] if parameter.param_type_name == "option" else key.upper())
        if text := os.environ.get(variable_of(key)):
            several = parameter.multiple or parameter.nargs == -1
            return split_variable(text) if several else text, Origin("environment", variable_of(key))
        if key in settings.settings and key not in ONLY_FLAGS | self.not_from_files:
            return settings.settings[key], Origin("file", settings.settings[key].where)
        return None, DEFAULT


def key_of(parameter: Any) -> str:  # noqa: ANN401 - a parameter of typer
    """Key of a parameter in files: the longest flag of an option without its dashes, or the name of an argument."""
    return str(max(parameter.opts, key=len)).lstrip("-").replace("_", "-")


def variable_of(key: str) -> str:
    """Name of the environment variable of an option."""
    return "PRIVAUDIT_" + key.replace("-", "_").upper()


def split_variable(text: str) -> list[str]:
    """Split an environment variable with several values at white space and semicolons.

    White space around ``>``, ``@`` and ``%`` does not separate, because a gate may be written with it.

    Returns:
        The values.

    >>> split_variable("auroc > 0.6; tpr @ 1 % fpr > 0.05")
    ['auroc>0.6', 'tpr@1%fpr>0.05']
    """
    return re.sub(r"\s*([>@%])\s*", r"\1", text).replace(";", " ").split()


def _known_keys(ctx: typer.Context) -> list[str]:
    """Keys of all commands: one file configures them all, so an option of another command is not an error."""
    root: Any = ctx.find_root().command
    commands = [ctx.command, *getattr(root, "commands", {}).values()]
    keys = {key_of(p) for command in commands if isinstance(command, ConfiguredCommand) for p in command.params}
    return sorted(keys - ONLY_FLAGS)


def _stand_in(kind: Kind) -> Any:  # noqa: ANN401 - a value of the kind
    """Value in place of a required argument that is missing or could not be read, so that the rest can be checked."""
    return {"path": Path("-"), "paths": [Path("-")]}.get(kind, "")
