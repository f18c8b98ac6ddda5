"""Tables of a result: every number with its interval, for pandas, Parquet and CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

import pandas as pd

from privaudit.errors import ResultError
from privaudit.escape import encodable
from privaudit.evaluation.estimate import Comparison, Difference, Estimate, Metrics, RateEstimate
from privaudit.report.redact import redact
from privaudit.report.sentences.fact_text import reason_text
from privaudit.report.sentences.verdict_text import check_text, gate_reason
from privaudit.results.audit_result import AuditFailure, AuditResult


def metrics_frame(result: AuditResult) -> pd.DataFrame:
    """Tabulate all metrics, one row per attack and mask.

    Returns:
        Columns ``attack``, ``kind``, ``mask``, ``level``, ``order``, ``passes``, ``members``, ``nonmembers``; for
        ``auroc``, ``tpr@0.01`` and every other false-positive rate, ``advantage`` and ``attack_success`` the value,
        ``_lo``, ``_hi`` and ``_reason``, for rates also ``_fpr_realised``, ``_k`` and ``_n``; ``epsilon_lower``,
        ``epsilon_confidence``, ``epsilon_reason``; and ``auroc_gain`` and ``tpr_gain`` over no mask with ``_lo``,
        ``_hi`` and ``_p``; in the row of the score that the finding rests on, ``finding_metric`` and
        ``finding_limit``, the lower limit corrected for all scores. What was not measured is NaN.
    """
    finding, rows = result.verdict.finding, []
    for report in result.attacks:
        for mask, metrics in report.masks.items():
            chosen, gain = (finding.attack, finding.mask) == (report.name, mask), report.gains.get(mask)
            rows.append({
                "attack": encodable(report.name),
                "kind": report.kind,
                "mask": mask,
                "level": _number(report.level),
                "order": _number(report.order),
                "passes": report.passes,
                "members": result.data.positives,
                "nonmembers": result.data.nonmembers,
                **_metrics(metrics),
                **_difference("auroc_gain", None if gain is None else gain.auroc_delta),
                **_difference("tpr_gain", None if gain is None else gain.tpr_delta),
                "finding_metric": finding.metric if chosen else None,
                "finding_limit": _number(finding.limit if chosen else None),
            })
    frame = pd.DataFrame(rows)
    # A column without any text would otherwise be of floats, and files of two runs would differ in their types.
    return frame.astype({name: "string" for name in frame.columns if name.endswith(("_reason", "finding_metric"))})


def report_frame(report: AuditResult | AuditFailure) -> pd.DataFrame:
    """Tabulate a report: the metrics of a result, or one row per problem with ``status``, ``kind`` and ``reason``."""
    if isinstance(report, AuditResult):
        return metrics_frame(report)
    shown = redact(report)
    return pd.DataFrame({"status": shown.verdict.status, "kind": shown.kind, "reason": list(shown.verdict.reasons)})


def _metrics(metrics: Metrics) -> dict[str, object]:
    cells = _estimate("auroc", metrics.auroc)
    for fpr, rate in metrics.tpr_at_fpr.items():
        name = f"tpr@{fpr}"
        cells |= _estimate(name, rate)
        cells |= {f"{name}_fpr_realised": rate.fpr_realised, f"{name}_k": rate.k, f"{name}_n": rate.n}
    cells |= _estimate("advantage", metrics.advantage) | _estimate("attack_success", metrics.attack_success)
    bound = metrics.epsilon_lower
    return cells | {
        "epsilon_lower": bound.value,
        "epsilon_confidence": bound.confidence,
        "epsilon_reason": reason_text(bound.reason),
    }


def _estimate(name: str, estimate: Estimate | RateEstimate) -> dict[str, object]:
    return dict(zip(_columns(name), _values(estimate), strict=True))


def _difference(name: str, difference: Difference | None) -> dict[str, object]:
    shown = difference or Difference(math.nan, math.nan, math.nan, math.nan)
    return {name: shown.value, f"{name}_lo": shown.lo, f"{name}_hi": shown.hi, f"{name}_p": shown.p}


def _values(estimate: Estimate | RateEstimate) -> tuple[object, ...]:
    return estimate.value, estimate.lo, estimate.hi, reason_text(estimate.reason)


def _paired_values(difference: Difference) -> tuple[object, ...]:
    return difference.value, difference.lo, difference.hi, difference.p, reason_text(difference.reason)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


Kind = Literal["metrics", "comparisons", "quartiles", "groups", "levels", "curves", "histograms", "checks", "gates"]
Rows: TypeAlias = Iterator[tuple[object, ...]]
"""Values in the order of the columns of a table."""


def frame(result: AuditResult, kind: Kind = "metrics") -> pd.DataFrame:
    """Tabulate a part of a result.

    Args:
        result: Result of an audit.
        kind: ``metrics``, one row per attack and mask; ``comparisons``, paired on the same images, one row per score
            and what it is compared with; ``quartiles`` of distortion and ``groups``, one row per attack and part of the
            images; ``levels``, one row per attack, level and mask; ``curves``, one row per point of a ROC curve;
            ``histograms``, one row per bin; ``checks`` and ``gates``, one row each.

    Returns:
        The table, with all its columns even if it has no row. Numbers that could not be measured are NaN, and the
        ``reason`` next to them says why.

    Raises:
        ResultError: There is no such kind.
    """
    if kind == "metrics":
        return metrics_frame(result)
    if kind not in TABLES:
        raise ResultError(f"expected a kind of table (metrics, {', '.join(TABLES)}), got {kind!r}")
    columns, rows = TABLES[kind]
    return pd.DataFrame(list(rows(result)), columns=list(columns))


def _columns(name: str, *, paired: bool = False) -> tuple[str, ...]:
    return (name, f"{name}_lo", f"{name}_hi", *([f"{name}_p"] if paired else []), f"{name}_reason")


def _comparisons(result: AuditResult) -> Rows:
    for report in result.attacks:
        compared: list[tuple[str, str, Comparison | None]] = [
            *((mask, report.name, gain) for mask, gain in report.gains.items()),
            ("none", report.best_published or "", report.versus_published),
        ]
        for mask, baseline, gain in compared:
            if gain is not None:
                gains = (*_paired_values(gain.auroc_delta), *_paired_values(gain.tpr_delta))
                yield report.name, mask, baseline, "none", *gains


def _quartiles(result: AuditResult) -> Rows:
    for report in result.attacks:
        for number, stratum in enumerate(report.distortion_quartiles, start=1):
            place = (report.name, number, stratum.lower, stratum.upper, stratum.members, stratum.nonmembers)
            yield *place, *_values(stratum.auroc)


def _groups(result: AuditResult) -> Rows:
    for report in result.attacks:
        for group in report.groups:
            tpr = (math.nan,) * 4 if group.tpr is None else _values(group.tpr)
            place = (report.name, group.name, group.members, group.nonmembers, group.against)
            yield *place, *_values(group.auroc), *tpr


def _levels(result: AuditResult) -> Rows:
    for report in result.attacks:
        for level in report.levels:
            for mask, auroc in level.auroc.items():
                yield report.name, level.level, level.log_snr, mask, *_values(auroc)


def _curves(result: AuditResult) -> Rows:
    for report in result.attacks:
        for mask, curve in report.curves.items():
            for point in zip(curve.fpr, curve.tpr, curve.lo, curve.hi, strict=True):
                yield report.name, mask, *point


def _histograms(result: AuditResult) -> Rows:
    for report in result.attacks:
        for mask, histogram in report.histograms.items():
            edges = zip(histogram.edges, histogram.edges[1:], strict=False)  # one edge more than bins
            for bounds, members, nonmembers in zip(edges, histogram.members, histogram.nonmembers, strict=True):
                yield report.name, mask, *bounds, members, nonmembers


def _checks(result: AuditResult) -> Rows:
    return ((check.name, check.status, check_text(check, result.data)) for check in result.checks)


def _gates(result: AuditResult) -> Rows:
    return ((outcome.gate, outcome.status, gate_reason(outcome, result)) for outcome in result.verdict.gates)


SIZES = ("members", "nonmembers")
GAINS = (*_columns("auroc_gain", paired=True), *_columns("tpr_gain", paired=True))
TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[AuditResult], Rows]]] = {
    "comparisons": (("attack", "mask", "baseline_attack", "baseline_mask", *GAINS), _comparisons),
    "quartiles": (("attack", "quartile", "lower", "upper", *SIZES, *_columns("auroc")), _quartiles),
    "groups": (("attack", "group", *SIZES, "against", *_columns("auroc"), *_columns("tpr")), _groups),
    "levels": (("attack", "level", "log_snr", "mask", *_columns("auroc")), _levels),
    "curves": (("attack", "mask", "fpr", "tpr", "tpr_lo", "tpr_hi"), _curves),
    "histograms": (("attack", "mask", "lower", "upper", *SIZES), _histograms),
    "checks": (("check", "status", "detail"), _checks),
    "gates": (("gate", "status", "detail"), _gates),
}
"""Columns and rows of each kind of table but ``metrics``, whose columns depend on the result."""
