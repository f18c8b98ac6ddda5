"""Tables of the attacks; on a wide terminal, each score has all its numbers in one row."""

from __future__ import annotations

from itertools import zip_longest

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from privaudit.evaluation.estimate import Comparison
from privaudit.report.numbers import COMPACT, listed
from privaudit.report.quoted import confidence_of, exposed_groups, quoted
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import QUARTILES
from privaudit.report.terminal.console import TABLE, fitted, section
from privaudit.results.audit_result import AttackReport, AuditResult

MIN_WIDE = 104
"""Minimum columns for the advantage and the bound on epsilon."""
MIN_MERGED = 140
"""Minimum columns for the gain over no mask next to what it is a gain of."""
MIN_MERGED_WIDE = 158
"""Minimum columns for the advantage in that table, too."""
MAX_GROUPS = 12
"""Maximum number of groups; the others are in report.json."""


def attack_section(result: AuditResult, width: int) -> Group:
    """List every attack under every mask."""
    title = words_of(result.data).attacks.format(confidence=COMPACT.percent(confidence_of(result)))
    if width >= MIN_MERGED:
        title += f"; gain over no mask, same images ({_dropped(result)} dropped by random and influence)"
    table = Table(*_headings(width), **TABLE)
    for report in result.attacks:
        # The first column has the name and, below it, level and order; the other columns have a row per mask.
        labels = [report.name, *_how_chosen(report)]
        rows = [(mask, *_cells(report, mask, width)) for mask in report.masks]
        for label, cells in zip_longest(labels, rows):
            mask, *others = cells or ("",)
            table.add_row(*map(Text, (label or "", mask, *others)), style="dim" if mask == "random" else None)
    if width >= MIN_WIDE:
        return section(title, fitted(table, width))
    further = f"Advantage and epsilon are in report.json, and here if the terminal has {MIN_WIDE} columns."
    return section(title, Group(fitted(table, width), Text(further, style="dim italic")))


def gain_section(result: AuditResult, width: int) -> Group | None:
    """List what each mask gains over no mask; None if the first table has the gains, and without masks."""
    if width >= MIN_MERGED or all(report.random_vs_none is None for report in result.attacks):
        return None
    title = f"Gain of each mask over no mask, same images ({_dropped(result)} dropped by random and influence)"
    table = Table(_named("attack"), "mask", "AUROC gain", "p", "TPR@1%FPR gain", "p", **TABLE)
    for report in result.attacks:
        for mask, gain in report.gains.items():
            name = report.name if mask == "random" else ""
            table.add_row(*map(Text, (name, mask, *_gained(gain))), style="dim" if mask == "random" else None)
    return section(title, fitted(table, width))


def versus_section(result: AuditResult, width: int) -> Group | None:
    """Compare the unpublished scores with the strongest published one; None if there is nothing to compare."""
    gains = [(report, report.versus_published) for report in result.attacks if report.versus_published is not None]
    if not gains:
        return None
    best = gains[0][0].best_published
    table = Table(_named("score"), "AUROC gain", "p", "TPR@1%FPR gain", "p", **TABLE)
    for report, gain in gains:
        table.add_row(*map(Text, (report.name, *_gained(gain))))
    title = f"Gain over the strongest published attack that was run (by AUROC), {best}: no masks, same images"
    return section(title, fitted(table, width))


def quartile_section(result: AuditResult, width: int) -> Group:
    """List the AUROC of each attack by quarter of local distortion."""
    table = Table(_named("attack"), *(Column(name, no_wrap=True) for name in QUARTILES), **TABLE)
    for report in result.attacks:
        cells = (COMPACT.estimate(stratum.auroc) for stratum in report.distortion_quartiles)
        table.add_row(*map(Text, (report.name, *cells)))
    title = "AUROC without mask by quarter of local distortion (how much the decoder stretches the space)"
    return section(title, fitted(table, width))


def _named(heading: str) -> Column:
    return Column(heading, overflow="fold")


def _headings(width: int) -> list[Column | str]:
    gain: list[Column | str] = ["gain", "p"] if width >= MIN_MERGED else []
    further: list[Column | str] = ["advantage"] if _has_advantage(width) else []
    further += ["epsilon >="] if width >= MIN_WIDE else []
    return [_named("attack"), "mask", "AUROC", *gain, "TPR@1%FPR", *gain, "TPR@.1%FPR", *further]


def _has_advantage(width: int) -> bool:
    return MIN_WIDE <= width < MIN_MERGED or width >= MIN_MERGED_WIDE


def _cells(report: AttackReport, mask: str, width: int) -> list[str]:
    metrics = report.masks[mask]
    rates = [COMPACT.estimate(metrics.tpr_at_fpr[fpr]) for fpr in ("0.01", "0.001")]
    cells = [COMPACT.estimate(metrics.auroc), *rates]
    if width >= MIN_MERGED:
        gain = report.gains.get(mask)
        gained = ["", "", "", ""] if gain is None else _gained(gain)
        cells = [cells[0], *gained[:2], cells[1], *gained[2:], cells[2]]  # each gain next to what it is a gain of
    if _has_advantage(width):
        cells.append(COMPACT.estimate(metrics.advantage))
    return [*cells, COMPACT.number(metrics.epsilon_lower.value)] if width >= MIN_WIDE else cells


def _gained(gain: Comparison) -> list[str]:
    area, rate = gain.auroc_delta, gain.tpr_delta
    return [COMPACT.difference(area), COMPACT.p_value(area.p), COMPACT.difference(rate), COMPACT.p_value(rate.p)]


def _how_chosen(report: AttackReport) -> list[str]:
    """Lines below the name of an attack: its levels and its order."""
    levels = "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))
    lines = [f" {report.axis} {levels}"] if levels else []
    return [*lines, f" order {report.order:g}"] if report.order is not None else lines


def _dropped(result: AuditResult) -> str:
    drop = result.config.get("drop", 0.4)
    fractions = [COMPACT.percent(fraction) for fraction in (drop if isinstance(drop, (list, tuple)) else [drop])]
    return fractions[0] if len(fractions) == 1 else f"{listed(fractions, 'or')}, as chosen for each fold,"


def group_section(result: AuditResult, *, named: bool = True) -> Group | None:
    """List the groups on which the quoted attack does best; ``named`` says whether they have their own names."""
    if not any(report.groups for report in result.attacks):
        return None
    report = quoted(result).report
    groups = exposed_groups(report)
    further = f"; {len(groups) - MAX_GROUPS} more in report.json" if len(groups) > MAX_GROUPS else ""
    table = Table(Column("group", overflow="fold"), "members", "non-members", "AUROC", "TPR@1%FPR", **TABLE)
    for group in groups[:MAX_GROUPS]:
        rivals = f"{group.nonmembers}{'' if group.against == 'group' else ' (all)'}"
        estimates = COMPACT.estimate(group.auroc), COMPACT.estimate(group.tpr)
        table.add_row(*map(Text, (group.name, str(group.members), rivals, *estimates)))
    note = "Groups with fewer than two non-members of their own are compared with all non-members (all)."
    note += "" if named else " Groups are numbered here, since a group may be a person; report.json has the names."
    body = Group(table, Text(note, style="dim italic"))
    return section(f"{report.name} without mask by group, the most exposed first{further}", body)
