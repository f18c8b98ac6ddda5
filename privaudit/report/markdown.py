"""The summary of a result in GitHub-flavoured Markdown: for the page of a CI job, which takes less than 1 MiB.

No images, nothing about a single image, no path of anybody's disk. Every list has an end: what does not fit is counted
and left to report.json.
"""

from __future__ import annotations

import math

from privaudit.evaluation.estimate import Comparison, Difference, Estimate, GroupStratum, Metrics, RateEstimate
from privaudit.report.command import scan_command
from privaudit.report.markdown_text import PROSE, bullets, name, prose, table
from privaudit.report.numbers import interval_text, number_text
from privaudit.report.outward import base_name, outward
from privaudit.report.quoted import quoted
from privaudit.report.words import SETS, advice, headline
from privaudit.result import AttackReport, AuditFailure, AuditResult

GATES, CHECKS, ATTACKS, GROUPS, PROBLEMS, NOTES = 50, 40, 60, 12, 20, 12
"""Lines of each list."""


def render_md(result: AuditResult) -> str:
    """Write a summary.

    Args:
        result: Of an audit.

    Returns:
        Markdown that ends with a newline; below 900 kB whatever the result holds.
    """
    shown = outward(result)
    parts = [
        f"## privaudit: {name(base_name(shown.target.id))}: {prose(headline(shown))}",
        prose(shown.verdict.finding.statement),
        _gates(shown),
        "### What to do\n\n" + bullets(advice(shown), NOTES),
        _quoted(shown),
        _attacks(shown),
        _groups(shown),
        _suspects(shown),
        _canaries(shown),
        _checks(shown),
        _provenance(shown),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_md_failure(failure: AuditFailure) -> str:
    """Write what went wrong.

    Args:
        failure: Of a run that ended with an error.

    Returns:
        Markdown that ends with a newline.
    """
    shown = outward(failure)
    ours = "\n\nThis is a defect of privaudit; please report it with the text above." if shown.defect else ""
    return (
        f"## privaudit: {name(base_name(shown.target))}: AUDIT FAILED\n\n"
        f"Nothing was found out about the model. {name(shown.kind)}:\n\n"
        f"{bullets(shown.verdict.reasons, PROBLEMS)}{ours}\n\n"
        f"privaudit {name(shown.privaudit_version)}, {name(shown.created)}\n"
    )


def _gates(result: AuditResult) -> str:
    verdict = result.verdict
    if not verdict.gates:
        return "No gate was set (`--fail-on`), so nothing could fail."
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    gates = sorted(verdict.gates, key=lambda gate: order[gate.status])
    rows = ([name(gate.gate), _status(gate.status), prose(gate.detail)] for gate in gates)
    return f"### Gates: {_status(verdict.status)}\n\n" + table(["gate", "outcome", "why"], rows, GATES, len(gates))


def _status(status: str) -> str:
    return status if status in ("pass", "ok") else f"**{status}**"


def numbers_table(result: AuditResult) -> str:
    """Lay out the metrics of the score that the report speaks of, with what guessing would reach.

    Args:
        result: Of an audit.

    Returns:
        A Markdown table.
    """
    metrics, percent = quoted(result).metrics, f"{100 * float(result.config.get('confidence', 0.95)):g} %"
    rates = [
        (f"TPR at {100 * float(fpr):g} % FPR", rate, f"{100 * float(fpr):g} %" if float(fpr) < 1 else "")
        for fpr, rate in metrics.tpr_at_fpr.items()
    ]
    rows = [
        ["AUROC", _measured(metrics.auroc), ".500"],
        *([label, _measured(rate), chance] for label, rate, chance in rates),
        ["advantage", _measured(metrics.advantage), "0"],
        ["epsilon, lower bound", _bound(metrics), "0"],
        ["AUROC without the model (blind baseline)", _measured(result.blind.auroc), ".500"],
    ]
    return table(["", f"measured [{percent} interval]", "by chance"], rows, NOTES, len(rows))


def _quoted(result: AuditResult) -> str:
    score = quoted(result)
    title = f"### The numbers of {name(score.report.name)}, mask {name(score.mask)}"
    return f"{title}\n\n{numbers_table(result)}"


def _measured(estimate: Estimate | RateEstimate) -> str:
    note = f"; {prose(estimate.reason)}" if estimate.reason else ""
    return f"{interval_text(estimate)}{note}"


def _bound(metrics: Metrics) -> str:
    bound = metrics.epsilon_lower
    if math.isnan(bound.value):
        return f"n/a; {prose(bound.reason or 'not measured')}"
    return f"{number_text(bound.value)} ({bound.confidence:.0%} confidence)"


def _attacks(result: AuditResult) -> str:
    def row(report: AttackReport) -> list[str]:
        metrics = report.masks["none"]
        rates = [_cell(metrics.tpr_at_fpr.get(fpr)) for fpr in ("0.01", "0.001")]
        return [name(report.name), interval_text(metrics.auroc), *rates, _gain(report.influence_vs_none)]

    head = ["attack, no mask", "AUROC", "TPR at 1 % FPR", "TPR at 0.1 % FPR", "AUROC gain of the influence mask"]
    attacks = sorted(result.attacks, key=lambda report: -_or_least(report.masks["none"].auroc.value))
    text = "### All attacks\n\n" + table(head, map(row, attacks), ATTACKS, len(attacks))
    refused = [f"{item.name}: {item.reason}" for item in result.refused]
    return f"{text}\n\nNot run:\n\n{bullets(refused, NOTES)}" if refused else text


def _gain(gain: Comparison | None) -> str:
    return "" if gain is None else _difference(gain.auroc_delta)


def _difference(found: Difference) -> str:
    if math.isnan(found.value):
        return "n/a"
    return f"{number_text(found.value, '+')} [{number_text(found.lo, '+')},{number_text(found.hi, '+')}]"


def _groups(result: AuditResult) -> str:
    report = quoted(result).report
    if not report.groups:
        return ""

    def row(group: GroupStratum) -> list[str]:
        against = "" if group.against == "group" else " (of all groups)"
        counts = [str(group.members), f"{group.nonmembers}{against}"]
        return [name(group.name), *counts, interval_text(group.auroc), _cell(group.tpr)]

    groups = sorted(report.groups, key=lambda group: (-_or_least(group.auroc.value), group.name))
    head = ["group", "members", "non-members", "AUROC", "TPR at 1 % FPR"]
    title = f"### {name(report.name)} by group, the most exposed first"
    return f"{title}\n\n" + table(head, map(row, groups), GROUPS, len(groups))


def _suspects(result: AuditResult) -> str:
    found = result.suspects
    if found is None:
        return ""
    flagged = ", ".join(f"{count} at {float(rate):.0%}" for rate, count in found.flagged.items())
    lines = [
        found.statement,
        f"{found.count} suspects against {found.nonmembers} non-members; p {_p(found.set_p)} of no member among them",
        f"flagged singly at a false discovery rate: {flagged}",
        *([found.reason] if found.reason else []),
    ]
    return "### Suspects\n\n" + bullets(lines, NOTES)


def _canaries(result: AuditResult) -> str:
    found = result.canaries
    if found is None:
        return ""
    lines = [
        found.statement,
        f"{found.canaries} canaries: {found.pilot} to choose on, {found.audited} audited; "
        f"{found.correct} of {found.guesses_in + found.guesses_out} guesses right; p {_p(found.p)} of no leakage",
        f"epsilon >= {number_text(found.epsilon_lower)} ({found.confidence:.0%} confidence)",
        *([found.reason] if found.reason else []),
    ]
    return "### Canaries\n\n" + bullets(lines, NOTES)


def _checks(result: AuditResult) -> str:
    order = {"fail": 0, "warn": 1, "ok": 2}
    checks = sorted(result.checks, key=lambda check: order[check.status])
    rows = ([_status(check.status), name(check.name), prose(check.detail)] for check in checks)
    return "### Checks\n\n" + table(["", "check", "what was found"], rows, CHECKS, len(checks))


def _provenance(result: AuditResult) -> str:
    target, data, hardware = result.target, result.data, result.hardware
    seconds = sum(result.timing.values())
    lines = [
        f"target {name(target.id)}: {prose(target.family)}, {prose(target.prediction_type)}, latents "
        f"{'x'.join(map(str, target.latent_shape))}, hash {name(target.hash[:12])}",
        f"images: {data.members} {SETS[data.role]}, {data.nonmembers} non-members, {data.duplicates_removed} "
        f"duplicates removed, {len(data.skipped)} files skipped; split {name(data.split_hash[:12])}",
        f"privaudit {name(result.privaudit_version)}, report of schema {result.schema_version}, "
        f"{name(result.created)}, {name(str(hardware.get('device', '')))}, {seconds:.0f} s",
        f"again: {name(scan_command(result.config), PROSE)}",
    ]
    return "### What was run\n\n" + "\n".join(f"- {line}" for line in lines)


def _cell(estimate: Estimate | RateEstimate | None) -> str:
    return "n/a" if estimate is None else interval_text(estimate)


def _p(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{value:.2g}" if value > 0.0 else "< 1e-300"


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value
