"""The JSON Schema of comparison.json: up to date, true of every comparison, and false of everything else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from runs import labels, rewrite, write_run

from privaudit.compare import CompareOptions, ComparisonResult, compare_runs, run_comparison
from privaudit.compare.comparison import COMPARISON_SCHEMA
from privaudit.compare.comparison_schema import (
    comparison_schema,
    comparison_schema_text,
    shipped_comparison_schema,
)
from privaudit.errors import ResultError
from privaudit.evaluation import Check
from privaudit.evaluation.facts import fact
from privaudit.results.audit_result import AuditResult

SCHEMA = comparison_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
MEMBER = labels(60)
GATES = ("auroc>0.7", "tpr@10%fpr>0.2", "epsilon>1")
KINDS = ("worse", "better", "same", "broken", "few", "unpaired", "allowed", "other attacks", "suspects")


def simulate(strength: float, noise: int, *names: str) -> dict[tuple[str, str], np.ndarray]:
    common, own = np.random.default_rng(7).normal(size=len(MEMBER)), np.random.default_rng(noise)
    return {
        (name, mask): common + 0.3 * own.normal(size=len(MEMBER)) + strength * MEMBER
        for name in names or ("sima", "combined")
        for mask in ("none", "influence", "random")
    }


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ComparisonResult]:
    """One of every kind: whatever a comparison can hold is in one of them."""
    root = tmp_path_factory.mktemp("kinds")
    learned = {"combined": "learned"}
    failed = (Check("blind baseline", "fail", (fact("blind_not_measured"),)),)

    def run(name: str, strength: float, noise: int, **how: Any) -> Path:
        return write_run(root / name, how.pop("scores", simulate(strength, noise)), MEMBER, kinds=learned, **how)

    weak = run("weak", 0.3, 1, gates=GATES)
    strong = run("strong", 1.6, 2, gates=GATES, model="f" * 32, spreads={"combined": 1.4})
    others = run("others", 1.6, 3, scores=simulate(1.6, 3, "pia", "sima", "combined"))
    pairs = {
        "worse": (weak, strong),
        "better": (strong, weak),
        "same": (weak, weak),
        "broken": (weak, run("broken", 1.0, 4, checks=failed, privaudit_version="0.0.1")),
        "unpaired": (weak, run("unpaired", 1.0, 5, keep_scores=False)),
        "allowed": (weak, run("seeded", 1.0, 6, config={"seed": 5, "reference": "base"})),
        "other attacks": (weak, others),
    }
    allow = {"allowed": CompareOptions(allow=("all",), margin=0.02)}
    found = {kind: run_comparison(*pair, allow.get(kind, CompareOptions())) for kind, pair in pairs.items()}
    small = [write_run(root / f"few {n}", {("sima", "none"): np.arange(6) % 4.0}, labels(3)) for n in range(2)]
    suspects = rewrite(run("suspects", 1.0, 8))
    rewrite(suspects, data=replace(AuditResult.load(suspects).data, design="suspects"))
    return {
        **found,
        "few": compare_runs(*small),
        "suspects": run_comparison(weak, suspects, CompareOptions(allow=("design",))),
    }


def test_the_shipped_file_is_up_to_date() -> None:
    assert shipped_comparison_schema() == comparison_schema_text(), "run python -m privaudit.compare.comparison_schema"


def test_it_is_a_schema_in_which_everything_is_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == f"urn:privaudit:comparison:{COMPARISON_SCHEMA}"
    assert all(one["description"].endswith(".") for one in SCHEMA["$defs"].values())
    described = [one["properties"] for name, one in SCHEMA["$defs"].items() if name != "Fact"]
    assert all("description" in each for properties in described for each in properties.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_comparison_is_valid(comparisons: dict[str, ComparisonResult], kind: str) -> None:
    text = comparisons[kind].to_json()
    VALIDATOR.validate(json.loads(text))
    assert ComparisonResult.from_json(text).to_json() == text


def test_the_kinds_hold_what_a_comparison_can_hold(comparisons: dict[str, ComparisonResult]) -> None:
    """Otherwise the test above would look at less than it says."""
    assert set(comparisons) == set(KINDS)
    for name in ("allowed", "settings", "not_compared", "added", "gates", "checks", "notes", "untested"):
        assert any(getattr(found, name) for found in comparisons.values()), name
    assert {change.direction for found in comparisons.values() for change in found.changes} == {
        "worse",
        "better",
        "unclear",
        "unmeasured",
    }
    assert {found.verdict.status for found in comparisons.values()} == {"pass", "fail", "inconclusive"}
    assert {found.pairing.paired for found in comparisons.values()} == {True, False}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), COMPARISON_SCHEMA - 1),
        (("verdict", "status"), "perhaps"),
        (("changes", 0, "direction"), "up"),
        (("changes", 0, "old", "value"), "0.5"),
        (("pairing", "positives"), 1.5),
        (("pairing", "facts", 0, "code"), "no such code"),
        (("old", "extra"), 1),
    ],
)
def test_what_is_no_comparison_is_invalid(
    comparisons: dict[str, ComparisonResult], path: tuple[str | int, ...], value: object
) -> None:
    values = json.loads(comparisons["worse"].to_json())
    place: Any = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize("key", ["changes", "verdict", "schema_version"])
def test_a_missing_key_is_invalid(comparisons: dict[str, ComparisonResult], key: str) -> None:
    values = json.loads(comparisons["worse"].to_json())
    del values[key]
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize("version", [1, 2, None])
def test_a_file_of_an_earlier_version_is_refused(comparisons: dict[str, ComparisonResult], version: int | None) -> None:
    values = {**json.loads(comparisons["worse"].to_json()), "schema_version": version}
    with pytest.raises(ResultError, match=f"schema_version {COMPARISON_SCHEMA}, got {version}; compare the runs again"):
        ComparisonResult.from_json(json.dumps(values))


def test_the_schema_is_installed_with_the_package() -> None:
    import tomllib

    import privaudit
    from privaudit.compare.comparison_schema import FILE

    package = Path(privaudit.__file__).parent
    project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["privaudit"]
    assert FILE in {path for pattern in patterns for path in package.glob(pattern)}
