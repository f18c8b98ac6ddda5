"""Findings in SARIF 2.1.0, for code scanning: gates that did not pass, leakage, checks that did not hold.

What passed is not listed, since several viewers show every result as an open problem. A model has no source line to
point to, so a result points to the configuration file of the audit if there is one, otherwise to the model's index.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from privaudit.auditing.scan_command import scan_command
from privaudit.escape import escape_control
from privaudit.model.model_files import short_path
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.redact import base_name, redact
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.model_text import header_lines, model_name
from privaudit.report.sentences.overall import answer, headline
from privaudit.report.sentences.verdict_text import check_text, gate_reason
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.storage.exact_json import encode

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""Placeholder for the folder of relative locations, the root of the scanned repository."""
RULES = {
    "gate-auroc": "Members are ranked above non-members more often than the gate on the AUROC allows.",
    "gate-tpr": "More training images are recognised at a small false-positive rate than the gate allows.",
    "gate-advantage": "True- and false-positive rate of an attack are further apart than the gate allows.",
    "gate-epsilon": "The model does not have the differential privacy that the gate requires.",
    "gate-other": "A gate that this version of privaudit does not know.",
    "finding-leakage": "The model reveals which images it was trained on.",
    "finding-header": "The header of a weights file says something about the training images.",
    "finding-unclear": "Whether the model leaks cannot be told from these images.",
}
"""Rules that every run lists; a check that did not hold adds a rule ``check-NAME``."""
Level = Literal["error", "warning", "note"]


class Result(NamedTuple):
    """One finding.

    Attributes:
        rule: Name of the rule, without the prefix of the tool.
        level: Severity; ``error`` fails a scan in most settings.
        text: Message.
        about: Text that distinguishes results of one rule, such as the gate.
        properties: Further values for programs.
    """

    rule: str
    level: Level
    text: str
    about: str
    properties: Mapping[str, Any]


def render_sarif(result: AuditResult) -> str:
    """Render the findings of an audit."""
    shown, place = redact(result), _place(result.config, result.target.id)
    results = list(_results(shown))
    rules = RULES | {item.rule: f"The check {item.about!r} holds." for item in results if item.rule not in RULES}
    order = {name: number for number, name in enumerate(rules)}
    audited = f"{result.target.hash}\n{result.data.split_hash}"
    about = {
        "verdict": shown.verdict.status,
        "reasons": [fact_text(reason) for reason in shown.verdict.reasons],
        "headline": headline(shown),
        "answer": answer(shown),
        "finding": encode(shown.verdict.finding),
        "targetHash": shown.target.hash,
        "splitHash": shown.data.split_hash,
    }
    invocation = _invocation(shown, successful=True, properties=about)
    entries = [_result(item, order[item.rule], place, audited) for item in results]
    return _log(shown, model_name(shown.target), rules, invocation, entries)


def render_sarif_failure(failure: AuditFailure) -> str:
    """Render that a run ended with an error, so that an empty list of results is not taken for a clean one."""
    shown = redact(failure)
    notes = [
        {"level": "error", "message": {"text": _message(reason)}, "descriptor": {"id": f"privaudit/{shown.kind}"}}
        for reason in shown.verdict.reasons
    ]
    invocation = _invocation(shown, successful=False, properties={"verdict": "error"})
    return _log(shown, base_name(shown.target), RULES, {**invocation, "toolExecutionNotifications": notes}, [])


def _results(result: AuditResult) -> Iterator[Result]:
    for gate in result.verdict.gates:
        if gate.status != "pass":
            level: Level = "error" if gate.status == "fail" else "warning"
            decided = {"gate": gate.gate, "status": gate.status, "tests": encode(gate.tests)}
            text = f"Gate {gate.gate}: {gate.status}. {sentence(gate_reason(gate, result))}"
            yield Result(f"gate-{gate.metric}", level, text, gate.gate, decided)
    finding = result.verdict.finding
    if finding.level != "none":
        rule = "finding-unclear" if finding.level == "unclear" else "finding-leakage"
        text = "\n".join((f"{headline(result)}. {answer(result)}", statement(result), advice(result)[0].text))
        strong = finding.level in ("medium", "high")
        yield Result(rule, "warning" if strong else "note", text, "", encode(finding))
    for words, text in zip(result.target.files.headers, header_lines(result.target.files), strict=True):
        yield Result("finding-header", "warning", text, short_path(words.path), encode(words))
    for check in result.checks:
        if check.status != "ok":
            slug = re.sub(r"[^a-z0-9]+", "-", check.name.lower()).strip("-")
            level = "warning" if check.status == "fail" else "note"
            text = f"Check {check.name}: {check_text(check, result.data)}"
            yield Result(f"check-{slug}", level, text, check.name, encode(check))


def _result(item: Result, index: int, place: str, audited: str) -> dict[str, Any]:
    # A finding keeps its fingerprint in later runs, unless the model or the images change.
    content = f"{item.rule}\n{item.about}\n{audited}".encode(errors="surrogatepass")
    fingerprint = hashlib.sha256(content).hexdigest()[:32]
    location = {"artifactLocation": {"uri": place, "uriBaseId": ROOT}, "region": {"startLine": 1}}
    return {
        "ruleId": f"privaudit/{item.rule}",
        "ruleIndex": index,
        "level": item.level,
        "message": {"text": _message(item.text)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"privaudit/v1": fingerprint, "primaryLocationLineHash": f"{fingerprint[:16]}:1"},
        "properties": dict(item.properties),
    }


def _invocation(
    report: AuditResult | AuditFailure, *, successful: bool, properties: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "executionSuccessful": successful,
        "commandLine": scan_command(report.config),
        "endTimeUtc": report.created.replace("+00:00", "Z"),
        "properties": dict(properties),
    }


def _place(config: Mapping[str, Any], target: str) -> str:
    """Return the relative URI that results point to: the configuration file, or else the model's index or file."""
    named, model = config.get("config_file"), Path(str(config.get("target") or target))
    is_file = bool(named) or model.suffix == ".safetensors"
    path = Path(str(named)) if named else model if is_file else model / "model_index.json"
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    if path.is_absolute() or ".." in path.parts:  # outside of the working folder: hide the folders that lead there
        path = Path(*path.parts[-1 if is_file else -2 :])
    return quote(escape_control(path.as_posix()))


def _message(text: str) -> str:
    """Escape what SARIF viewers would take for a placeholder (``{0}``) or a link."""
    return re.sub(r"\{(?=\d+\})", "{ ", escape_control(text, keep="\n").replace("](", "] ("))


def _log(
    report: AuditResult | AuditFailure,
    target: str,
    rules: Mapping[str, str],
    invocation: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
) -> str:
    tags = {"tags": ["privacy", "security"]}
    listed = [
        {"id": f"privaudit/{name}", "name": name, "shortDescription": {"text": _message(text)}, "properties": tags}
        for name, text in rules.items()
    ]
    run = {
        "tool": {"driver": {"name": "privaudit", "version": report.privaudit_version, "rules": listed}},
        "automationDetails": {"id": f"privaudit/{target}/"},
        "invocations": [invocation],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that the audit was started in."}}},
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


FORMATS.register(
    Format("sarif", "report.sarif", "findings, for code scanning", render_sarif, render_sarif_failure, place=4)
)
