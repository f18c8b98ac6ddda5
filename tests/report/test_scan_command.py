"""The command that makes a report again."""

from __future__ import annotations

import shlex
from dataclasses import fields

import typer
from results import make_config

from privaudit.auditing.options import AuditOptions
from privaudit.cli import app
from privaudit.report.scan_command import FLAGS, ONLY_PYTHON, scan_command

UNNEEDED = {"target", "out", "device", "fresh", "folds", "replicates", "confidence", "config_file"}


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
    known = {flag for parameter in scan.params for flag in parameter.opts}
    assert set(FLAGS.values()) <= known
    decided = {option.name for option in fields(AuditOptions)} - UNNEEDED
    assert decided <= set(FLAGS)


def test_what_only_python_can_set_follows_as_a_comment():
    usual = {field.name: field.default for field in fields(AuditOptions)}
    assert {name: usual[name] for name in ONLY_PYTHON} == ONLY_PYTHON
    plain = scan_command(make_config())
    line = scan_command(make_config(confidence=0.8, folds=3))
    assert line == f"{plain}  # and folds=3, confidence=0.8, with privaudit.audit from Python"
    assert shlex.split(line, comments=True) == shlex.split(plain)
