"""The JSON Schema of report.json: up to date, true of every report, and false of everything else; exact round trips."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from results import make_failure, make_result

from privaudit.evaluation.facts import CODES, Fact
from privaudit.results.audit_result import SCHEMA_VERSION, AuditFailure, AuditResult, read_report
from privaudit.results.report_schema import report_schema, schema_text, shipped_schema

SCHEMA = report_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
GATED = make_result(gates=("tpr@1%fpr>0.05", "auroc>0.99"), groups=("one", "two"))


def test_the_shipped_file_is_up_to_date() -> None:
    assert shipped_schema() == schema_text(), "run python -m privaudit.results.report_schema"


def test_it_is_a_schema_in_which_everything_is_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"].endswith(str(SCHEMA_VERSION))
    assert all(one["description"].endswith(".") for one in SCHEMA["$defs"].values())
    attack = SCHEMA["$defs"]["AttackReport"]["properties"]
    assert attack["masks"]["description"] == (
        "Metrics by mask; only `none` for a score that weights dimensions itself."
    )
    assert all("description" in one for one in attack.values())


@pytest.mark.parametrize(
    "report",
    [make_result(), GATED, make_result(images=1), make_result(strength=0.0), make_failure(), make_failure(defect=True)],
    ids=["plain", "gated", "tiny", "clean", "failure", "defect"],
)
def test_reports_are_valid(report: AuditResult | AuditFailure) -> None:
    VALIDATOR.validate(json.loads(report.to_json()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), SCHEMA_VERSION + 1),
        (("target", "latent_shape"), "4x8x8"),
        (("verdict", "status"), "perhaps"),
        (("attacks", 0, "masks", "none", "auroc", "value"), "0.5"),
        (("data", "members"), 1.5),
        (("attacks", 0, "extra"), 1),
    ],
)
def test_what_is_no_report_is_invalid(path: tuple[str | int, ...], value: object) -> None:
    values = json.loads(GATED.to_json())
    place: Any = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize("key", ["attacks", "verdict", "schema_version"])
def test_a_missing_key_is_invalid(key: str) -> None:
    values = json.loads(GATED.to_json())
    del values[key]
    assert not VALIDATOR.is_valid(values)


FLOATS = st.floats(allow_infinity=False)
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


VALUES = {str: TEXTS, int: st.integers(-9, 9), float: st.floats(allow_nan=False, allow_infinity=False)}


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Anything that an annotation of the result allows."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Fact:
        return st.one_of([
            st.builds(Fact, st.just(code), st.fixed_dictionaries({name: VALUES[kind] for name, kind in kinds.items()}))
            for code, kinds in CODES.items()
        ])
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: strategy(hints[field.name]) for field in dataclasses.fields(kind)})
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        # None and NaN are both null; where a number may be missing, it is None.
        numbers = st.floats(allow_nan=False, allow_infinity=False)
        return st.one_of([numbers if inner is float else strategy(inner) for inner in arguments])
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*map(strategy, arguments))
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=2).map(tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXTS, strategy(arguments[1]), max_size=2)
    simple = {str: TEXTS, int: st.integers(), float: FLOATS, bool: st.booleans(), Any: PLAIN, type(None): st.none()}
    return simple[kind]


def results() -> st.SearchStrategy[AuditResult]:
    return strategy(AuditResult).map(lambda result: dataclasses.replace(result, schema_version=SCHEMA_VERSION))


def failures() -> st.SearchStrategy[AuditFailure]:
    return strategy(AuditFailure).map(lambda failure: dataclasses.replace(failure, schema_version=SCHEMA_VERSION))


def check_exact(report: AuditResult | AuditFailure) -> None:
    text = report.to_json()
    again = read_report(text)
    assert same(again, report)
    assert again.to_json() == text
    VALIDATOR.validate(json.loads(text))


MADE = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


@MADE
@given(results())
def test_any_result_survives_json_and_is_valid(result: AuditResult) -> None:
    check_exact(result)


@MADE
@given(failures())
def test_any_failure_survives_json_and_is_valid(failure: AuditFailure) -> None:
    check_exact(dataclasses.replace(failure, verdict=dataclasses.replace(failure.verdict, status="error")))


def same(one: Any, other: Any) -> bool:
    """Equal, with NaN equal to NaN, and of the same types."""
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        fields = dataclasses.fields(one)
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields
        )
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return type(one) is type(other) and one == other
