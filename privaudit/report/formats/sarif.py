"""Findings in SARIF 2.1.0, for code scanning: gates that did not pass, leakage, checks that did not hold.

What passed is not listed, since several viewers show every result as an open problem. A model has no line that is to
blame, so a result points to the configuration of the audit where there is one, and to the model's index otherwise.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from privaudit.auditing.scan_command import scan_command
from privaudit.escape import escape_control
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.redact import base_name, redact
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.overall import answer, headline
from privaudit.report.sentences.verdict_text import check_text, gate_reason
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.storage.exact_json import encode

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""Stands for the folder that relative locations start from: the root of the repository that is scanned."""
RULES = {
    "gate-auroc": "Members are ranked above non-members more often than the gate on the AUROC allows.",
    "gate-tpr": "More training images are recognised at a small false-positive rate than the gate allows.",
    "gate-advantage": "True- and false-positive rate of an attack are further apart than the gate allows.",
    "gate-epsilon": "The model refutes a differential privacy that the gate asks for.",
    "gate-other": "A gate that this version of privaudit does not know.",
    "finding-leakage": "The model reveals which images it was trained on.",
    "finding-unclear": "Whether the model leaks cannot be told from these images.",
}
"""What every run can report; checks add one rule each, ``check-NAME``."""
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Result:
    """One finding.

    Attributes:
        rule: Name of its rule, without the tool's.
        level: ``error`` fails a scan in most settings.
        text: What was found.
        about: What tells it from others of its rule, such as the text of a gate.
        properties: Further values for programs.
    """

    rule: str
    level: Level
    text: str
    about: str
    properties: Mapping[str, Any]


def render_sarif(result: AuditResult) -> str:
    """Write what an audit found."""
    shown, place = redact(result), _place(result.config, result.target.id)
    found = list(_results(shown))
    rules = RULES | {item.rule: f"The check {item.about!r} holds." for item in found if item.rule not in RULES}
    order = {name: number for number, name in enumerate(rules)}
    secret = f"{result.target.hash}\n{result.data.split_hash}"
    about = {
        "verdict": shown.verdict.status,
        "reasons": [fact_text(reason) for reason in shown.verdict.reasons],
        "headline": headline(shown),
        "answer": answer(shown),
        "finding": encode(shown.verdict.finding),
        "targetHash": shown.target.hash,
        "splitHash": shown.data.split_hash,
    }
    return _log({
        "tool": _tool(shown.privaudit_version, rules),
        "automationDetails": {"id": f"privaudit/{base_name(shown.target.id)}/"},
        "invocations": [_invocation(shown, successful=True, properties=about)],
        "originalUriBaseIds": _bases(),
        "results": [_result(item, order[item.rule], place, secret) for item in found],
        "columnKind": "unicodeCodePoints",
    })


def render_sarif_failure(failure: AuditFailure) -> str:
    """Write that a run ended with an error, so that no results does not mean no findings."""
    shown = redact(failure)
    notes = [
        {"level": "error", "message": {"text": _message(reason)}, "descriptor": {"id": f"privaudit/{shown.kind}"}}
        for reason in shown.verdict.reasons
    ]
    invocation = _invocation(shown, successful=False, properties={"verdict": "error"})
    return _log({
        "tool": _tool(shown.privaudit_version, RULES),
        "automationDetails": {"id": f"privaudit/{base_name(shown.target)}/"},
        "invocations": [{**invocation, "toolExecutionNotifications": notes}],
        "originalUriBaseIds": _bases(),
        "results": [],
        "columnKind": "unicodeCodePoints",
    })


def _results(result: AuditResult) -> Iterator[Result]:
    for gate in result.verdict.gates:
        if gate.status != "pass":
            level: Level = "error" if gate.status == "fail" else "warning"
            seen = {"gate": gate.gate, "status": gate.status, "tests": encode(gate.tests)}
            text = f"Gate {gate.gate}: {gate.status}. {sentence(gate_reason(gate, result))}"
            yield Result(f"gate-{gate.metric}", level, text, gate.gate, seen)
    finding = result.verdict.finding
    if finding.level != "none":
        rule = "finding-unclear" if finding.level == "unclear" else "finding-leakage"
        text = "\n".join((f"{headline(result)}. {answer(result)}", statement(result), advice(result)[0].text))
        strong = finding.level in ("medium", "high")
        yield Result(rule, "warning" if strong else "note", text, "", encode(finding))
    for check in result.checks:
        if check.status != "ok":
            slug = re.sub(r"[^a-z0-9]+", "-", check.name.lower()).strip("-")
            level = "warning" if check.status == "fail" else "note"
            yield Result(
                f"check-{slug}",
                level,
                f"Check {check.name}: {check_text(check, result.data)}",
                check.name,
                encode(check),
            )


def _result(item: Result, index: int, place: str, secret: str) -> dict[str, Any]:
    print_ = hashlib.sha256(f"{item.rule}\n{item.about}\n{secret}".encode(errors="surrogatepass")).hexdigest()[:32]
    return {
        "ruleId": f"privaudit/{item.rule}",
        "ruleIndex": index,
        "level": item.level,
        "message": {"text": _message(item.text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place, "uriBaseId": ROOT},
                    "region": {"startLine": 1},
                }
            }
        ],
        "partialFingerprints": {"privaudit/v1": print_, "primaryLocationLineHash": f"{print_[:16]}:1"},
        "properties": dict(item.properties),
    }


def _tool(version: str, rules: Mapping[str, str]) -> dict[str, Any]:
    listed = [
        {
            "id": f"privaudit/{name}",
            "name": name,
            "shortDescription": {"text": _message(text)},
            "properties": {"tags": ["privacy", "security"]},
        }
        for name, text in rules.items()
    ]
    return {"driver": {"name": "privaudit", "version": version, "rules": listed}}


def _invocation(
    report: AuditResult | AuditFailure, *, successful: bool, properties: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "executionSuccessful": successful,
        "commandLine": scan_command(report.config),
        "endTimeUtc": report.created.replace("+00:00", "Z"),
        "properties": dict(properties),
    }


def _bases() -> dict[str, Any]:
    return {ROOT: {"description": {"text": "The folder that the audit was started in."}}}


def _place(config: Mapping[str, Any], target: str) -> str:
    """What results point to, as a relative URI: the configuration file, or else the index of the model."""
    named = config.get("config_file")
    path = Path(str(named)) if named else Path(str(config.get("target") or target)) / "model_index.json"
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    if path.is_absolute() or ".." in path.parts:  # somewhere else on a disk that readers need not know
        path = Path(*path.parts[-1 if named else -2 :])
    return quote(escape_control(path.as_posix()))


def _message(text: str) -> str:
    """A text in which no viewer finds a link or a placeholder."""
    return re.sub(r"\{(?=\d+\})", "{ ", escape_control(text, keep="\n").replace("](", "] ("))


def _log(run: Mapping[str, Any]) -> str:
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [dict(run)]}
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


FORMATS.register(
    Format("sarif", "report.sarif", "findings, for code scanning", render_sarif, render_sarif_failure, place=4)
)
