"""The command that makes a report again."""

from __future__ import annotations

import shlex
from dataclasses import fields

import typer
from results import make_config

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.scan_command import scan_command
from privaudit.cli import app

UNNEEDED = {"out", "device", "offload", "fresh", "config_file"}
"""What decides nothing."""
ONLY_PYTHON = {"folds": 3, "replicates": 500, "confidence": 0.8}


def test_the_command_is_one_that_can_be_typed():
    config = make_config(
        members="my images/members",
        attacks=["sima", "pian@eq:levels=1,2"],
        drop=[0.2, 0.4],
        fail_on=["tpr@1%fpr>0.05"],
        strict=True,
    )
    words = shlex.split(scan_command(config))
    assert words[:3] == ["privaudit", "scan", "models/small"]
    assert words[words.index("--members") + 1] == "my images/members"
    assert [words[place + 1] for place, word in enumerate(words) if word == "--attack"] == config["attacks"]
    assert words[words.index("--drop") + 1] == "0.2,0.4"
    assert words[words.index("--fail-on") + 1] == "tpr@1%fpr>0.05"
    assert "--strict" in words
    assert "--reference" not in words
    assert "auto" not in words


def test_a_name_cannot_add_to_the_command():
    words = shlex.split(scan_command(make_config(target="x; rm -rf ~ #", members="$(id)")))
    assert words[2] == "x; rm -rf ~ #"
    assert "$(id)" in words


def test_every_flag_exists_and_every_option_that_matters_has_one():
    scan = typer.main.get_command(app).commands["scan"]
    flags = {parameter.name: parameter.opts[0] for parameter in scan.params if parameter.param_type_name == "option"}
    for name in {option.name for option in fields(AuditOptions)} - UNNEEDED - set(ONLY_PYTHON) - {"target"}:
        value = True if name == "strict" else ["x"] if name in ("attacks", "fail_on") else "x"
        assert flags[name] in shlex.split(scan_command(make_config(**{name: value})))
    for name in UNNEEDED:
        assert scan_command(make_config(**{name: "x"})) == scan_command(make_config())


def test_what_only_python_can_set_follows_as_a_comment():
    plain = scan_command(make_config())
    line = scan_command(make_config(**ONLY_PYTHON))
    assert line == f"{plain}  # and folds=3, replicates=500, confidence=0.8, with privaudit.audit from Python"
    assert shlex.split(line, comments=True) == shlex.split(plain)
