"""Reports of single attacks, or of scores combined from attacks, under every mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.auditing.assess.attack_scores import ReportEntry
from privaudit.auditing.assess.evaluated_scores import EvaluatedScores
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions
from privaudit.escape import encodable
from privaudit.evaluation import Comparison, by_group, by_quartile, compare
from privaudit.evaluation.curves import histogram
from privaudit.evaluation.delong import auroc_estimate
from privaudit.model.schedule import Schedule
from privaudit.results.audit_result import AttackReport, LevelReport


@dataclass(frozen=True)
class Reporter:
    """Makes the lines of a report from what they share.

    Attributes:
        evaluated: Metrics of every entry under every mask.
        data: The image sets.
        split: Units of images that belong together, and folds.
        options: Options of the audit.
        schedule: Noise schedule of the target.
        passes: Denoiser passes per image, by line of the report.
        distortion: Hadamard's bound of the distortion, ``(n,)``.
    """

    evaluated: EvaluatedScores
    data: AuditData
    split: Split
    options: AuditOptions
    schedule: Schedule
    passes: Mapping[str, int]
    distortion: NDArray[np.float64]

    def report(self, entry: ReportEntry) -> AttackReport:
        """Report one entry."""
        none, best, evaluation = (entry.name, "none"), self.evaluated.strongest, self.evaluated.evaluation
        is_member = self.data.is_positive

        def against_none(mask: str) -> Comparison | None:
            return compare(evaluation, (entry.name, mask), none) if mask in entry.scores else None

        is_level = entry.axis == "level" and entry.level is not None
        is_compared = entry.kind != "published" and best is not None
        groups = [sample.group for sample in self.data.compared]
        return AttackReport(
            name=entry.name,
            kind=entry.kind,
            reference=entry.reference,
            level=entry.level,
            log_snr=_log_snr(self.schedule, int(entry.level)) if is_level and entry.level is not None else None,
            axis=entry.axis,
            levels_by_fold=entry.levels_by_fold,
            search_space=entry.search_space,
            choices=entry.choices,
            order=entry.order,
            parameters=entry.parameters,
            passes=self.passes.get(entry.report_name, 0),
            learners=entry.learners,
            latents=self.options.attack_latents,
            masks={mask: evaluation.metrics[entry.name, mask] for mask in entry.scores},
            random_vs_none=against_none("random"),
            influence_vs_none=against_none("influence"),
            weighted_vs_none=against_none("weighted"),
            best_published=best if is_compared else None,
            versus_published=compare(evaluation, none, (best, "none")) if best is not None and is_compared else None,
            distortion_quartiles=by_quartile(
                self.distortion,
                entry.scores["none"],
                is_member,
                confidence=self.options.confidence,
                units=self.split.labels,
            ),
            groups=by_group(groups, entry.scores["none"], is_member, confidence=self.options.confidence)
            if any(groups)
            else (),
            curves={mask: self.evaluated.curves[entry.name, mask] for mask in entry.scores},
            histograms={mask: histogram(values, is_member) for mask, values in entry.scores.items()},
            levels=tuple(self._level(entry, column, is_member) for column in range(len(entry.levels))),
            spread=entry.spread,
        )

    def _level(self, entry: ReportEntry, column: int, is_member: NDArray[np.bool_]) -> LevelReport:
        confidence, units = self.options.confidence, self.split.labels
        level = entry.levels[column]
        areas = {
            mask: auroc_estimate(values[:, column], is_member, confidence, units)
            for mask, values in entry.columns.items()
        }
        return LevelReport(level, _log_snr(self.schedule, int(level)), areas)


def score_table(data: AuditData, entries: Sequence[ReportEntry]) -> pd.DataFrame:
    """Make the table ``scores.parquet``, one row per image, attack and mask."""
    base = {
        "id": [s.id for s in data.compared],
        "path": [encodable(str(s.path)) for s in data.compared],
        "set": data.labels[: len(data.compared)],
    }
    tables = [
        pd.DataFrame({**base, "attack": entry.name, "mask": mask, "level": entry.level_of_image, "score": values})
        for entry in entries
        for mask, values in entry.scores.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _log_snr(schedule: Schedule, level: int) -> float | None:
    """Log SNR of a level; None without noise or without signal, since JSON has no infinity."""
    value = schedule.log_snr(level)
    return value if np.isfinite(value) else None
