"""A result as tables: every number with its interval, for pandas, Parquet and CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import pandas as pd

from privaudit.errors import ResultError
from privaudit.escape import encodable
from privaudit.evaluation.estimate import Comparison, Difference, Estimate, Metrics, RateEstimate
from privaudit.evaluation.facts import Fact
from privaudit.report.redact import redact
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.verdict_text import check_text, gate_reason
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


Kind = Literal["metrics", "comparisons", "quartiles", "groups", "levels", "curves", "histograms", "checks", "gates"]
Row: TypeAlias = dict[str, Any]


def frame(result: AuditResult, kind: Kind = "metrics") -> pd.DataFrame:
    """Lay a part of a result out as a table.

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


def _difference(name: str, found: Difference) -> Row:
    return {**difference_cells(name, found), f"{name}_reason": reason_text(found.reason)}


def _columns(name: str, *, paired: bool = False) -> tuple[str, ...]:
    return (name, f"{name}_lo", f"{name}_hi", *([f"{name}_p"] if paired else []), f"{name}_reason")


def _compared(report: AttackReport) -> Iterable[tuple[str, str, Comparison | None]]:
    """Mask of a score, attack that it is compared with (always without mask), and the difference."""
    yield from ((mask, report.name, gain) for mask, gain in report.gains.items())
    yield "none", report.best_published or "", report.versus_published


def _comparisons(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for mask, baseline, gain in _compared(report):
            if gain is not None:
                yield {
                    "attack": report.name,
                    "mask": mask,
                    "baseline_attack": baseline,
                    "baseline_mask": "none",
                    **_difference("auroc_gain", gain.auroc_delta),
                    **_difference("tpr_gain", gain.tpr_delta),
                }


def _quartiles(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for number, stratum in enumerate(report.distortion_quartiles, start=1):
            yield {
                "attack": report.name,
                "quartile": number,
                "lower": stratum.lower,
                "upper": stratum.upper,
                "members": stratum.members,
                "nonmembers": stratum.nonmembers,
                **estimate_cells("auroc", stratum.auroc),
            }


def _groups(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for group in report.groups:
            yield {
                "attack": report.name,
                "group": group.name,
                "members": group.members,
                "nonmembers": group.nonmembers,
                "against": group.against,
                **estimate_cells("auroc", group.auroc),
                **({} if group.tpr is None else estimate_cells("tpr", group.tpr)),
            }


def _levels(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for level in report.levels:
            for mask, area in level.auroc.items():
                place = {"attack": report.name, "level": level.level, "log_snr": level.log_snr, "mask": mask}
                yield {**place, **estimate_cells("auroc", area)}


def _curves(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for mask, curve in report.curves.items():
            for fpr, tpr, low, high in zip(curve.fpr, curve.tpr, curve.lo, curve.hi, strict=True):
                yield {
                    "attack": report.name,
                    "mask": mask,
                    "fpr": fpr,
                    "tpr": tpr,
                    "tpr_lo": low,
                    "tpr_hi": high,
                }


def _histograms(result: AuditResult) -> Iterator[Row]:
    for report in result.attacks:
        for mask, found in report.histograms.items():
            bins = zip(found.edges, found.edges[1:], found.members, found.nonmembers, strict=False)
            for lower, upper, members, nonmembers in bins:
                yield {
                    "attack": report.name,
                    "mask": mask,
                    "lower": lower,
                    "upper": upper,
                    "members": members,
                    "nonmembers": nonmembers,
                }


def _checks(result: AuditResult) -> Iterator[Row]:
    for check in result.checks:
        yield {"check": check.name, "status": check.status, "detail": check_text(check, result.data)}


def _gates(result: AuditResult) -> Iterator[Row]:
    for outcome in result.verdict.gates:
        yield {"gate": outcome.gate, "status": outcome.status, "detail": gate_reason(outcome, result)}


SIZES = ("members", "nonmembers")
TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[AuditResult], Iterator[Row]]]] = {
    "comparisons": (
        (
            "attack",
            "mask",
            "baseline_attack",
            "baseline_mask",
            *_columns("auroc_gain", paired=True),
            *_columns("tpr_gain", paired=True),
        ),
        _comparisons,
    ),
    "quartiles": (("attack", "quartile", "lower", "upper", *SIZES, *_columns("auroc")), _quartiles),
    "groups": (("attack", "group", *SIZES, "against", *_columns("auroc"), *_columns("tpr")), _groups),
    "levels": (("attack", "level", "log_snr", "mask", *_columns("auroc")), _levels),
    "curves": (("attack", "mask", "fpr", "tpr", "tpr_lo", "tpr_hi"), _curves),
    "histograms": (("attack", "mask", "lower", "upper", *SIZES), _histograms),
    "checks": (("check", "status", "detail"), _checks),
    "gates": (("gate", "status", "detail"), _gates),
}
"""By kind: all columns, and what makes the rows. ``metrics`` has a file of its own, which reports share."""
