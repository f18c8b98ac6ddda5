"""JUnit: a suite an attack, a case a gate, in the format that CI servers read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from results import gate_outcome, make_failure, make_result, noted

from privaudit.evaluation import Check, exit_code
from privaudit.evaluation.verdict import GateTest
from privaudit.report.formats.junit import WHOLE_AUDIT, render_junit, render_junit_failure
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.overall import answer
from privaudit.report.sentences.verdict_text import gate_reason
from privaudit.results.audit_result import AuditResult

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[2] / "schemas" / "junit-10.xsd")))
GATES = ("tpr@1%fpr>0.05", "auroc>0.99", "tpr@0.1%fpr>0.1")
GATED = make_result(gates=GATES)
BROKEN = make_result(gates=GATES, checks=(Check("blind", "fail", noted("the sets differ")),))
PASSING = make_result(gates=("auroc>0.99",))


def cases(text: str) -> dict[tuple[str, str], str]:
    """Outcome by suite and case."""
    found = {}
    for suite in ET.fromstring(text.encode()).iter("testsuite"):
        for case in suite.iter("testcase"):
            tags = [child.tag for child in case if child.tag != "system-out"]
            found[suite.attrib["name"], case.attrib["name"]] = tags[0] if tags else "passed"
    return found


@pytest.mark.parametrize(
    "text",
    [render_junit(result) for result in (GATED, BROKEN, PASSING, make_result())]
    + [render_junit_failure(make_failure("one", "two\nlines"))],
    ids=["gated", "broken", "passing", "no gate", "failure"],
)
def test_it_is_what_the_schema_asks_for_and_counts_itself(text: str) -> None:
    document = etree.fromstring(text.encode())
    SCHEMA.assertValid(document)
    assert document.findall(".//testcase"), "several servers take a file without a case for an error"
    for suite in [document, *document.findall("testsuite")]:
        tags = Counter(child.tag for case in suite.iter("testcase") for child in case)
        assert suite.get("tests") == str(len(list(suite.iter("testcase"))))
        assert (suite.get("failures"), suite.get("errors")) == (str(tags["failure"]), str(tags["error"]))
        assert suite.get("skipped") in (None, str(tags["skipped"]))


def test_every_attack_says_what_it_does_to_every_gate() -> None:
    found = cases(render_junit(GATED))
    assert set(found) == {(report.name, gate) for report in GATED.attacks for gate in GATES}
    statuses = {
        (test.attack, outcome.gate): outcome.status for outcome in GATED.verdict.gates for test in outcome.tests
    }
    assert found["sima", "tpr@1%fpr>0.05"] == "failure"
    assert found["mirror", "tpr@1%fpr>0.05"] == "passed", "another attack breaks the gate, not this one"
    assert {found[key] for key, status in statuses.items() if status == "pass"} == {"passed"}
    assert {found[key] for key, status in statuses.items() if status == "inconclusive"} == {"skipped"}


@pytest.mark.parametrize("result", [GATED, BROKEN, PASSING], ids=["gated", "broken", "passing"])
def test_a_case_fails_exactly_where_the_run_does(result: AuditResult) -> None:
    outcomes = set(cases(render_junit(result)).values())
    assert ("failure" in outcomes) == (exit_code(result.verdict.status, gated=True) == 1)
    assert (outcomes == {"passed"}) == (exit_code(result.verdict.status, gated=True) == 0)


def test_messages_name_limit_and_mask() -> None:
    root = ET.fromstring(render_junit(GATED).encode())
    (failure,) = root.iter("failure")
    worst = max((test for test in GATED.verdict.gates[0].tests if test.status == "fail"), key=lambda test: test.limit)
    assert failure.attrib["message"] == f"lower limit {worst.limit:.4g} of sima with mask {worst.mask}, beyond the gate"
    assert gate_reason(GATED.verdict.gates[0], GATED) in (failure.text or "")
    broken = ET.fromstring(render_junit(BROKEN).encode())
    assert all("a check failed" in skipped.attrib["message"] for skipped in broken.iter("skipped"))


def test_without_a_gate_the_one_case_is_skipped_and_says_so() -> None:
    text = render_junit(make_result())
    assert cases(text) == {("privaudit", "no gate was set"): "skipped"}
    assert "no gate was set, so nothing could fail" in text


def test_finding_and_checks_stand_beside_the_gates() -> None:
    (suite, *_) = ET.fromstring(render_junit(BROKEN).encode()).iter("testsuite")
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert properties["verdict"] == "inconclusive"
    assert properties["finding"] == statement(BROKEN)
    assert properties["answer"] == answer(BROKEN)
    assert properties["target_hash"] == BROKEN.target.hash
    assert properties["auroc, mask none"].startswith(".7")
    assert "fail: blind: the sets differ" in (suite.findtext("system-out") or "")


def test_what_holds_for_the_run_is_said_once() -> None:
    text = render_junit(GATED)
    assert len(GATED.attacks) > 1
    assert text.count('name="finding"') == text.count('name="gates"') == text.count("ok: blind baseline") == 1
    assert "time=" not in text, "nothing was timed"


def test_gates_of_no_attack_in_particular() -> None:
    one_run = gate_outcome("epsilon>1", "fail", "is above 1", (GateTest(None, None, 1.5, "fail"),))
    unmeasured = gate_outcome("auroc>0.6", "inconclusive", "no attack was scored")
    result = replace(GATED, verdict=replace(GATED.verdict, gates=(one_run, unmeasured)))
    text = render_junit(result)
    assert cases(text) == {(WHOLE_AUDIT, "epsilon>1"): "failure", ("all attacks", "auroc>0.6"): "skipped"}
    assert "lower limit 1.5 of one-run audit of the canaries, beyond the gate" in text


def test_a_failure_is_one_error() -> None:
    text = render_junit_failure(make_failure("no model\x1b[2J", "no images", kind="ConfigError"))
    assert cases(text) == {("privaudit", "audit"): "error"}
    (error,) = ET.fromstring(text.encode()).iter("error")
    assert error.attrib["message"] == "ConfigError: no model\\x1b[2J"
    assert (error.text or "").startswith("no model\\x1b[2J\nno images\nFix each of these")
