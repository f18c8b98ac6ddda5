"""Every number with its interval in one table: for pandas, Parquet and CSV."""

from __future__ import annotations

import math

import pandas as pd

from privaudit.escape import encodable
from privaudit.evaluation.estimate import Comparison, Difference, Estimate, Metrics, RateEstimate
from privaudit.evaluation.facts import Fact
from privaudit.report.redact import redact
from privaudit.report.sentences.fact_text import fact_text
from privaudit.results.audit_result import AttackReport, AuditFailure, AuditResult


def metrics_frame(result: AuditResult) -> pd.DataFrame:
    """Lay out what every score tells, one row per attack and mask.

    Returns:
        Columns ``attack``, ``kind``, ``mask``, ``level``, ``order``, ``passes``, ``members``, ``nonmembers``; for
        ``auroc``, ``tpr@0.01`` and every other false-positive rate, ``advantage`` and ``attack_success`` the value,
        ``_lo``, ``_hi`` and ``_reason``, for rates also ``_fpr_realised``, ``_k`` and ``_n``; ``epsilon_lower``,
        ``epsilon_confidence``, ``epsilon_reason``; and ``auroc_gain`` and ``tpr_gain`` over no mask with ``_lo``,
        ``_hi`` and ``_p``; in the row that the finding rests on, ``finding_metric`` and ``finding_limit``, the lower
        limit corrected for all scores. What was not measured is NaN.
    """
    counts = {"members": result.data.positives, "nonmembers": result.data.nonmembers}
    rows = [
        {
            **_head(report, mask),
            **counts,
            **_metrics(metrics),
            **_gains(report.gains.get(mask)),
            **_found(result, report, mask),
        }
        for report in result.attacks
        for mask, metrics in report.masks.items()
    ]
    frame = pd.DataFrame(rows)
    return frame.astype({name: "string" for name in frame.columns if name.endswith(("_reason", "finding_metric"))})


def report_frame(report: AuditResult | AuditFailure) -> pd.DataFrame:
    """Lay out a report as a table.

    Returns:
        The `metrics_frame` of a result; of an error one row per problem, with ``status``, ``kind`` and ``reason``.
    """
    if isinstance(report, AuditResult):
        return metrics_frame(report)
    shown = redact(report)
    return pd.DataFrame({"status": shown.verdict.status, "kind": shown.kind, "reason": list(shown.verdict.reasons)})


def _head(report: AttackReport, mask: str) -> dict[str, object]:
    return {
        "attack": encodable(report.name),
        "kind": report.kind,
        "mask": mask,
        "level": _number(report.level),
        "order": _number(report.order),
        "passes": report.passes,
    }


def _metrics(metrics: Metrics) -> dict[str, object]:
    cells = estimate_cells("auroc", metrics.auroc)
    for fpr, rate in metrics.tpr_at_fpr.items():
        name = f"tpr@{fpr}"
        cells |= estimate_cells(name, rate)
        cells |= {f"{name}_fpr_realised": rate.fpr_realised, f"{name}_k": rate.k, f"{name}_n": rate.n}
    cells |= estimate_cells("advantage", metrics.advantage) | estimate_cells("attack_success", metrics.attack_success)
    bound = metrics.epsilon_lower
    return cells | {
        "epsilon_lower": bound.value,
        "epsilon_confidence": bound.confidence,
        "epsilon_reason": reason_text(bound.reason),
    }


def estimate_cells(name: str, found: Estimate | RateEstimate) -> dict[str, object]:
    """Lay out a value with its interval, and why they are missing or rough."""
    return {
        name: found.value,
        f"{name}_lo": found.lo,
        f"{name}_hi": found.hi,
        f"{name}_reason": reason_text(found.reason),
    }


def reason_text(reason: Fact | None) -> str | None:
    """Write why a number is missing or rough; None if there is nothing to say."""
    return None if reason is None else fact_text(reason)


def _gains(gain: Comparison | None) -> dict[str, object]:
    return {
        **difference_cells("auroc_gain", None if gain is None else gain.auroc_delta),
        **difference_cells("tpr_gain", None if gain is None else gain.tpr_delta),
    }


def difference_cells(name: str, difference: Difference | None) -> dict[str, object]:
    """Lay out a paired difference with its interval and p-value."""
    found = difference or Difference(math.nan, math.nan, math.nan, math.nan)
    return {name: found.value, f"{name}_lo": found.lo, f"{name}_hi": found.hi, f"{name}_p": found.p}


def _found(result: AuditResult, report: AttackReport, mask: str) -> dict[str, object]:
    finding = result.verdict.finding
    here = (finding.attack, finding.mask) == (report.name, mask)
    return {
        "finding_metric": finding.metric if here else None,
        "finding_limit": _number(finding.limit if here else None),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value
