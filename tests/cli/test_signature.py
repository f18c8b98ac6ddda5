"""Signatures of commands: options of the table and of the command, in the order of --help."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, get_type_hints

import pytest
import typer

from privaudit.auditing.option_table import in_order_of_help, table
from privaudit.auditing.options import AuditOptions
from privaudit.cli.scan import scan
from privaudit.cli.signature import After, kinds_of, takes
from privaudit.cli.sweep import sweep
from privaudit.errors import ConfigError


@takes(AuditOptions, ["target", "seed", "memory"])
def command(
    *,
    first: Annotated[int, typer.Option(), After("target")] = 1,
    second: int = 2,
    last: Annotated[bool, After("memory")] = False,
    **options: Any,
) -> None:
    """A command."""


def test_own_options_stand_where_they_say():
    assert list(inspect.signature(command).parameters) == ["target", "first", "second", "seed", "memory", "last"]


def test_types_and_defaults_are_those_of_the_table():
    parameters = inspect.signature(command).parameters
    assert parameters["target"].default is inspect.Parameter.empty
    assert (parameters["seed"].default, parameters["memory"].default) == (0, None)
    assert get_type_hints(command)["memory"] == float | None
    assert kinds_of(command) == {
        **{"target": "text", "first": "integer", "second": "integer"},
        **{"seed": "integer", "memory": "number", "last": "flag"},
    }


def test_scan_has_every_option_that_has_a_help():
    names = list(inspect.signature(scan).parameters)
    assert [name for name in names if name in table(AuditOptions)] == list(in_order_of_help(AuditOptions))
    assert {*inspect.signature(sweep).parameters} < {*names, "points", "checkpoints", "base", "ema"}


def test_syntax_is_checked_as_the_line_is_read():
    (info,) = inspect.signature(scan).parameters["drop"].annotation.__metadata__
    assert info.callback("0.2,0.4") == "0.2,0.4"
    with pytest.raises(ConfigError, match="expected --drop as a number"):
        info.callback("much")
