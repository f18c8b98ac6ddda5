"""The summary of a result in GitHub-flavoured Markdown, for the page of a CI job, which takes less than 1 MiB.

It has no images, nothing about a single image, and no folders. Every list has a maximum length; a note below it counts
the further entries and names the file that has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice

from privaudit.auditing.scan_command import scan_command
from privaudit.escape import escape_control, markdown, markdown_code
from privaudit.evaluation.estimate import GroupStratum
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.numbers import COMPACT
from privaudit.report.quoted import by_strength, confidence_of, exposed_groups, quoted
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
    reach_lines,
    remedy,
    scale_text,
    score_note,
)
from privaudit.report.sentences.model_text import file_lines, model_name, reference_line
from privaudit.report.sentences.names import score_text, settings_text
from privaudit.report.sentences.overall import headline
from privaudit.report.sentences.set_text import set_lines
from privaudit.report.sentences.verdict_text import check_text, gate_reason, ordered_checks
from privaudit.results.audit_result import AttackReport, AuditFailure, AuditResult

MAX_GATES, MAX_CHECKS, MAX_ATTACKS, MAX_GROUPS, MAX_PROBLEMS, MAX_NOTES = 50, 40, 60, 12, 20, 12
"""Maximum number of lines of each list."""
MAX_NAME, MAX_PROSE = 100, 700
"""Maximum number of characters of a name and of a sentence; what is longer is cut."""


def render_md(result: AuditResult) -> str:
    """Render the summary."""
    shown = redact(result)
    parts = [
        f"## privaudit: {name(model_name(shown.target))}: {prose(headline(shown))}",
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
    """Render what went wrong."""
    shown = redact(failure)
    return (
        f"## privaudit: {name(base_name(shown.target))}: AUDIT FAILED\n\n"
        f"{NOTHING_KNOWN} {name(shown.kind)}:\n\n"
        f"{bullets(shown.verdict.reasons, MAX_PROBLEMS)}\n\n"
        f"### What to do\n\n{prose(remedy(shown))}\n\n"
        f"### {REQUESTED}\n\n{name(scan_command(shown.config), MAX_PROSE)}\n\n"
        f"privaudit {name(shown.privaudit_version)}, {name(shown.created)}\n"
    )


def _gates(result: AuditResult) -> str:
    verdict, after = result.verdict, "\n\n".join(map(prose, gate_lines(result)))
    if not verdict.gates:
        return after
    gates = sorted(verdict.gates, key=lambda gate: ("fail", "inconclusive", "pass").index(gate.status))
    rows = ([name(gate.gate), _status(gate.status), prose(gate_reason(gate, result))] for gate in gates)
    return (
        f"### Gates: {_status(verdict.status)}\n\n"
        + table(["gate", "outcome", "why"], rows, MAX_GATES, len(gates))
        + f"\n\n{after}"
    )


def _status(status: str) -> str:
    return status if status in ("pass", "ok") else f"**{status}**"


def numbers_table(result: AuditResult) -> str:
    """Lay out the metrics of the quoted score next to what guessing would reach, and why numbers are missing."""
    metrics, blind = quoted(result).metrics, result.blind.auroc
    rates = [(f"TPR at {COMPACT.percent(float(fpr))} FPR", fpr, rate) for fpr, rate in metrics.tpr_at_fpr.items()]
    rows = [
        ["AUROC", COMPACT.estimate(metrics.auroc), ".500"],
        *([title, COMPACT.estimate(rate), COMPACT.number(float(fpr))] for title, fpr, rate in rates),
        ["advantage", COMPACT.estimate(metrics.advantage), ".000"],
        ["epsilon, lower bound", _bound(result), ".000"],
        ["AUROC without the model (blind baseline)", COMPACT.estimate(blind), ".500"],
    ]
    reasons = [
        ("AUROC", metrics.auroc.reason),
        *((title, rate.reason) for title, _, rate in rates),
        ("advantage", metrics.advantage.reason),
        ("epsilon", (result.canaries or metrics.epsilon_lower).reason),
        ("blind baseline", blind.reason),
    ]
    notes = [f"{what}: {fact_text(reason)}" for what, reason in reasons if reason is not None]
    measured = f"measured [{COMPACT.percent(confidence_of(result))} interval]"
    laid_out = table(["", measured, "by chance"], rows, MAX_NOTES, len(rows))
    return f"{laid_out}\n\n{bullets(notes, MAX_NOTES)}" if notes else laid_out


def _quoted(result: AuditResult) -> str:
    if not result.data.membership_known:
        return ""  # rates of members mean nothing if no image is known to be a member
    score = quoted(result)
    title = f"### The numbers of {prose(score_text(score.report.name, score.mask))}"
    return f"{title}\n\n{numbers_table(result)}\n\n{prose(score_note(result))}"


def _bound(result: AuditResult) -> str:
    """Write the bound on epsilon: that of the audit of canaries, which gates test, too, or that of the score."""
    bound, canaries = quoted(result).metrics.epsilon_lower, result.canaries
    value, confidence, how = bound.value, bound.confidence, ""
    if canaries is not None:
        value, confidence, how = canaries.epsilon_lower, canaries.confidence, ", one-run audit"
    return "n/a" if math.isnan(value) else f"{COMPACT.number(value)} ({COMPACT.percent(confidence)} confidence{how})"


def _attacks(result: AuditResult) -> str:
    def row(report: AttackReport) -> list[str]:
        metrics = report.masks["none"]
        rates = [COMPACT.estimate(metrics.tpr_at_fpr.get(fpr)) for fpr in ("0.01", "0.001")]
        gain = "" if report.influence_vs_none is None else COMPACT.difference(report.influence_vs_none.auroc_delta)
        return [name(report.name), COMPACT.estimate(metrics.auroc), *rates, gain]

    words = words_of(result.data)
    rates = [f"{words.rate} {fpr} % FPR" for fpr in ("1", "0.1")]
    head = ["attack, no mask", "AUROC", *rates, "AUROC gain of the influence mask"]
    attacks = by_strength(result)
    text = f"### {words.all_attacks}\n\n" + table(head, map(row, attacks), MAX_ATTACKS, len(attacks))
    refused = [f"{item.name}: {item.reason}" for item in result.refused]
    return f"{text}\n\nNot run:\n\n{bullets(refused, MAX_NOTES)}" if refused else text


def _groups(result: AuditResult) -> str:
    report = quoted(result).report
    if not report.groups:
        return ""

    def row(group: GroupStratum) -> list[str]:
        against = "" if group.against == "group" else " (of all groups)"
        counts = [str(group.members), f"{group.nonmembers}{against}"]
        return [name(group.name), *counts, COMPACT.estimate(group.auroc), COMPACT.estimate(group.tpr)]

    groups = exposed_groups(report)
    head = ["group", "members", "non-members", "AUROC", "TPR at 1 % FPR"]
    title = f"### {name(report.name)} by group, the most exposed first"
    laid_out = table(head, map(row, groups), MAX_GROUPS, len(groups))
    return f"{title}\n\nGroups are numbered here; report.json has their names.\n\n{laid_out}"


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
    stated = "" if states_canaries(result) else f"{prose(design_text.canary_statement(report, result.checks))}\n\n"
    return f"### {design_text.CANARIES_TITLE}\n\n{stated}{lines}"


def named_bullets(lines: Sequence[tuple[str, str]]) -> str:
    """Render names with a line for each as a list."""
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
        *(f"with {name(file)}: {prose(about)}" for file, about in file_lines(result)),
        *([f"the network is told {prose(settings_text(target.settings))}"] if target.settings else []),
        f"images: {positives_text(data)}, {data.nonmembers} non-members, {data.duplicates_removed} "
        f"duplicates removed, {len(data.skipped)} files skipped; split {name(data.split_hash[:12])}",
        *(prose(f"{names}: {line}") for names, line in set_lines(data)),
        scale_text(result),
        *filter(None, [prose(reference_line(result))]),
        f"privaudit {name(result.privaudit_version)}, report of schema {result.schema_version}, "
        f"{name(result.created)}, {name(str(hardware.get('device', '')))}, {seconds:.0f} s",
        f"to run it again: {name(scan_command(result.config), MAX_PROSE)}",
    ]
    return "### What was run\n\n" + "\n".join(f"- {line}" for line in lines)


def prose(text: str) -> str:
    """Escape a sentence."""
    return markdown(_cut(text, MAX_PROSE))


def name(text: str, limit: int = MAX_NAME) -> str:
    """Render a name, a gate or a command as a code span of at most ``limit`` characters."""
    return markdown_code(_cut(text, limit))


def bullets(texts: Sequence[str], limit: int, file: str = "report.json") -> str:
    """Render at most ``limit`` sentences as a list; ``file`` has the others."""
    return "\n".join(f"- {prose(text)}" for text in texts[:limit]) + _more(len(texts) - limit, file)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], limit: int, count: int, file: str = "report.json") -> str:
    """Render at most ``limit`` of ``count`` rows as a table; ``file`` has the others."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in islice(rows, limit)]
    return "\n".join(lines) + _more(count - limit, file)


def _more(count: int, file: str) -> str:
    return f"\n\n{count} more in {file}" if count > 0 else ""


def _cut(text: str, limit: int) -> str:
    shown = escape_control(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


FORMATS.register(Format("md", "report.md", "a summary for the page of a CI job", render_md, render_md_failure, place=2))
