"""Facts: every code that is used is listed, with its values, and every code that is listed is used."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from results import sample_fact

import privaudit
from privaudit.errors import ResultError
from privaudit.evaluation.facts import CODES, JSON_TYPES, Check, Fact, fact
from privaudit.storage.exact_json import decode, encode

PACKAGE = Path(privaudit.__file__).parent
VALIDATOR = Draft202012Validator(Fact.json_schema())


def calls() -> Iterator[tuple[str, ast.Module, ast.Call]]:
    """Every ``fact(...)`` and ``Fact(...)`` of the package: place, file and call."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            if name in ("fact", "Fact") and path != PACKAGE / "evaluation" / "facts.py":
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", tree, node


def texts(tree: ast.AST) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def codes_of(tree: ast.Module, code: ast.expr) -> set[str]:
    """The codes that the first argument of a call stands for."""
    if isinstance(code, ast.Constant):
        return {code.value}
    if isinstance(code, ast.IfExp):
        return codes_of(tree, code.body) | codes_of(tree, code.orelse)
    if isinstance(code, ast.JoinedStr):
        pattern = "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in code.values)
        return {known for known in CODES if re.fullmatch(pattern, known)}
    return texts(tree) & set(CODES)  # a variable: one of the codes that its file names


CALLS = list(calls())


@pytest.mark.parametrize(("tree", "call"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
def test_what_is_used_is_listed(tree: ast.Module, call: ast.Call) -> None:
    codes = codes_of(tree, call.args[0])
    assert codes
    assert codes <= set(CODES)
    if isinstance(call.args[0], ast.Constant) and len(call.args) == 1:
        (code,) = codes
        named = {keyword.arg for keyword in call.keywords if keyword.arg}
        assert named <= set(CODES[code])
        if len(named) == len(call.keywords):  # no values by **
            assert named == set(CODES[code])


def test_what_is_listed_is_used() -> None:
    used = {code for _, tree, call in CALLS for code in codes_of(tree, call.args[0])}
    assert set(CODES) - used == {"text"}
    assert '"code": "text"' in (PACKAGE / "results" / "former_versions.py").read_text(encoding="utf-8")


def test_codes_and_their_values_are_plain() -> None:
    for code, values in CODES.items():
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code)
        assert set(values.values()) <= set(JSON_TYPES)
        assert "code" not in values


@pytest.mark.parametrize("code", CODES)
def test_facts_survive_json_and_their_schema_holds(code: str) -> None:
    made = sample_fact(code)
    text = json.dumps(encode(made), allow_nan=False)
    again = decode(Fact, json.loads(text))
    assert again == made
    assert hash(again) == hash(made)
    assert json.dumps(encode(again)) == text
    VALIDATOR.validate(json.loads(text))


@pytest.mark.parametrize("code", CODES)
def test_the_schema_refuses_other_values(code: str) -> None:
    good = encode(sample_fact(code))
    assert not VALIDATOR.is_valid({**good, "code": "unheard_of"})
    assert not VALIDATOR.is_valid({"code": code})
    assert not VALIDATOR.is_valid({**good, "values": {**good["values"], "more": 1}})
    for name, kind in CODES[code].items():
        others = {key: value for key, value in good["values"].items() if key != name}
        assert not VALIDATOR.is_valid({**good, "values": others})
        for wrong in (None, 1 if kind is str else "1"):
            assert not VALIDATOR.is_valid({**good, "values": {**others, name: wrong}})
            with pytest.raises(ResultError, match="at report"):
                decode(Fact, {**good, "values": {**others, name: wrong}})


def test_the_schema_lists_every_code_once() -> None:
    schema = Fact.json_schema()
    Draft202012Validator.check_schema(schema)
    assert [one["properties"]["code"]["const"] for one in schema["oneOf"]] == list(CODES)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fpr": 0.01, "expected": 4.0},
        {"fpr": 0.01, "expected": 4.0, "nonmembers": 400, "members": 400},
        {"fpr": 0.01, "expected": 4.0, "members": 400},
        {"fpr": "0.01", "expected": 4.0, "nonmembers": 400},
        {"fpr": 0.01, "expected": 4.0, "nonmembers": 400.0},
        {"fpr": 0.01, "expected": 4.0, "nonmembers": np.int64(400)},
        {"fpr": 0.01, "expected": 4.0, "nonmembers": True},
        {"fpr": 0.01, "expected": True, "nonmembers": 400},
        {"fpr": 0.01, "expected": None, "nonmembers": 400},
        {"fpr": 0.01, "expected": float("nan"), "nonmembers": 400},
        {"fpr": 0.01, "expected": float("inf"), "nonmembers": 400},
    ],
    ids=repr,
)
def test_wrong_values_are_refused(values: dict) -> None:
    with pytest.raises(
        ValueError, match=r"expected few_false_positives with fpr: float, expected: float, nonmembers: "
    ):
        Fact("few_false_positives", values)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"code of a fact, got 'unheard_of'; list it in privaudit\.evaluation\.facts"):
        fact("unheard_of")
    with pytest.raises(ValueError, match=r"expected no_score with no values, each of them finite, got images=3"):
        fact("no_score", images=3)
    with pytest.raises(ValueError, match=r"with units: int, each of them finite, got none"):
        fact("too_few_independent")
    with pytest.raises(ValueError, match=r"got units=nan"):
        fact("too_few_independent", units=float("nan"))


def test_a_number_may_be_whole_and_of_numpy() -> None:
    assert (
        fact("blind_too_few", auroc=1) == fact("blind_too_few", auroc=1.0) == fact("blind_too_few", auroc=np.ones(1)[0])
    )


def test_the_order_of_values_does_not_matter() -> None:
    one, other = (
        Fact("gate_out_of_reach", {"limit": 0.5, "tests": 3}),
        Fact("gate_out_of_reach", {"tests": 3, "limit": 0.5}),
    )
    assert one == other
    assert len({one, other}) == 1
    assert one != fact("gate_out_of_reach", limit=0.5, tests=4)


def test_checks_survive_json() -> None:
    check = Check("blind baseline", "warn", tuple(map(sample_fact, CODES)))
    assert decode(Check, json.loads(json.dumps(encode(check)))) == check
