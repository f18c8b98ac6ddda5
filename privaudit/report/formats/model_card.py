"""A section for the model's README, with the metadata that the Hugging Face hub reads.

The metadata belong in the front matter of the README, the section in its text. The metadata have no place for a reason
and are read without the section. They therefore omit numbers that were not measured or have no interval, everything
about suspects, whose membership is not known, and everything that a failed check makes meaningless.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.report.formats.markdown import bullets, name, named_bullets, numbers_table, prose
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.numbers import COMPACT
from privaudit.report.quoted import confidence_of, quoted
from privaudit.report.redact import redact
from privaudit.report.sentences.design_text import suspect_lines
from privaudit.report.sentences.design_words import positives_text
from privaudit.report.sentences.lines import NOTHING_KNOWN, opening_lines, reach_lines, scale_text, score_note
from privaudit.report.sentences.model_text import audited_text, model_name
from privaudit.report.sentences.overall import headline
from privaudit.report.sentences.verdict_text import check_text
from privaudit.results.audit_result import AuditFailure, AuditResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "Membership inference (privacy audit)"
DIGITS = 4
"""Decimals of the numbers in the metadata."""


def render_card(result: AuditResult) -> str:
    """Render the section and its metadata."""
    shown = redact(result)
    entries = _eval_results(shown)
    head = f"---\n{_front_matter(model_name(shown.target), entries)}\n---\n\n" if entries else ""
    warned = [f"{check.name}: {check_text(check, shown.data)}" for check in shown.checks if check.status != "ok"]
    checks = f"\n\nRead with care, since these checks warned or failed:\n\n{bullets(warned, 12)}" if warned else ""
    first, *others = opening_lines(shown)
    data = shown.data
    parts = [
        f"**{prose(headline(shown))}.** {prose(first)}",
        *map(prose, filter(None, (*others, audited_text(shown)))),
        f"{_measured(shown)}{checks}",
        *map(prose, reach_lines(shown)),
        "These numbers are lower bounds on what can leak: another attack may reach more, and images of another kind "
        "may be more or less exposed.",
        f"Made by privaudit {name(shown.privaudit_version)} on {name(shown.created[:10])}: model "
        f"{name(shown.target.hash[:12])}, images {name(data.split_hash[:12])}, seed "
        f"{name(str(shown.config.get('seed', '')))}.",
    ]
    return f"{head}## Privacy evaluation\n\n" + "\n\n".join(parts) + "\n"


def render_card_failure(failure: AuditFailure) -> str:
    """Render a section that says that nothing is known."""
    shown = redact(failure)
    return f"## Privacy evaluation\n\n{NOTHING_KNOWN}\n\n{bullets(shown.verdict.reasons, 12)}\n"


def _measured(result: AuditResult) -> str:
    """Give the numbers and how they were measured; for suspects those of their test, as rates need known members."""
    data, suspects = result.data, result.suspects
    how = f"Measured by membership inference ({prose(scale_text(result))})"
    if not data.membership_known and suspects is not None:
        return f"{how}, with images of unknown membership:\n\n{named_bullets(suspect_lines(suspects, COMPACT))}"
    return (
        f"{how}: {positives_text(data)} against {data.nonmembers} non-members.\n\n{numbers_table(result)}\n\n"
        f"{prose(score_note(result))}"
    )


def _front_matter(model: str, entries: list[EvalResult]) -> str:
    from huggingface_hub import ModelCardData

    text: str = ModelCardData(model_name=model, eval_results=entries).to_yaml()
    return text


def _eval_results(result: AuditResult) -> list[EvalResult]:
    """Make one entry per metric of the quoted score; none for suspects, and none if a check failed."""
    from huggingface_hub import EvalResult

    if not result.data.membership_known or result.verdict.finding.level == "unclear":
        return []  # metadata are read without the section that says why the numbers mean nothing
    score, data = quoted(result), result.data
    metrics, confidence = score.metrics, confidence_of(result)
    intervals: dict[tuple[str, str], Estimate | RateEstimate] = {
        ("roc_auc", "AUROC"): metrics.auroc,
        **{
            (f"tpr_at_fpr_{fpr}", f"TPR at {COMPACT.percent(float(fpr))} FPR"): rate
            for fpr, rate in metrics.tpr_at_fpr.items()
        },
        ("advantage", "Advantage"): metrics.advantage,
    }
    measured: list[tuple[str, str, float, dict[str, object]]] = [
        (kind, label, estimate.value, {"lo": round(estimate.lo, DIGITS), "hi": round(estimate.hi, DIGITS)})
        for (kind, label), estimate in intervals.items()
        if not any(map(math.isnan, (estimate.value, estimate.lo, estimate.hi)))
    ]
    bound, canaries = metrics.epsilon_lower, result.canaries
    epsilon = bound.value
    how: dict[str, object] = {"confidence": bound.confidence}
    if canaries is not None:  # the bound that gates test is that of the audit of the canaries
        epsilon = canaries.epsilon_lower
        how = {"confidence": canaries.confidence, "delta": canaries.delta, "method": "one-run audit of canaries"}
    if not math.isnan(epsilon):
        measured.append(("epsilon_lower", "Epsilon, lower bound", epsilon, how))
    finding = result.verdict.finding
    quoted_kind = {"tpr": "tpr_at_fpr_0.01", "auroc": "roc_auc"}.get(finding.metric or "")
    corrected = {} if finding.limit is None else {"corrected_lower": round(finding.limit, DIGITS)}
    return [
        EvalResult(
            task_type="other",
            task_name=TASK,
            dataset_type="private",
            dataset_name=f"{positives_text(data)} and {data.nonmembers} non-members",
            dataset_revision=data.split_hash,
            metric_type=kind,
            metric_name=label,
            metric_value=round(value, DIGITS),
            metric_args={
                "attack": score.report.name,
                "mask": score.mask,
                "confidence": confidence,
                **limits,
                **(corrected if kind == quoted_kind else {}),
            },
        )
        for kind, label, value, limits in measured
    ]


FORMATS.register(
    Format("card", "model-card.md", "a section for the model's README", render_card, render_card_failure, place=5)
)
