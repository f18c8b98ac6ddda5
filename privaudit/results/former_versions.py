"""Conversion of reports from earlier schema versions to the current one.

Version 5 renamed two keys of ``data``. Version 6 has facts (a code with numbers) in place of sentences. A sentence of
an earlier version becomes a fact with the code ``text`` and is shown as it was written. Version 7 has the files of the
model; earlier audits read its folder alone and did not look at what lay next to it. Version 8 says how each image set
was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from privaudit.errors import ConfigError, ResultError
from privaudit.evaluation.gates import parse_gates

Values = Mapping[str, Any]
RENAMED_IN_5 = {"role": "design", "members": "positives"}
"""Keys of ``data`` that version 5 of the schema renamed."""
ONE_RUN_ATTACK = "the one-run audit of the canaries"
"""Text that version 5 has in place of an attack if a gate was applied to the one-run audit."""
CRITERIA = {
    "AUROC without mask on the other folds": "auroc_no_mask",
    "AUROC under the influence mask on the other folds": "auroc_influence_mask",
    "AUROC of inner folds, within the other folds": "inner_auroc",
    "AUROC under the influence mask on inner folds, within the other folds": "inner_auroc_influence_mask",
    "absolute residuals of non-members of inner folds, within the other folds": "residual",
}
"""Criteria of a choice by their text in version 5; every other criterion is an AUROC."""


def upgraded(values: Values) -> Values:
    """Convert a report to the current version of the schema.

    Args:
        values: Content of a report.json of any version, of a completed audit or one that ended with an error.

    Returns:
        Versions 4 to 7 as version 8; any other version unchanged.

    Raises:
        ResultError: The report does not match the schema of its version.
    """
    for version, upgrade in UPGRADES.items():  # ascending, so that version 4 takes every step
        if values.get("schema_version") == version:
            try:
                values = {**upgrade(values), "schema_version": version + 1}
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise ResultError(
                    f"expected a report of schema_version {version}, but a part is malformed: {error}"
                ) from error
    return values


def _to_5(values: Values) -> Values:
    data = values.get("data")
    if not isinstance(data, dict):
        return values
    return {**values, "data": {RENAMED_IN_5.get(key, key): value for key, value in data.items()}}


def _to_6(values: Values) -> Values:
    verdict = values.get("verdict")
    if not isinstance(verdict, dict) or verdict.get("status") == "error":
        return values
    changes: dict[str, Callable[[Any], Any]] = {
        "attacks": lambda attacks: [_attack(attack) for attack in attacks],
        "blind": lambda blind: _without(_with_facts(blind), "method"),
        "checks": lambda checks: [_check(check) for check in checks],
        "verdict": _verdict,
        "suspects": lambda report: report and _suspects(report, values.get("checks", [])),
        "canaries": lambda report: report and _canaries(report),
        "target": lambda target: {**target, "components": {}, "settings": {}},
    }
    return {key: changes[key](value) if key in changes else value for key, value in values.items()}


def _to_7(values: Values) -> Values:
    target = values.get("target")
    if not isinstance(target, dict):  # that of an audit that ended with an error is a name
        return values
    nothing: Values = {"adapters": [], "sources": {}, "embeddings": {}, "left_out": [], "headers": []}
    return {**values, "target": {**target, "files": nothing}}


def _to_8(values: Values) -> Values:
    data = values.get("data")
    return {**values, "data": {**data, "sets": []}} if isinstance(data, dict) else values


UPGRADES: Mapping[int, Callable[[Values], Values]] = {4: _to_5, 5: _to_6, 6: _to_7, 7: _to_8}
"""By version of the input, the function that converts a report to the next version."""


def _text(text: str) -> Values:
    return {"code": "text", "values": {"text": text}}


def _with_facts(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Replace the text of every key ``reason``, at any depth, by a fact."""
    if isinstance(value, dict):
        return {
            key: _text(item) if key == "reason" and isinstance(item, str) else _with_facts(item)
            for key, item in value.items()
        }
    return [_with_facts(item) for item in value] if isinstance(value, list) else value


def _without(values: Values, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _attack(attack: Values) -> Values:
    learned = {"choices": [_choice(choice) for choice in attack.get("choices", [])], "learners": []}
    return {**_without(_with_facts(attack), "selected_on"), **learned}


def _choice(choice: Values) -> Values:
    """Split a name such as ``penalty of logistic, weighted mask`` into fields; other choices keep their name."""
    what, _, mask = choice["what"].partition(", ")
    kind, _, learner = what.partition(" of ")
    criterion = {"criterion": CRITERIA.get(choice["seen"], "auroc")}
    if kind != "penalty":
        return {**_without(choice, "seen"), **criterion}
    parts = {"what": kind, "learner": learner, "mask": mask.removesuffix(" mask") or None}
    return {**_without(choice, "seen"), **parts, **criterion}


def _check(check: Values) -> Values:
    return {**_without(check, "detail"), "facts": [_text(check["detail"])]}


def _verdict(verdict: Values) -> Values:
    finding = verdict["finding"]
    return {
        **verdict,
        "reasons": [_text(reason) for reason in verdict["reasons"]],
        "gates": [_gate(gate) for gate in verdict["gates"]],
        "finding": {**_without(finding, "statement"), "reason": _text(finding["statement"])},
    }


def _gate(gate: Values) -> Values:
    try:
        parsed = parse_gates([gate["gate"]])[0]
        meaning: Values = {"metric": parsed.metric, "fpr": parsed.fpr, "threshold": parsed.limit}
    except ConfigError:  # a gate of another version of privaudit, whose meaning is not known
        meaning = {"metric": "other", "fpr": None, "threshold": None}
    tests = [
        {**test, "attack": None, "mask": None} if test["attack"] == ONE_RUN_ATTACK else test
        for test in gate.get("tests", [])
    ]
    return {**_without(gate, "detail"), **meaning, "reason": _text(gate["detail"]), "tests": tests}


def _suspects(report: Values, checks: list[Values]) -> Values:
    failed = [check["name"] for check in checks if check["status"] == "fail"]
    about_suspects = [check["name"] for check in checks if check["name"].endswith(", suspects")]
    # Version 5 says only in its sentence that failed checks withdrew the conclusion.
    withdrawn = report["statement"].startswith("Whether the suspects were trained on cannot be told")
    return {
        **_without(_with_facts(report), "statement", "selected_on", "reason"),
        **_candidates(report, "chosen", "chosen_by_fold", "search_space"),
        "cautions": [_text(report["reason"])] if report.get("reason") else [],
        "failed_checks": (failed or about_suspects) if withdrawn else [],
    }


def _canaries(report: Values) -> Values:
    return {**_without(_with_facts(report), "statement"), **_candidates(report, "chosen", "search_space")}


def _candidates(report: Values, *keys: str) -> Values:
    parsed = {}
    for key in keys:
        names = report[key]
        parsed[key] = [_candidate(name) for name in names] if isinstance(names, list) else _candidate(names)
    return parsed


def _candidate(name: str) -> Values | None:
    """Split a name such as ``sima@40/weighted`` into fields; all are None for a mean such as ``mean of all 12``."""
    if not name:
        return None
    attack, _, mask = name.rpartition("/")
    if not attack:  # no mask in the name: a mean over candidates
        return {"attack": None, "at": None, "mask": None}
    attack, _, label = attack.rpartition("@") if "@" in attack else (attack, "", "")
    return {"attack": attack, "at": _number(label) if label else None, "mask": mask}


def _number(label: str) -> float | str:
    try:
        return float(label)
    except ValueError:
        return label
