"""A section for the model's README, with the metadata that the Hugging Face hub reads from it.

The metadata go into the front matter of the README, the section into its text. Numbers that were not measured, or for
which no interval can be given, are left out of the metadata: it has no place for a reason. So is everything about
suspects, whose membership is not known, and everything that a failed check makes meaningless: metadata are read
without the section.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.report.formats.markdown import bullets, name, named_bullets, numbers_table, prose
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.numbers import COMPACT
from privaudit.report.quoted import quoted
from privaudit.report.redact import base_name, redact
from privaudit.report.sentences.design_text import suspect_lines
from privaudit.report.sentences.design_words import positives_text
from privaudit.report.sentences.lines import NOTHING_KNOWN, opening_lines, problems, reach_lines, scale_text, score_note
from privaudit.report.sentences.overall import headline
from privaudit.report.sentences.verdict_text import check_text
from privaudit.results.audit_result import AuditFailure, AuditResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "Membership inference (privacy audit)"
DIGITS = 4


def render_card(result: AuditResult) -> str:
    """Write the section and its metadata."""
    shown = redact(result)
    entries = _eval_results(shown)
    head = f"---\n{_front_matter(base_name(shown.target.id), entries)}\n---\n\n" if entries else ""
    warned = [f"{check.name}: {check_text(check, shown.data)}" for check in shown.checks if check.status != "ok"]
    checks = f"\n\nRead with care, since these checks warned or failed:\n\n{bullets(warned, 12)}" if warned else ""
    first, *others = opening_lines(shown)
    data = shown.data
    parts = [
        f"**{prose(headline(shown))}.** {prose(first)}",
        *map(prose, others),
        f"{_measured(shown)}{checks}",
        *map(prose, reach_lines(shown)),
        "A bound from these attacks and images is a lower bound: another attack may find more, and images of another "
        "kind may be exposed more or less.",
        f"Made by privaudit {name(shown.privaudit_version)} on {name(shown.created[:10])}: model "
        f"{name(shown.target.hash[:12])}, images {name(data.split_hash[:12])}, seed "
        f"{name(str(shown.config.get('seed', '')))}.",
    ]
    return f"{head}## Privacy evaluation\n\n" + "\n\n".join(parts) + "\n"


def render_card_failure(failure: AuditFailure) -> str:
    """Say in the card that nothing is known."""
    shown = redact(failure)
    return f"## Privacy evaluation\n\n{NOTHING_KNOWN}\n\n{bullets(problems(shown), 12)}\n"


def _measured(result: AuditResult) -> str:
    """How it was measured, and the numbers; of suspects those of the test, since rates need known members."""
    data, suspects = result.data, result.suspects
    how = f"Measured by membership inference ({prose(scale_text(result))})"
    if not data.membership_known and suspects is not None:
        return f"{how}, with images of unknown membership:\n\n{named_bullets(suspect_lines(suspects, COMPACT))}"
    return (
        f"{how}: {positives_text(data)} against {data.nonmembers} non-members.\n\n{numbers_table(result)}\n\n"
        f"{prose(score_note(result))}"
    )


def _front_matter(model: str, found: list[EvalResult]) -> str:
    from huggingface_hub import ModelCardData

    text: str = ModelCardData(model_name=model, eval_results=found).to_yaml()
    return text


def _eval_results(result: AuditResult) -> list[EvalResult]:
    """One entry a metric of the score that the report speaks of; none of suspects, and none where a check failed."""
    from huggingface_hub import EvalResult

    if not result.data.membership_known or result.verdict.finding.level == "unclear":
        return []
    score, data = quoted(result), result.data
    metrics, confidence = score.metrics, float(result.config.get("confidence", 0.95))
    intervals: dict[tuple[str, str], Estimate | RateEstimate] = {
        ("roc_auc", "AUROC"): metrics.auroc,
        **{
            (f"tpr_at_fpr_{fpr}", f"TPR at {COMPACT.percent(float(fpr))} FPR"): rate
            for fpr, rate in metrics.tpr_at_fpr.items()
        },
        ("advantage", "Advantage"): metrics.advantage,
    }
    measured: list[tuple[str, str, float, dict[str, object]]] = [
        (kind, label, found.value, {"lo": round(found.lo, DIGITS), "hi": round(found.hi, DIGITS)})
        for (kind, label), found in intervals.items()
        if not any(map(math.isnan, (found.value, found.lo, found.hi)))
    ]
    drawn = result.canaries  # their own audit has the bound that gates look at
    bound, sure = (
        (metrics.epsilon_lower.value, metrics.epsilon_lower.confidence)
        if drawn is None
        else (drawn.epsilon_lower, drawn.confidence)
    )
    if not math.isnan(bound):
        how = {} if drawn is None else {"delta": drawn.delta, "method": "one-run audit of canaries"}
        measured.append(("epsilon_lower", "Epsilon, lower bound", bound, {"confidence": sure, **how}))
    finding = result.verdict.finding
    rests = {"tpr": "tpr_at_fpr_0.01", "auroc": "roc_auc"}.get(finding.metric or "")
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
                **(corrected if kind == rests else {}),
            },
        )
        for kind, label, value, limits in measured
    ]


FORMATS.register(
    Format("card", "model-card.md", "a section for the model's README", render_card, render_card_failure, place=5)
)
