"""The top level of the package offers what the command line offers, typed, documented and with the same options."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import pytest
from typer.main import get_command

import privaudit
from privaudit.auditing.option_table import table
from privaudit.auditing.options import AuditChoices, ScoreChoices
from privaudit.cli import app
from privaudit.compare.compare_options import CompareChoices
from privaudit.errors import ConfigError
from privaudit.tasks.geometry_options import GeometryChoices
from privaudit.tasks.invert_options import InvertChoices
from privaudit.tasks.origin_options import OriginChoices

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS: dict[str, Callable[..., Any]] = {
    "scan": privaudit.audit,
    "sweep": privaudit.sweep,
    "invert": privaudit.invert,
    "geometry": privaudit.geometry,
    "origin": privaudit.origin,
    "compare": privaudit.compare_runs,
}
"""Commands that measure, and their functions."""
OTHER_COMMANDS = {
    *("attacks", "solvers", "estimators"),  # lists
    "data",  # what would be read: `describe_set`
    *("config", "report"),  # what options are, and reports of a run: `AuditResult.save`
    *("demo", "canaries", "lab"),  # what is audited is made
}
FROM_OPTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    privaudit.audit: privaudit.run_audit,
    privaudit.plan: privaudit.plan_audit,
    privaudit.sweep: privaudit.run_sweep,
    privaudit.sweep_checkpoints: privaudit.run_checkpoint_sweep,
    privaudit.invert: privaudit.run_inversion,
    privaudit.geometry: privaudit.run_geometry,
    privaudit.origin: privaudit.run_origin,
    privaudit.compare_runs: privaudit.run_comparison,
}
"""Functions that take keywords, and the same from an object of options."""
OTHERS = {
    *("load_target", "load_scores", "load_samples", "load_exemplars", "explain", "evaluate_masks"),
    *("register_attack", "register_family", "describe_set"),
}
TYPES = {
    *("AuditOptions", "SweepOptions", "InvertOptions", "GeometryOptions", "OriginOptions", "CompareOptions"),
    *(
        "AuditResult",
        "AuditFailure",
        "Forecast",
        "DataOverview",
        "SweepResult",
        "CheckpointSweepResult",
        "InvertedSet",
        "GeometryMap",
        "OriginResult",
    ),
    *("ComparisonResult", "MaskEvaluation", "ModelSource", "PrivauditError"),
}
NAMES = sorted(set(privaudit.__all__) - {"__version__"})
FUNCTIONS = [name for name in NAMES if name not in TYPES]
SPEAKING = {
    *("quiet", "config", "as_json", "format_", "formats", "schema", "include_images"),
    *("dry_run", "inconclusive", "exit_zero"),
}
"""Options that decide what a command says and ends with, and not what it measures."""


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__


def hints(function: object) -> dict[str, Any]:
    return get_type_hints(function)


def keywords(function: Callable[..., Any]) -> set[str]:
    """All keywords of a function, those of its typed dictionary among them."""
    annotations = hints(function)
    names = set(annotations) - {"return", "choices"}
    if get_origin(annotations.get("choices")) is Unpack:
        names |= set(get_args(annotations["choices"])[0].__annotations__)
    return names


def test_the_top_level_offers_this_and_nothing_else():
    functions = {name_of(function) for function in (*COMMANDS.values(), *FROM_OPTIONS, *FROM_OPTIONS.values())}
    assert set(privaudit.__all__) == functions | OTHERS | TYPES | {"__version__"}
    assert set(privaudit.__all__) <= set(dir(privaudit))


def test_an_editor_sees_every_name():
    """Type checkers and editors read the imports below ``TYPE_CHECKING``; a program gets the same objects."""
    (block,) = (node for node in ast.parse(Path(privaudit.__file__).read_text()).body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == privaudit._LAZY
    assert {*imported, "PrivauditError", "__version__"} == set(privaudit.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_typed_and_documented(name):
    function = getattr(privaudit, name)
    parameters = set(inspect.signature(function).parameters)
    assert parameters | {"return"} == set(hints(function))
    text = inspect.getdoc(function)
    assert "Returns:\n" in text
    if not name.startswith("register"):  # a decorator
        assert all(f"    {parameter}: " in text for parameter in parameters)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_is_documented(name):
    assert inspect.isclass(getattr(privaudit, name))
    assert inspect.getdoc(getattr(privaudit, name))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_in_the_reference(name):
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    whole = "privaudit.errors" if name == "PrivauditError" else name
    assert re.search(rf"[\[ .,]{re.escape(whole)}[\],\n]", text), f"docs/api.md does not list {name}"


def test_every_command_that_measures_has_a_function():
    assert set(get_command(app).commands) == set(COMMANDS) | OTHER_COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_a_keyword_of_its_function(command):
    options = {parameter.name for parameter in get_command(app).commands[command].params}
    written = {"out"} if command == "compare" else set()  # of a comparison nothing is written unless it is asked for
    known = keywords(COMMANDS[command])
    if command == "sweep":  # --checkpoints makes it another function
        known |= keywords(privaudit.sweep_checkpoints) | {"checkpoints"}
    assert options - SPEAKING - written <= known


def test_a_plan_takes_what_an_audit_takes():
    assert keywords(privaudit.plan) == keywords(privaudit.audit) - {"out"}


@pytest.mark.parametrize(
    ("choices", "options"),
    [
        (InvertChoices, privaudit.InvertOptions),
        (GeometryChoices, privaudit.GeometryOptions),
        (OriginChoices, privaudit.OriginOptions),
    ],
    ids=name_of,
)
def test_keywords_are_the_fields_of_the_options(choices, options):
    assert set(choices.__annotations__) == set(table(options)) - {"target", "images", "out"}


def test_keywords_of_a_comparison_are_the_fields_of_its_options():
    assert set(CompareChoices.__annotations__) == set(privaudit.CompareOptions.__dataclass_fields__)


def test_keywords_of_scores_are_keywords_of_an_audit():
    assert set(AuditChoices.__annotations__) > set(ScoreChoices.__annotations__)
    assert keywords(privaudit.evaluate_masks) - {"rules"} < keywords(privaudit.audit)


@pytest.mark.parametrize("function", FROM_OPTIONS, ids=name_of)
def test_keywords_and_options_are_two_ways_to_one_result(function):
    run = FROM_OPTIONS[function]
    assert "options" in inspect.signature(run).parameters
    assert hints(run)["return"] is hints(function)["return"]
    assert hints(run)["options"].__name__ in TYPES
    assert hints(run)["return"].__name__ in TYPES


@pytest.mark.parametrize("function", [*FROM_OPTIONS, privaudit.evaluate_masks, privaudit.explain], ids=name_of)
def test_every_measuring_function_is_shown(function):
    assert f"privaudit.{name_of(function)}(" in (DOCS / "python.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("call", "messages"),
    [
        (
            lambda: privaudit.audit("model", "a", "b", attacks=("smia",), drop=1.5, seed=-1),
            ["0 <= drop < 1", "0 <= seed < 2^32", "smia"],
        ),
        (lambda: privaudit.plan("model", "a", "b", drop=1.5, solver="newton"), ["0 <= drop < 1", "newton"]),
        (
            lambda: privaudit.sweep("model", "a", "b", points=1, drop=(0.2, 0.4), attacks=("smia",)),
            ["at least 2 points", "one fraction to drop", "smia"],
        ),
        (lambda: privaudit.invert("model", "a", solver="newton", batch_size=0), ["newton", "a batch size >= 1"]),
        (lambda: privaudit.geometry("model", ["a", "a"], maps=-1), ["every set of images once", "0 or more maps"]),
        (lambda: privaudit.origin("model", "a", generated=3, steps=0), ["20 or more", "1 or more DDIM steps"]),
        (
            lambda: privaudit.compare_runs("a", "b", margin=0.7, allow="sed"),
            ["0 <= margin < 0.5", "got 'sed'"],
        ),
        (
            lambda: privaudit.evaluate_masks({"none": abs}, "model", "a", "b", drop=1.5, folds=1),
            ["a new name for a mask", "0 <= drop < 1", "folds >= 2"],
        ),
    ],
    ids=["audit", "plan", "sweep", "invert", "geometry", "origin", "compare_runs", "evaluate_masks"],
)
def test_all_problems_are_named_at_once(call, messages):
    with pytest.raises(ConfigError) as raised:
        call()
    for message in messages:
        assert message in str(raised.value)


@pytest.mark.parametrize("name", ["reference", "fail_on"])
def test_options_of_an_audit_that_would_be_ignored_are_refused(name):
    value = ("auroc>0.6",) if name == "fail_on" else "base"
    with pytest.raises(ConfigError, match=f"expected no {name}, since"):
        privaudit.sweep("model", "a", "b", **{name: value})
    with pytest.raises(ConfigError, match=f"expected no {name}, since"):
        privaudit.evaluate_masks({"mine": abs}, "model", "a", "b", **{name: value})
