"""The summary of a result in GitHub-flavoured Markdown: for the page of a CI job, which takes less than 1 MiB.

No images, nothing about a single image, no path of anybody's disk. Every list has an end: what does not fit is counted
and left to report.json.
"""

from __future__ import annotations

import math

from privaudit.evaluation.estimate import Comparison, Estimate, GroupStratum, RateEstimate
from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.design_words import counted, words_of
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.found import choice_note, found_lines, gate_lines, reach_lines
from privaudit.report.markdown_text import PROSE, bullets, name, prose, table
from privaudit.report.missing import plain_reason, why_no_rate
from privaudit.report.numbers import difference_text, interval_text, number_text, percent, plain_p
from privaudit.report.problems import ASKED, problems, remedy
from privaudit.report.quoted import quoted
from privaudit.report.redact import base_name, redact
from privaudit.report.scan_command import scan_command
from privaudit.report.suspect_section import null_text, p_meaning
from privaudit.report.words import advice, headline, scale_text, score_text
from privaudit.results.audit_result import AttackReport, AuditFailure, AuditResult

GATES, CHECKS, ATTACKS, GROUPS, PROBLEMS, NOTES = 50, 40, 60, 12, 20, 12
"""Lines of each list."""


def render_md(result: AuditResult) -> str:
    """Write a summary."""
    shown = redact(result)
    parts = [
        f"## privaudit: {name(base_name(shown.target.id))}: {prose(headline(shown))}",
        *map(prose, found_lines(shown)),
        _gates(shown),
        "### What to do\n\n" + bullets(advice(shown), NOTES),
        "### Keep in mind\n\n" + bullets(reach_lines(shown), NOTES),
        _quoted(shown),
        _suspects(shown),
        _attacks(shown),
        _groups(shown),
        _canaries(shown),
        _checks(shown),
        _provenance(shown),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_md_failure(failure: AuditFailure) -> str:
    """Write what went wrong."""
    shown = redact(failure)
    return (
        f"## privaudit: {name(base_name(shown.target))}: AUDIT FAILED\n\n"
        f"Nothing was found out about the model. {name(shown.kind)}:\n\n"
        f"{bullets(problems(shown), PROBLEMS)}\n\n"
        f"### What to do\n\n{prose(remedy(shown))}\n\n"
        f"### {ASKED}\n\n{name(scan_command(shown.config), PROSE)}\n\n"
        f"privaudit {name(shown.privaudit_version)}, {name(shown.created)}\n"
    )


def _gates(result: AuditResult) -> str:
    verdict, after = result.verdict, "\n\n".join(map(prose, gate_lines(result)))
    if not verdict.gates:
        return after
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    gates = sorted(verdict.gates, key=lambda gate: order[gate.status])
    rows = ([name(gate.gate), _status(gate.status), prose(gate.detail)] for gate in gates)
    return (
        f"### Gates: {_status(verdict.status)}\n\n"
        + table(["gate", "outcome", "why"], rows, GATES, len(gates))
        + f"\n\n{after}"
    )


def _status(status: str) -> str:
    return status if status in ("pass", "ok") else f"**{status}**"


def numbers_table(result: AuditResult) -> str:
    """Lay out the metrics of the score that the report speaks of, with what guessing would reach."""
    metrics, confidence = quoted(result).metrics, float(result.config.get("confidence", 0.95))
    rows = [
        ["AUROC", interval_text(metrics.auroc), ".500"],
        *(
            [f"TPR at {percent(float(fpr))} FPR", interval_text(rate), number_text(float(fpr))]
            for fpr, rate in metrics.tpr_at_fpr.items()
        ),
        ["advantage", interval_text(metrics.advantage), ".000"],
        ["epsilon, lower bound", _bound(result), ".000"],
        ["AUROC without the model (blind baseline)", interval_text(result.blind.auroc), ".500"],
    ]
    laid = table(["", f"measured [{percent(confidence)} interval]", "by chance"], rows, NOTES, len(rows))
    why = _why(result, confidence)
    return f"{laid}\n\n{bullets(why, NOTES)}" if why else laid


def _why(result: AuditResult, confidence: float) -> list[str]:
    """Why numbers of the table are missing or rough: a name and a few words each."""
    metrics = quoted(result).metrics
    notes = [
        ("AUROC", _plain(metrics.auroc.reason)),
        *(
            (f"TPR at {percent(float(fpr))} FPR", why_no_rate(rate, float(fpr), confidence))
            for fpr, rate in metrics.tpr_at_fpr.items()
        ),
        ("advantage", _plain(metrics.advantage.reason)),
        ("epsilon", _plain((result.canaries or metrics.epsilon_lower).reason)),
        ("blind baseline", _plain(result.blind.auroc.reason)),
    ]
    return [f"{what}: {why}" for what, why in notes if why]


def _plain(reason: str | None) -> str | None:
    return None if reason is None else plain_reason(reason)


def _quoted(result: AuditResult) -> str:
    if not result.data.membership_known:
        return ""  # rates of members would be of images that nobody knows to be members
    score = quoted(result)
    title = f"### The numbers of {prose(score_text(score.report.name, score.mask))}"
    note = choice_note(result)
    return f"{title}\n\n{numbers_table(result)}" + (f"\n\n{prose(note)}" if note else "")


def _bound(result: AuditResult) -> str:
    """Of canaries the bound of their own audit, which gates look at, too; otherwise that of the score."""
    if (drawn := result.canaries) is not None:
        if math.isnan(drawn.epsilon_lower):
            return "n/a"
        return f"{number_text(drawn.epsilon_lower)} ({percent(drawn.confidence)} confidence, one-run audit)"
    bound = quoted(result).metrics.epsilon_lower
    if math.isnan(bound.value):
        return "n/a"
    return f"{number_text(bound.value)} ({percent(bound.confidence)} confidence)"


def _attacks(result: AuditResult) -> str:
    def row(report: AttackReport) -> list[str]:
        metrics = report.masks["none"]
        rates = [_cell(metrics.tpr_at_fpr.get(fpr)) for fpr in ("0.01", "0.001")]
        return [name(report.name), interval_text(metrics.auroc), *rates, _gain(report.influence_vs_none)]

    words = words_of(result.data)
    rates = [f"{words.rate} {fpr} % FPR" for fpr in ("1", "0.1")]
    head = ["attack, no mask", "AUROC", *rates, "AUROC gain of the influence mask"]
    attacks = sorted(result.attacks, key=lambda report: -_or_least(report.masks["none"].auroc.value))
    text = f"### {words.all_attacks}\n\n" + table(head, map(row, attacks), ATTACKS, len(attacks))
    refused = [f"{item.name}: {item.reason}" for item in result.refused]
    return f"{text}\n\nNot run:\n\n{bullets(refused, NOTES)}" if refused else text


def _gain(gain: Comparison | None) -> str:
    return "" if gain is None else difference_text(gain.auroc_delta)


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
    title += "\n\nNumbered here; report.json has their names."
    return f"{title}\n\n" + table(head, map(row, groups), GROUPS, len(groups))


def _suspects(result: AuditResult) -> str:
    found = result.suspects
    if found is None:
        return ""
    lines = ([found.statement] if result.data.membership_known else []) + suspect_lines(found)
    return "### Suspects\n\n" + bullets(lines, NOTES)


def suspect_lines(found: SuspectReport) -> list[str]:
    """Say what the test of the suspects rests on."""
    flagged = ", ".join(f"{count} at {percent(float(rate))}" for rate, count in found.flagged.items())
    return [
        f"{found.count} suspects against {found.nonmembers} non-members",
        f"{p_meaning(found)}; evidence if {found.alpha:g} or less",
        f"how often the test is wrong: {null_text(found)}",
        f"flagged singly at a false discovery rate: {flagged}",
        *([found.reason] if found.reason else []),
    ]


def _canaries(result: AuditResult) -> str:
    found = result.canaries
    if found is None:
        return ""
    stated = found.statement in result.verdict.finding.statement
    delta = f", delta {found.delta:g}" if found.delta else ""
    lines = [
        *([] if stated else [found.statement]),
        f"{found.canaries} canaries: {found.pilot} to choose on, {found.audited} audited; "
        f"{found.correct} of {found.guesses_in + found.guesses_out} guesses right",
        f"{plain_p(found.p)}: the chance of such scores if the model knew nothing of the coins",
        f"epsilon at least {number_text(found.epsilon_lower)} ({percent(found.confidence)} confidence{delta}); even a "
        f"perfect attack could have shown only {number_text(found.epsilon_most)}",
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
        f"images: {counted(data)}, {data.nonmembers} non-members, {data.duplicates_removed} "
        f"duplicates removed, {len(data.skipped)} files skipped; split {name(data.split_hash[:12])}",
        scale_text(result),
        f"privaudit {name(result.privaudit_version)}, report of schema {result.schema_version}, "
        f"{name(result.created)}, {name(str(hardware.get('device', '')))}, {seconds:.0f} s",
        f"again: {name(scan_command(result.config), PROSE)}",
    ]
    return "### What was run\n\n" + "\n".join(f"- {line}" for line in lines)


def _cell(estimate: Estimate | RateEstimate | None) -> str:
    return "n/a" if estimate is None else interval_text(estimate)


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


FORMATS.register(Format("md", "report.md", "a summary for the page of a CI job", render_md, render_md_failure, place=2))
