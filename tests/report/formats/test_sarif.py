"""SARIF 2.1.0: rules, levels, places and fingerprints, held against the schema of the standard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker
from results import make_config, make_failure, make_result, noted

from privaudit.evaluation import Check
from privaudit.report.formats.sarif import render_sarif, render_sarif_failure
from privaudit.results.audit_result import AuditResult

FILE = Path(__file__).parents[2] / "schemas" / "sarif-2.1.0-rtm.4.json"
STANDARD = Draft4Validator(json.loads(FILE.read_text()), format_checker=FormatChecker())
GATES = ("tpr@1%fpr>0.05", "auroc>0.99", "tpr@0.1%fpr>0.1")
CHECKS = (Check("sample size", "warn", noted("few")), Check("near-duplicates: of both", "ok", noted("none")))
GATED = make_result(gates=GATES, checks=CHECKS)
CLEAN = make_result(strength=0.0, gates=("auroc>0.6",))


def run_of(text: str) -> dict[str, Any]:
    log = json.loads(text)
    STANDARD.validate(log)
    (run,) = log["runs"]
    return run


def found(result: AuditResult) -> dict[str, dict[str, Any]]:
    return {item["ruleId"]: item for item in run_of(render_sarif(result))["results"]}


def test_what_did_not_pass_is_listed_and_nothing_else() -> None:
    results = run_of(render_sarif(GATED))["results"]
    assert [(item["ruleId"], item["level"]) for item in results] == [
        ("privaudit/gate-tpr", "error"),
        ("privaudit/gate-tpr", "warning"),
        ("privaudit/finding-leakage", "warning"),
        ("privaudit/check-sample-size", "note"),
    ]
    assert "Gate tpr@1%fpr>0.05: fail. Lower limit" in results[0]["message"]["text"]
    assert results[0]["properties"]["tests"][0]["attack"] == "sima"
    assert run_of(render_sarif(CLEAN))["results"] == []


def test_an_unclear_finding_and_a_failed_check() -> None:
    results = found(make_result(checks=(Check("blind baseline", "fail", noted("the sets differ")),)))
    assert results["privaudit/finding-unclear"]["level"] == "note"
    assert results["privaudit/check-blind-baseline"]["level"] == "warning"
    assert found(make_result(strength=0.2))["privaudit/finding-leakage"]["level"] == "note", "a low one"


def test_rules_are_described_where_results_point_to() -> None:
    run = run_of(render_sarif(GATED))
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in run["results"])
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert "privaudit/gate-epsilon" in {rule["id"] for rule in rules}, "rules do not come and go with results"


def prints(result: AuditResult) -> list[str]:
    return [item["partialFingerprints"]["privaudit/v1"] for item in run_of(render_sarif(result))["results"]]


def test_fingerprints_are_of_rule_target_and_split() -> None:
    first = prints(GATED)
    assert len(set(first)) == len(first)
    later = replace(GATED, created="2027-01-01T00:00:00+00:00", timing={}, privaudit_version="9")
    assert prints(later) == first, "the same finding tomorrow"
    for other in (
        replace(GATED, target=replace(GATED.target, hash="c" * 32)),
        replace(GATED, data=replace(GATED.data, split_hash="c" * 32)),
    ):
        assert not set(prints(other)) & set(first)


@pytest.mark.parametrize(
    ("config", "uri"),
    [
        ({"target": "models/my model"}, "models/my%20model/model_index.json"),
        ({"target": "owner/model"}, "owner/model/model_index.json"),
        ({"target": "models/x", "config_file": "ci/privaudit.toml"}, "ci/privaudit.toml"),
        ({"target": "/home/alice/models/x"}, "x/model_index.json"),
        ({"target": "../models/x"}, "x/model_index.json"),
        ({"target": "x", "config_file": "/home/alice/privaudit.toml"}, "privaudit.toml"),
        ({"target": "caf\udce9"}, "caf%5Cudce9/model_index.json"),
    ],
)
def test_places_are_relative_to_the_repository(config: dict[str, str], uri: str) -> None:
    result = replace(GATED, config=make_config(**config))
    run = run_of(render_sarif(result))
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": uri, "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 1}
    assert "%SRCROOT%" in run["originalUriBaseIds"]


def test_what_is_below_the_folder_of_the_run_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = replace(GATED, config=make_config(target="x", config_file=str(tmp_path / "ci" / "privaudit.toml")))
    place = run_of(render_sarif(result))["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "ci/privaudit.toml"


def test_the_run_says_what_it_was() -> None:
    run = run_of(render_sarif(GATED))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert invocation["commandLine"].startswith("privaudit scan models/small --members members")
    assert invocation["endTimeUtc"] == "2026-01-01T00:00:00Z"
    assert invocation["properties"]["verdict"] == "fail"
    assert invocation["properties"]["splitHash"] == GATED.data.split_hash
    assert run["automationDetails"]["id"] == "privaudit/small/"


def test_a_failure_is_no_clean_run() -> None:
    run = run_of(render_sarif_failure(make_failure("no model", "no images", kind="ConfigError")))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == ["no model", "no images"]
    assert run["results"] == []


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("models/all.safetensors", "models/all.safetensors"),
        ("/home/alice/all.safetensors", "all.safetensors"),
        ("/home/alice/small", "small/model_index.json"),
    ],
)
def test_results_point_to_a_single_file_itself(target: str, place: str) -> None:
    (item, *_) = run_of(render_sarif(replace(GATED, config=make_config(target=target))))["results"]
    assert item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == place
