"""Tables of the metrics: all scores under all masks, gains, and metrics of parts of the images."""

from __future__ import annotations

from privaudit.evaluation.estimate import Comparison, Metrics
from privaudit.report.html.page_table import (
    Cell,
    Column,
    Row,
    Table,
    bound_cell,
    count_cell,
    difference_cells,
    estimate_cell,
    rate_cell,
    text_cell,
)
from privaudit.report.numbers import PAGE
from privaudit.report.quoted import confidence_of, exposed_groups, quoted, quoted_first
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.names import FAMILIES, QUARTILES, attack_text
from privaudit.results.audit_result import AuditResult

MASKS = {
    "none": "no mask",
    "random": "random (control)",
    "influence": "influence",
    "weighted": "weighted",
}
MAX_GROUPS = 100
"""Maximum number of rows of the table of groups, of which there may be thousands."""
QUOTED_FPR = "0.01"
"""False-positive rate that reports quote, first in every table."""


def score_table(result: AuditResult) -> Table:
    """List every attack under every mask with all its metrics, the quoted score first, then by AUROC."""
    rates = list(
        dict.fromkeys(rate for report in result.attacks for m in report.masks.values() for rate in m.tpr_at_fpr)
    )
    rates.sort(key=lambda rate: (rate != QUOTED_FPR, -float(rate)))
    # Epsilon is the last column, which suspects do not have: without known members, no score refutes any privacy.
    epsilon = [Column("Epsilon at least", "number", "epsilon")] if result.data.membership_known else []
    columns = (
        Column("Attack"),
        Column("Mask", about="mask"),
        *(Column(f"TPR at {PAGE.percent(float(rate))} FPR", "number", "tpr") for rate in rates[:1]),
        Column("AUROC", "number", "auroc"),
        *(Column(f"TPR at {PAGE.percent(float(rate))} FPR", "number", "tpr") for rate in rates[1:]),
        Column("Advantage", "number", "advantage"),
        Column("Attack success", "number", "success"),
        *epsilon,
    )
    best = quoted(result)
    rows = tuple(
        Row(
            (
                text_cell(attack_text(report.name)),
                text_cell(mask_text(mask)),
                *_metric_cells(metrics, rates)[: len(columns) - 2],
            ),
            quiet=mask == "random",
            chosen=(report.name, mask) == (best.report.name, best.mask),
        )
        for report in quoted_first(result)
        for mask, metrics in sorted(
            report.masks.items(), key=lambda m: (report.name, m[0]) != (best.report.name, best.mask)
        )
    )
    return Table("scores", f"Every attack under every mask, with {confidence_text(result)} intervals", columns, rows)


def gain_table(result: AuditResult) -> Table:
    """List what each mask gains over no mask on the same images."""
    columns = (Column("Attack"), Column("Mask", about="mask"), *_gain_columns("gain"))
    rows = tuple(
        Row(
            (text_cell(attack_text(report.name)), text_cell(mask_text(mask)), *_gain_cells(gain)),
            quiet=mask == "random",
        )
        for report in quoted_first(result)
        for mask, gain in report.gains.items()
    )
    caption = f"Gain of each mask over no mask, paired on the same images, with {confidence_text(result)} intervals"
    return Table("gains", caption, columns, rows)


def versus_table(result: AuditResult) -> Table:
    """List what unpublished scores gain over the strongest published attack."""
    rows = tuple(
        Row((
            text_cell(attack_text(report.name)),
            text_cell(attack_text(report.best_published or "")),
            *_gain_cells(report.versus_published),
        ))
        for report in quoted_first(result)
        if report.versus_published is not None
    )
    columns = (Column("Score"), Column("Against"), *_gain_columns("versus"))
    return Table(
        "versus", "Gain over the strongest published attack that was run (by AUROC), both without mask", columns, rows
    )


def quartile_table(result: AuditResult) -> Table:
    """List the AUROC by quarter of local distortion."""
    columns = (Column("Attack"), *(Column(f"{name} quarter".capitalize(), "number") for name in QUARTILES))
    rows = tuple(
        Row((
            text_cell(attack_text(report.name)),
            *(estimate_cell(stratum.auroc) for stratum in report.distortion_quartiles),
        ))
        for report in quoted_first(result)
        if len(report.distortion_quartiles) == len(QUARTILES)
    )
    return Table("quartiles", "AUROC without mask by quarter of local distortion", columns, rows)


def level_table(result: AuditResult) -> Table:
    """List the AUROC at every noise level that was compared."""
    columns = (
        Column("Attack"),
        Column("Noise level", "number"),
        Column("log SNR", "number", "snr"),
        *(Column(mask_text(mask).capitalize(), "number") for mask in MASKS),
    )
    rows = tuple(
        Row((
            text_cell(attack_text(report.name)),
            Cell(f"{level.level:g}", order=level.level),
            Cell("–") if level.log_snr is None else Cell(PAGE.number(level.log_snr, 2), order=level.log_snr),
            *(estimate_cell(level.auroc[mask]) if mask in level.auroc else Cell("–") for mask in MASKS),
        ))
        for report in quoted_first(result)
        for level in report.levels
    )
    caption = "AUROC at each noise level that was compared, by mask; these intervals take every image as independent"
    return Table("levels", caption, columns, rows)


def group_table(result: AuditResult) -> Table:
    """List how well the quoted attack does on each group of the manifests."""
    report = quoted(result).report
    groups = exposed_groups(report)
    columns = (
        Column("Group"),
        Column(words_of(result.data).positives.capitalize(), "number"),
        Column("Non-members", "number"),
        Column("AUROC", "number", "auroc"),
        Column("TPR at 1 % FPR", "number", "tpr"),
    )
    rows = tuple(
        Row((
            text_cell(group.name),
            count_cell(group.members),
            count_cell(group.nonmembers, "" if group.against == "group" else "of all groups"),
            estimate_cell(group.auroc),
            rate_cell(group.tpr, 0.01),
        ))
        for group in groups[:MAX_GROUPS]
    )
    further = f"; {len(groups) - MAX_GROUPS} more in report.json" if len(groups) > MAX_GROUPS else ""
    caption = f"{attack_text(report.name)} without mask by group, the most exposed first{further}"
    return Table("groups", caption, columns, rows)


def blind_table(result: AuditResult) -> Table:
    """List what classifiers that never see the model reach."""
    columns = (Column("Family"), Column("What it looks at"), Column("AUROC", "number", "auroc"))
    rows = tuple(
        Row(
            (text_cell(family), text_cell(FAMILIES.get(family, family)), estimate_cell(area)),
            chosen=family == result.blind.strongest,
        )
        for family, area in result.blind.families.items()
    )
    return Table("blind", "Classifiers that never see the model; the strongest is marked", columns, rows)


def mask_text(mask: str) -> str:
    """Name a mask on the page."""
    return MASKS.get(mask, mask)


def confidence_text(result: AuditResult) -> str:
    """Write the confidence of all intervals, such as ``95 %``."""
    return PAGE.percent(confidence_of(result))


def _metric_cells(metrics: Metrics, rates: list[str]) -> list[Cell]:
    reached = [rate_cell(metrics.tpr_at_fpr.get(rate), float(rate)) for rate in rates]
    return [
        *reached[:1],
        estimate_cell(metrics.auroc),
        *reached[1:],
        estimate_cell(metrics.advantage),
        estimate_cell(metrics.attack_success),
        bound_cell(metrics.epsilon_lower),
    ]


def _gain_columns(about: str) -> tuple[Column, ...]:
    p = Column("p", "number", "p")
    return Column("AUROC gain", "number", about), p, Column("TPR at 1 % FPR gain", "number", about), p


def _gain_cells(gain: Comparison | None) -> tuple[Cell, ...]:
    deltas = (gain.auroc_delta, gain.tpr_delta) if gain else (None, None)
    return tuple(cell for delta in deltas for cell in difference_cells(delta))
