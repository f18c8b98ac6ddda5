"""The summary on the terminal: the finding first, the numbers below, files last."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from privaudit.evaluation.estimate import Comparison, Difference, Metrics, Stratum
from privaudit.report.canaries import canary_section
from privaudit.report.console import TABLE, standard_output
from privaudit.report.groups import group_table
from privaudit.report.numbers import interval_text, number_text
from privaudit.report.suspects import suspects_section
from privaudit.result import AttackReport, AuditResult

COLOURS = {"none": "green", "low": "yellow", "medium": "dark_orange", "high": "red", "unclear": "magenta"}
HEADLINES = {
    "none": "NO LEAK FOUND",
    "low": "LEAK FOUND: LOW",
    "medium": "LEAK FOUND: MEDIUM",
    "high": "LEAK FOUND: HIGH",
    "unclear": "INCONCLUSIVE",
}
ABOUT_SUSPECTS = {
    "none": "NO EVIDENCE OF TRAINING ON THE SUSPECTS",
    "unclear": "INCONCLUSIVE",
}
"""Headlines where membership is the question; any other level is evidence."""
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
    for section in _further_sections(result):
        out.print(section)
        out.print()
    out.print(_checks(result))
    out.print()
    out.print(_provenance(result, folder))


def _headline(result: AuditResult) -> Panel:
    finding, verdict = result.verdict.finding, result.verdict
    colour = COLOURS[finding.level]
    lines = [Text(_title(result), style=f"bold {colour}"), Text(finding.statement)]
    for gate in verdict.gates:
        lines.append(Text(f"gate {gate.gate}: {gate.status.upper()}. {gate.detail}"))
    if not verdict.gates:
        lines.append(Text("No gate was set (--fail-on), so the exit code is 0.", style="dim"))
    return Panel(Group(*lines), title=f"privaudit: {escape(Path(result.target.id).name)}", border_style=colour)


def _title(result: AuditResult) -> str:
    level = result.verdict.finding.level
    if result.data.role != "suspects":
        return HEADLINES[level]
    flagged = max(result.suspects.flagged.values()) if result.suspects is not None else 0
    if level == "none" and flagged:
        return f"NO EVIDENCE FROM THE SUSPECTS AS A SET, {flagged} FLAGGED SINGLY"
    return ABOUT_SUSPECTS.get(level, "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS")


def _further_sections(result: AuditResult) -> list[RenderableType]:
    """What only some audits have: groups, suspects, canaries."""
    sections: list[RenderableType] = []
    if any(report.groups for report in result.attacks):
        sections.append(group_table(result))
    if result.suspects is not None:
        sections.append(suspects_section(result.suspects, stated=result.data.role != "suspects"))
    if result.canaries is not None:
        stated = result.canaries.statement in result.verdict.finding.statement
        sections.append(canary_section(result.canaries, stated=not stated))
    return sections


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
    further = [interval_text(metrics.advantage), number_text(metrics.epsilon_lower.value)] if wide else []
    return [interval_text(metrics.auroc), *rates, *further]


def _how_chosen(report: AttackReport) -> list[str]:
    """What stands below the name of an attack."""
    lines = [f" {report.axis} {_levels(report)}"] if report.levels_by_fold else []
    return [*lines, f" order {report.order:g}"] if report.order is not None else lines


def _levels(report: AttackReport) -> str:
    return "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))


def _mask_table(result: AuditResult) -> Table:
    dropped = result.config.get("drop", 0.4)
    shares = [f"{share:.0%}" for share in (dropped if isinstance(dropped, list) else [dropped])]
    drop = shares[0] if len(shares) == 1 else f"{', '.join(shares[:-1])} or {shares[-1]}, as chosen for each fold,"
    table = Table(
        Column("attack", overflow="fold"),
        "mask",
        "AUROC gain",
        "p",
        "TPR@1%FPR gain",
        "p",
        title=f"Gain of each mask over no mask, same images ({drop} dropped by random and influence)",
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
        *(Column(name, no_wrap=True) for name in ("lowest", "second", "third", "highest")),
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


NAMES = {"members": "members", "canaries": "included canaries", "suspects": "suspects"}


def _images(result: AuditResult) -> str:
    data = result.data
    beside = f", {data.suspects} suspects" if data.suspects and data.role != "suspects" else ""
    near = f", {data.near_duplicates} near-duplicate pairs kept together" if data.near_duplicates else ""
    return (
        f"images  {data.members} {NAMES[data.role]}, {data.nonmembers} non-members{beside}, "
        f"{data.duplicates_removed} duplicates removed{near}, {len(data.skipped)} skipped"
    )


def _chosen(result: AuditResult) -> list[str]:
    """One line a choice: what each fold took, out of what."""
    lines = []
    for report in result.attacks:
        for choice in report.choices:
            taken = Counter(_label(label) for label in choice.by_fold)
            folds = ", ".join(f"{label} ({count})" if len(taken) > 1 else label for label, count in taken.items())
            lines.append(f"{report.name}: {choice.what} {folds} out of {len(choice.search_space)}, by {choice.seen}")
    return lines


def _label(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _provenance(result: AuditResult, folder: Path) -> Group:
    target, config, hardware = result.target, result.config, result.hardware
    seconds = ", ".join(f"{stage} {value:.0f} s" for stage, value in result.timing.items() if value >= 0.5)
    lines = [
        f"target  {target.family}, {target.prediction_type}, latents {'x'.join(map(str, target.latent_shape))}, "
        f"hash {target.hash[:12]}",
        _images(result),
        f"how     attack at the {config['attack_latents']} latents, geometry at the {config['geometry_latents']} "
        f"latents ({_how_influence(config)}), levels {_how_levels(result)}, seed {config['seed']}",
        *(f"{'' if number else 'chosen':8}{line}" for number, line in enumerate(_chosen(result))),
        f"on      {hardware['device']}, {hardware['cores']} cores, torch {hardware['torch']}; "
        f"{sum(result.timing.values()):.0f} s: {seconds}",
        f"files   {', '.join(str(folder / name) for name in _files(result))}",
    ]
    return Group(Text("What was run", style="italic"), *(Text(line) for line in lines))


def _files(result: AuditResult) -> list[str]:
    return ["report.json", "scores/scores.parquet", *(["suspects.csv"] if result.suspects is not None else [])]


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


def _difference(difference: Difference) -> str:
    if math.isnan(difference.value):
        return "n/a"
    return f"{number_text(difference.value, '+')} [{number_text(difference.lo, '+')},{number_text(difference.hi, '+')}]"


def _p(difference: Difference) -> str:
    if math.isnan(difference.p):
        return "n/a"
    return f"{difference.p:.3f}" if difference.p >= 0.0005 else "<.001"


def _stratum(stratum: Stratum) -> str:
    return interval_text(stratum.auroc)
