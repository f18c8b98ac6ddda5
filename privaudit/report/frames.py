"""A result as tables: one row per attack, a mask, a level, whatever is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import pandas as pd

from privaudit.errors import ResultError
from privaudit.evaluation.estimate import Comparison, Difference
from privaudit.report.metrics_table import difference_cells, estimate_cells, metrics_frame, reason_text
from privaudit.report.sentences.check_text import check_text
from privaudit.report.sentences.gate_text import gate_reason
from privaudit.results.audit_result import AttackReport, AuditResult

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
