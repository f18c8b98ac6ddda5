"""The summary of a result in GitHub-flavoured Markdown: for the page of a CI job, which takes less than 1 MiB.

No images, nothing about a single image, no path of any disk. Every list has an end: what does not fit is counted, and
stays in report.json.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from privaudit.auditing.scan_command import scan_command
from privaudit.escape import escape_control, markdown, markdown_code
from privaudit.evaluation.estimate import Comparison, Estimate, GroupStratum, RateEstimate
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.numbers import COMPACT
from privaudit.report.quoted import by_strength, exposed_groups, quoted
from privaudit.report.redact import base_name, redact
from privaudit.report.sentences import design_text
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.design_words import positives_text, words_of
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.finding_text import states_canaries
from privaudit.report.sentences.lines import (
    NOTHING_KNOWN,
    REQUESTED,
    gate_lines,
    opening_lines,
    problems,
    reach_lines,
    remedy,
    scale_text,
    score_note,
)
from privaudit.report.sentences.names import score_text
from privaudit.report.sentences.overall import headline
from privaudit.report.sentences.verdict_text import check_text, gate_reason, ordered_checks
from privaudit.results.audit_result import AttackReport, AuditFailure, AuditResult

MAX_GATES, MAX_CHECKS, MAX_ATTACKS, MAX_GROUPS, MAX_PROBLEMS, MAX_NOTES = 50, 40, 60, 12, 20, 12
"""Maximum number of lines of each list."""
NAME, PROSE = 100, 700
"""Characters of a name and of a sentence; what is longer is cut."""


def render_md(result: AuditResult) -> str:
    """Write a summary."""
    shown = redact(result)
    parts = [
        f"## privaudit: {name(base_name(shown.target.id))}: {prose(headline(shown))}",
        *map(prose, opening_lines(shown)),
        _gates(shown),
        "### What to do\n\n" + bullets([step.text for step in advice(shown)], MAX_NOTES),
        "### Keep in mind\n\n" + bullets(reach_lines(shown), MAX_NOTES),
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
        f"{NOTHING_KNOWN} {name(shown.kind)}:\n\n"
        f"{bullets(problems(shown), MAX_PROBLEMS)}\n\n"
        f"### What to do\n\n{prose(remedy(shown))}\n\n"
        f"### {REQUESTED}\n\n{name(scan_command(shown.config), PROSE)}\n\n"
        f"privaudit {name(shown.privaudit_version)}, {name(shown.created)}\n"
    )


def _gates(result: AuditResult) -> str:
    verdict, after = result.verdict, "\n\n".join(map(prose, gate_lines(result)))
    if not verdict.gates:
        return after
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    gates = sorted(verdict.gates, key=lambda gate: order[gate.status])
    rows = ([name(gate.gate), _status(gate.status), prose(gate_reason(gate, result))] for gate in gates)
    return (
        f"### Gates: {_status(verdict.status)}\n\n"
        + table(["gate", "outcome", "why"], rows, MAX_GATES, len(gates))
        + f"\n\n{after}"
    )


def _status(status: str) -> str:
    return status if status in ("pass", "ok") else f"**{status}**"


def numbers_table(result: AuditResult) -> str:
    """Lay out the metrics of the score that the report speaks of, with what guessing would reach."""
    metrics, confidence = quoted(result).metrics, float(result.config.get("confidence", 0.95))
    rows = [
        ["AUROC", COMPACT.estimate(metrics.auroc), ".500"],
        *(
            [f"TPR at {COMPACT.percent(float(fpr))} FPR", COMPACT.estimate(rate), COMPACT.number(float(fpr))]
            for fpr, rate in metrics.tpr_at_fpr.items()
        ),
        ["advantage", COMPACT.estimate(metrics.advantage), ".000"],
        ["epsilon, lower bound", _bound(result), ".000"],
        ["AUROC without the model (blind baseline)", COMPACT.estimate(result.blind.auroc), ".500"],
    ]
    laid = table(["", f"measured [{COMPACT.percent(confidence)} interval]", "by chance"], rows, MAX_NOTES, len(rows))
    why = _why(result)
    return f"{laid}\n\n{bullets(why, MAX_NOTES)}" if why else laid


def _why(result: AuditResult) -> list[str]:
    """Why numbers of the table are missing or rough: a name and a few words each."""
    metrics = quoted(result).metrics
    reasons = [
        ("AUROC", metrics.auroc.reason),
        *((f"TPR at {COMPACT.percent(float(fpr))} FPR", rate.reason) for fpr, rate in metrics.tpr_at_fpr.items()),
        ("advantage", metrics.advantage.reason),
        ("epsilon", (result.canaries or metrics.epsilon_lower).reason),
        ("blind baseline", result.blind.auroc.reason),
    ]
    return [f"{what}: {fact_text(reason)}" for what, reason in reasons if reason is not None]


def _quoted(result: AuditResult) -> str:
    if not result.data.membership_known:
        return ""  # rates of members would be of images that no one knows to be members
    score = quoted(result)
    title = f"### The numbers of {prose(score_text(score.report.name, score.mask))}"
    return f"{title}\n\n{numbers_table(result)}\n\n{prose(score_note(result))}"


def _bound(result: AuditResult) -> str:
    """Of canaries the bound of their own audit, which gates look at, too; otherwise that of the score."""
    if (drawn := result.canaries) is not None:
        if math.isnan(drawn.epsilon_lower):
            return "n/a"
        return f"{COMPACT.number(drawn.epsilon_lower)} ({COMPACT.percent(drawn.confidence)} confidence, one-run audit)"
    bound = quoted(result).metrics.epsilon_lower
    if math.isnan(bound.value):
        return "n/a"
    return f"{COMPACT.number(bound.value)} ({COMPACT.percent(bound.confidence)} confidence)"


def _attacks(result: AuditResult) -> str:
    def row(report: AttackReport) -> list[str]:
        metrics = report.masks["none"]
        rates = [_cell(metrics.tpr_at_fpr.get(fpr)) for fpr in ("0.01", "0.001")]
        return [name(report.name), COMPACT.estimate(metrics.auroc), *rates, _gain(report.influence_vs_none)]

    words = words_of(result.data)
    rates = [f"{words.rate} {fpr} % FPR" for fpr in ("1", "0.1")]
    head = ["attack, no mask", "AUROC", *rates, "AUROC gain of the influence mask"]
    attacks = by_strength(result)
    text = f"### {words.all_attacks}\n\n" + table(head, map(row, attacks), MAX_ATTACKS, len(attacks))
    refused = [f"{item.name}: {item.reason}" for item in result.refused]
    return f"{text}\n\nNot run:\n\n{bullets(refused, MAX_NOTES)}" if refused else text


def _gain(gain: Comparison | None) -> str:
    return "" if gain is None else COMPACT.difference(gain.auroc_delta)


def _groups(result: AuditResult) -> str:
    report = quoted(result).report
    if not report.groups:
        return ""

    def row(group: GroupStratum) -> list[str]:
        against = "" if group.against == "group" else " (of all groups)"
        counts = [str(group.members), f"{group.nonmembers}{against}"]
        return [name(group.name), *counts, COMPACT.estimate(group.auroc), _cell(group.tpr)]

    groups = exposed_groups(report)
    head = ["group", "members", "non-members", "AUROC", "TPR at 1 % FPR"]
    title = f"### {name(report.name)} by group, the most exposed first"
    title += "\n\nNumbered here; report.json has their names."
    return f"{title}\n\n" + table(head, map(row, groups), MAX_GROUPS, len(groups))


def _suspects(result: AuditResult) -> str:
    report = result.suspects
    if report is None:
        return ""
    lines = named_bullets(design_text.suspect_lines(report, COMPACT))
    stated = f"{prose(design_text.suspect_statement(report))}\n\n" if result.data.membership_known else ""
    return f"### {design_text.SUSPECTS_TITLE}\n\n{stated}{lines}"


def _canaries(result: AuditResult) -> str:
    report = result.canaries
    if report is None:
        return ""
    lines = named_bullets(design_text.canary_lines(report, COMPACT))
    stated = "" if states_canaries(result) else f"{prose(design_text.canary_statement(report))}\n\n"
    return f"### {design_text.CANARIES_TITLE}\n\n{stated}{lines}"


def named_bullets(lines: Sequence[tuple[str, str]]) -> str:
    """List names with a line for each."""
    return bullets([f"{name}: {line}" for name, line in lines], MAX_NOTES)


def _checks(result: AuditResult) -> str:
    checks = ordered_checks(result)
    rows = ([_status(check.status), name(check.name), prose(check_text(check, result.data))] for check in checks)
    return "### Checks\n\n" + table(["", "check", "what it noticed"], rows, MAX_CHECKS, len(checks))


def _provenance(result: AuditResult) -> str:
    target, data, hardware = result.target, result.data, result.hardware
    seconds = sum(result.timing.values())
    lines = [
        f"target {name(target.id)}: {prose(target.family)}, {prose(target.prediction_type)}, latents "
        f"{'x'.join(map(str, target.latent_shape))}, hash {name(target.hash[:12])}",
        f"images: {positives_text(data)}, {data.nonmembers} non-members, {data.duplicates_removed} "
        f"duplicates removed, {len(data.skipped)} files skipped; split {name(data.split_hash[:12])}",
        scale_text(result),
        f"privaudit {name(result.privaudit_version)}, report of schema {result.schema_version}, "
        f"{name(result.created)}, {name(str(hardware.get('device', '')))}, {seconds:.0f} s",
        f"again: {name(scan_command(result.config), PROSE)}",
    ]
    return "### What was run\n\n" + "\n".join(f"- {line}" for line in lines)


def _cell(estimate: Estimate | RateEstimate | None) -> str:
    return "n/a" if estimate is None else COMPACT.estimate(estimate)


def prose(text: str) -> str:
    """Write a sentence."""
    return markdown(_cut(text, PROSE))


def name(text: str, most: int = NAME) -> str:
    """Write a name, a gate or a command as a code span of so many characters at most."""
    return markdown_code(_cut(text, most))


def bullets(texts: Sequence[str], most: int) -> str:
    """List sentences."""
    return "\n".join(f"- {prose(text)}" for text in texts[:most]) + _more(len(texts) - most)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], most: int, count: int) -> str:
    """Lay out a table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row, _ in zip(rows, range(most), strict=False)]
    return "\n".join(lines) + _more(count - most)


def _more(count: int) -> str:
    return f"\n\n{count} more in report.json" if count > 0 else ""


def _cut(text: str, most: int) -> str:
    shown = escape_control(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


FORMATS.register(Format("md", "report.md", "a summary for the page of a CI job", render_md, render_md_failure, place=2))
