"""The top level of the package offers what the command line offers, typed, documented and with the same options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.main import get_command

import privaudit
from privaudit.auditing.options import AuditChoices
from privaudit.cli import app
from privaudit.tasks.geometry_options import GeometryChoices
from privaudit.tasks.invert_options import InvertChoices
from privaudit.tasks.origin_options import OriginChoices

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS = {
    "scan": privaudit.audit,
    "sweep": privaudit.sweep,
    "invert": privaudit.invert,
    "geometry": privaudit.geometry,
    "origin": privaudit.origin,
    "compare": privaudit.compare_runs,
}
"""Commands that measure, and their functions."""
FROM_OPTIONS = {
    privaudit.audit: privaudit.run_audit,
    privaudit.plan: privaudit.plan_audit,
    privaudit.sweep: privaudit.run_sweep,
    privaudit.invert: privaudit.run_inversion,
    privaudit.geometry: privaudit.run_geometry,
    privaudit.origin: privaudit.run_origin,
}
"""The same from an object of options."""
OTHERS = {
    "load_target", "load_scores", "load_samples", "load_exemplars", "explain", "evaluate_masks", "register_attack",
    "register_family",
}  # fmt: skip
TYPES = {
    "AuditFailure", "AuditOptions", "AuditResult", "CompareOptions", "GeometryOptions", "InvertOptions",
    "MaskEvaluation", "ModelSource", "OriginOptions", "PrivauditError",
}  # fmt: skip
CHOICES = {"AuditChoices": AuditChoices, "InvertChoices": InvertChoices, "GeometryChoices": GeometryChoices}
CHOICES["OriginChoices"] = OriginChoices
ONLY_COMMAND = {
    "help", "quiet", "config", "as_json", "formats", "format_", "dry_run", "include_images", "inconclusive",
    "exit_zero", "version", "allow", "fail_on_regression", "margin", "confidence", "schema", "old", "new",
    "config_file",
}  # fmt: skip
"""What decides how a command speaks or ends; of compare_runs, what `CompareOptions` holds."""


def keywords(function: object) -> set[str]:
    """All keywords of a function, those of its typed dictionary among them."""
    names = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            names |= set(CHOICES[re.fullmatch(r"Unpack\[(\w+)\]", parameter.annotation)[1]].__annotations__)
        else:
            names.add(name)
    return names


def test_the_top_level_offers_this_and_nothing_else() -> None:
    functions = {function.__name__ for function in (*COMMANDS.values(), *FROM_OPTIONS, *FROM_OPTIONS.values())}
    assert set(privaudit.__all__) == functions | OTHERS | TYPES | {"__version__"}
    assert set(dir(privaudit)) >= set(privaudit.__all__)


@pytest.mark.parametrize("name", sorted(set(privaudit.__all__) - {"__version__"}))
def test_every_name_is_typed_and_documented(name: str) -> None:
    found = getattr(privaudit, name)
    assert found.__name__ == name or name == "register_attack"  # a method of the registry
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        parameters = inspect.signature(found).parameters.values()
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)
        assert "return" in found.__annotations__


@pytest.mark.parametrize("name", sorted(set(privaudit.__all__) - {"__version__"}))
def test_every_name_is_in_the_reference(name: str) -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    whole = "privaudit.errors" if name == "PrivauditError" else name
    assert re.search(rf"[\[ .,]{re.escape(whole)}[\],\n]", text), f"docs/api.md does not list {name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_a_keyword_of_its_function(command: str) -> None:
    parameters = get_command(app).commands[command].params
    options = {parameter.name for parameter in parameters} - ONLY_COMMAND
    options -= {"out"} if command == "compare" else set()  # a comparison is returned and not written
    renamed = {"attack": "attacks"}
    missing = {renamed.get(name, name) for name in options} - keywords(COMMANDS[command])
    assert missing == set()


@pytest.mark.parametrize("function", FROM_OPTIONS, ids=lambda function: function.__name__)
def test_keywords_and_options_are_two_ways_and_not_more(function: object) -> None:
    run = FROM_OPTIONS[function]
    assert next(iter(inspect.signature(run).parameters)) == "options"
    assert run.__annotations__["return"] == function.__annotations__["return"]


@pytest.mark.parametrize("function", [*COMMANDS.values(), privaudit.plan], ids=lambda function: function.__name__)
def test_every_measuring_function_is_shown(function: object) -> None:
    assert f"privaudit.{function.__name__}(" in (DOCS / "python.md").read_text(encoding="utf-8")


def test_typed_choices_are_types_of_literals_and_names() -> None:
    assert "image" in get_args(get_type_hints(AuditChoices, localns=vars(__import__("typing")) | NAMES)["mask_scope"])


class _Any:
    pass


NAMES = dict.fromkeys(("Methods", "Solver", "Estimator", "Gate", "Method"), _Any)
