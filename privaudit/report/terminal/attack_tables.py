"""Tables of what the attacks found; a wide terminal has everything about an attack in one row."""

from __future__ import annotations

from itertools import zip_longest

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from privaudit.evaluation.estimate import Comparison, Metrics
from privaudit.report.console import TABLE, fitted, section
from privaudit.report.design_words import words_of
from privaudit.report.numbers import difference_text, interval_text, number_text, p_text, percent
from privaudit.results.audit_result import AttackReport, AuditResult

WIDE = 104
"""Columns from which the advantage and the bound on epsilon fit."""
MERGED = 140
"""Columns from which the gain over no mask fits beside what it is a gain of."""
WIDEST = 158
"""Columns from which the advantage fits there, too."""
QUARTILES = ("lowest", "second", "third", "highest")


def attack_section(result: AuditResult, width: int) -> Group:
    """List every attack under every mask."""
    confidence = percent(float(result.config.get("confidence", 0.95)))
    title = words_of(result.data).attacks.format(confidence=confidence)
    if width >= MERGED:
        title += f"; gain over no mask, same images ({_dropped(result)} dropped by random and influence)"
    table = Table(*_headings(width), **TABLE)
    for report in result.attacks:
        labels = [report.name, *_how_chosen(report)]
        rows = [(mask, *_cells(report, mask, width)) for mask in report.masks]
        for label, cells in zip_longest(labels, rows):
            mask, *others = cells or ("",)
            table.add_row(*map(Text, (label or "", mask, *others)), style="dim" if mask == "random" else None)
    return section(title, fitted(table, width))


def gain_section(result: AuditResult, width: int) -> Group | None:
    """List what each mask gains over none.

    Returns:
        A title and a table; None where the other table has it, and where there is no mask.
    """
    if width >= MERGED or all(report.random_vs_none is None for report in result.attacks):
        return None
    title = f"Gain of each mask over no mask, same images ({_dropped(result)} dropped by random and influence)"
    table = Table(_named("attack"), "mask", "AUROC gain", "p", "TPR@1%FPR gain", "p", **TABLE)
    for report in result.attacks:
        for mask, gain in report.gains.items():
            name = report.name if mask == "random" else ""
            table.add_row(*map(Text, (name, mask, *_gained(gain))), style="dim" if mask == "random" else None)
    return section(title, fitted(table, width))


def versus_section(result: AuditResult, width: int) -> Group | None:
    """Compare the scores that were not published with the strongest one that was."""
    compared = [report for report in result.attacks if report.versus_published is not None]
    if not compared:
        return None
    best = compared[0].best_published
    table = Table(_named("score"), "AUROC gain", "p", "TPR@1%FPR gain", "p", **TABLE)
    for report in compared:
        if report.versus_published is not None:
            table.add_row(*map(Text, (report.name, *_gained(report.versus_published))))
    return section(f"Gain over the strongest published attack, {best} without mask, same images", fitted(table, width))


def quartile_section(result: AuditResult, width: int) -> Group:
    """List how well each attack does by local distortion."""
    table = Table(_named("attack"), *(Column(name, no_wrap=True) for name in QUARTILES), **TABLE)
    for report in result.attacks:
        cells = (interval_text(stratum.auroc) for stratum in report.distortion_quartiles)
        table.add_row(*map(Text, (report.name, *cells)))
    return section(
        "AUROC without mask by quartile of local distortion (its upper bound 1/2 sum log G_ii)", fitted(table, width)
    )


def _named(heading: str) -> Column:
    return Column(heading, overflow="fold")


def _headings(width: int) -> list[Column | str]:
    gain: list[Column | str] = ["gain", "p"] if width >= MERGED else []
    further: list[Column | str] = ["advantage"] if WIDE <= width < MERGED or width >= WIDEST else []
    further += ["epsilon >="] if width >= WIDE else []
    return [_named("attack"), "mask", "AUROC", *gain, "TPR@1%FPR", *gain, "TPR@.1%FPR", *further]


def _cells(report: AttackReport, mask: str, width: int) -> list[str]:
    metrics: Metrics = report.masks[mask]
    area, rate, rare = (
        [interval_text(metrics.auroc)],
        [interval_text(metrics.tpr_at_fpr["0.01"])],
        interval_text(metrics.tpr_at_fpr["0.001"]),
    )
    if width >= MERGED:
        gain = report.gains.get(mask)
        gained = ["", "", "", ""] if gain is None else _gained(gain)
        area, rate = area + gained[:2], rate + gained[2:]
    cells = [*area, *rate, rare]
    if "advantage" in _headings(width):
        cells.append(interval_text(metrics.advantage))
    return [*cells, number_text(metrics.epsilon_lower.value)] if width >= WIDE else cells


def _gained(gain: Comparison) -> list[str]:
    area, rate = gain.auroc_delta, gain.tpr_delta
    return [difference_text(area), p_text(area.p), difference_text(rate), p_text(rate.p)]


def _how_chosen(report: AttackReport) -> list[str]:
    """What stands below the name of an attack."""
    levels = "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))
    lines = [f" {report.axis} {levels}"] if levels else []
    return [*lines, f" order {report.order:g}"] if report.order is not None else lines


def _dropped(result: AuditResult) -> str:
    drop = result.config.get("drop", 0.4)
    shares = [percent(share) for share in (drop if isinstance(drop, (list, tuple)) else [drop])]
    return shares[0] if len(shares) == 1 else f"{', '.join(shares[:-1])} or {shares[-1]}, as chosen for each fold,"
