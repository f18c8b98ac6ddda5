"""The summary on the terminal: the finding first, the numbers below, files last."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from privaudit.evaluation.estimate import Comparison, Difference, Estimate, Metrics, RateEstimate, Stratum
from privaudit.report.console import TABLE, standard_output
from privaudit.result import AttackReport, AuditResult

COLOURS = {"none": "green", "low": "yellow", "medium": "dark_orange", "high": "red", "unclear": "magenta"}
HEADLINES = {
    "none": "NO LEAK FOUND",
    "low": "LEAK FOUND: LOW",
    "medium": "LEAK FOUND: MEDIUM",
    "high": "LEAK FOUND: HIGH",
    "unclear": "INCONCLUSIVE",
}
MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def print_report(result: AuditResult, folder: Path, console: Console | None = None) -> None:
    """Print the summary of a result.

    Args:
        result: Of the audit.
        folder: The run folder, named at the end.
        console: Standard output by default.
    """
    out = console or standard_output()
    out.print(_headline(result))
    out.print()
    out.print(_attack_table(result, out.width))
    out.print()
    out.print(_mask_table(result))
    out.print()
    if any(report.versus_published for report in result.attacks):
        out.print(_versus_table(result))
        out.print()
    out.print(_quartile_table(result))
    out.print()
    out.print(_checks(result))
    out.print()
    out.print(_provenance(result, folder))


def _headline(result: AuditResult) -> Panel:
    finding, verdict = result.verdict.finding, result.verdict
    colour = COLOURS[finding.level]
    lines = [Text(HEADLINES[finding.level], style=f"bold {colour}"), Text(finding.statement)]
    for gate in verdict.gates:
        lines.append(Text(f"gate {gate.gate}: {gate.status.upper()}. {gate.detail}"))
    if not verdict.gates:
        lines.append(Text("No gate was set (--fail-on), so the exit code is 0.", style="dim"))
    return Panel(Group(*lines), title=f"privaudit: {escape(Path(result.target.id).name)}", border_style=colour)


WIDE = 104
"""Columns from which the advantage and the bound on epsilon fit."""


def _attack_table(result: AuditResult, width: int) -> Table:
    percent = f"{100 * float(result.config.get('confidence', 0.95)):g} %"
    wide = ("advantage", "epsilon >=") if width >= WIDE else ()
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        "AUROC",
        "TPR@1%FPR",
        "TPR@.1%FPR",
        *wide,
        title=f"Attacks, with {percent} intervals (chance: AUROC .5, TPR = FPR)",
        **TABLE,
    )
    for report in result.attacks:
        labels = [report.name, *_how_chosen(report)]
        rows = [(mask, *_metric_cells(metrics, wide=bool(wide))) for mask, metrics in report.masks.items()]
        for label, cells in zip_longest(labels, rows):
            mask, *others = cells or ("",)
            table.add_row(label or "", mask, *others, style="dim" if mask == "random" else None)
    return table


def _metric_cells(metrics: Metrics, *, wide: bool) -> list[str]:
    rates = (interval_text(metrics.tpr_at_fpr[fpr]) for fpr in ("0.01", "0.001"))
    further = [interval_text(metrics.advantage), _number(metrics.epsilon_lower.value)] if wide else []
    return [interval_text(metrics.auroc), *rates, *further]


def _how_chosen(report: AttackReport) -> list[str]:
    """What stands below the name of an attack."""
    lines = [f" {report.axis} {_levels(report)}"] if report.levels_by_fold else []
    return [*lines, f" order {report.order:g}"] if report.order is not None else lines


def _levels(report: AttackReport) -> str:
    return "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))


def _mask_table(result: AuditResult) -> Table:
    drop = float(result.config.get("drop", 0.4))
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        "AUROC gain",
        "p",
        "TPR@1%FPR gain",
        "p",
        title=f"Gain of each mask over no mask, same images ({drop:.0%} dropped by random and influence)",
        **TABLE,
    )
    for report in result.attacks:
        rows: list[tuple[str, Comparison | None]] = [
            ("random", report.random_vs_none),
            ("influence", report.influence_vs_none),
            ("weighted", report.weighted_vs_none),
        ]
        for mask, gain in rows:
            if gain is None:
                continue
            table.add_row(
                report.name if mask == "random" else "",
                mask,
                _difference(gain.auroc_delta),
                _p(gain.auroc_delta),
                _difference(gain.tpr_delta),
                _p(gain.tpr_delta),
                style="dim" if mask == "random" else None,
            )
    return table


def _versus_table(result: AuditResult) -> Table:
    best = next(report.best_published for report in result.attacks if report.best_published)
    table = Table(
        Column("score", overflow="fold"),
        "AUROC gain",
        "p",
        "TPR@1%FPR gain",
        "p",
        title=f"Gain over the strongest published attack, {best} without mask, same images",
        **TABLE,
    )
    for report in result.attacks:
        if (gain := report.versus_published) is not None:
            table.add_row(
                report.name,
                _difference(gain.auroc_delta),
                _p(gain.auroc_delta),
                _difference(gain.tpr_delta),
                _p(gain.tpr_delta),
            )
    return table


def _quartile_table(result: AuditResult) -> Table:
    table = Table(
        Column("attack", overflow="fold"),
        "lowest",
        "second",
        "third",
        "highest",
        title="AUROC without mask by quartile of local distortion (its upper bound 1/2 sum log G_ii)",
        **TABLE,
    )
    for report in result.attacks:
        table.add_row(report.name, *(_stratum(stratum) for stratum in report.distortion_quartiles))
    return table


def _checks(result: AuditResult) -> Group:
    lines = [Text.from_markup(f"{MARKS[c.status]} {escape(c.name)}: {escape(c.detail)}") for c in result.checks]
    lines += [Text(f"not run: {item.name} {item.reason}", style="dim") for item in result.refused]
    return Group(Text("Checks", style="italic"), *lines)


def _provenance(result: AuditResult, folder: Path) -> Group:
    data, target, config, hardware = result.data, result.target, result.config, result.hardware
    seconds = ", ".join(f"{stage} {value:.0f} s" for stage, value in result.timing.items() if value >= 0.5)
    lines = [
        f"target  {target.family}, {target.prediction_type}, latents {'x'.join(map(str, target.latent_shape))}, "
        f"hash {target.hash[:12]}",
        f"images  {data.members} members, {data.nonmembers} non-members, {data.duplicates_removed} duplicates removed, "
        f"{len(data.skipped)} skipped",
        f"how     attack at the {config['attack_latents']} latents, geometry at the {config['geometry_latents']} "
        f"latents ({_how_influence(config)}), levels {_how_levels(result)}, seed {config['seed']}",
        f"on      {hardware['device']}, {hardware['cores']} cores, torch {hardware['torch']}; "
        f"{sum(result.timing.values()):.0f} s: {seconds}",
        f"files   {folder / 'report.json'}, {folder / 'scores' / 'scores.parquet'}",
    ]
    return Group(Text("What was run", style="italic"), *(Text(line) for line in lines))


def _how_influence(config: Mapping[str, object]) -> str:
    """The estimator, and what of the masks is not the default."""
    parts = [str(config["influence"])]
    if config.get("gamma", 1.0) != 1.0:
        parts.append(f"weights to the power {config['gamma']:g}")
    if config.get("mask_scope") == "set":
        parts.append("one mask for all images")
    return ", ".join(parts)


def _how_levels(result: AuditResult) -> str:
    fixed = [len(report.search_space) == 1 for report in result.attacks if report.search_space]
    return "fixed beforehand" if all(fixed) else "by cross-fitting" + (" where there are several" if any(fixed) else "")


def _number(value: float, sign: str = "") -> str:
    """Three decimals, without the leading zero: a row has to fit into 80 columns."""
    return "n/a" if math.isnan(value) else re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}.3f}")


def interval_text(estimate: Estimate | RateEstimate) -> str:
    """Write a value with its interval: ``.843 [.826,.860]``; n/a where it could not be measured."""
    if math.isnan(estimate.value):
        return "n/a"
    return f"{_number(estimate.value)} [{_number(estimate.lo)},{_number(estimate.hi)}]"


def _difference(difference: Difference) -> str:
    if math.isnan(difference.value):
        return "n/a"
    return f"{_number(difference.value, '+')} [{_number(difference.lo, '+')},{_number(difference.hi, '+')}]"


def _p(difference: Difference) -> str:
    return "n/a" if math.isnan(difference.p) else f"{difference.p:.3f}"


def _stratum(stratum: Stratum) -> str:
    return interval_text(stratum.auroc)
