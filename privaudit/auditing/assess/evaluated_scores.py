"""Metrics of all scores of an audit, from one set of bootstrap replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.assess.attack_scores import ReportEntry
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions
from privaudit.evaluation import Evaluation, evaluate
from privaudit.evaluation.curves import RocCurve, roc_curves
from privaudit.evaluation.finding import PERFECT, TESTED_MASKS, Pair, perfect_scores
from privaudit.evaluation.gates import Gate, required_fprs
from privaudit.evaluation.intervals import enough_replicates

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluatedScores:
    """Metrics of all scores of an audit.

    Attributes:
        evaluation: Metrics of every attack and mask, and of the blind baseline.
        perfect: Metrics of error-free scores on the same images, the best possible result.
        scores: Attack and mask of each score.
        learned: Names of the attacks and scorers whose scores learn from the labels.
        blind: The same for the blind baseline, as `privaudit.evaluation.checks.BLIND` and family.
        fprs: False-positive rates that were evaluated.
        curves: ROC curve of each score, including the blind baseline.
        strongest: Published attack with the largest unmasked AUROC; None without any.
    """

    evaluation: Evaluation[Pair]
    perfect: Evaluation[Pair]
    scores: tuple[Pair, ...]
    learned: tuple[str, ...]
    blind: tuple[Pair, ...]
    fprs: tuple[float, ...]
    curves: Mapping[Pair, RocCurve]
    strongest: str | None

    @property
    def verdict_scores(self) -> tuple[Pair, ...]:
        """Scores that the verdict is based on."""
        return tuple(pair for pair in self.scores if pair[1] in TESTED_MASKS)

    @property
    def directed_scores(self) -> tuple[Pair, ...]:
        """Those of them that learn nothing from the labels, so that their direction is that of the attack."""
        return tuple(pair for pair in self.verdict_scores if pair[0] not in self.learned)


def evaluate_scores(
    entries: Sequence[ReportEntry],
    blind: Mapping[Pair, Floats],
    data: AuditData,
    split: Split,
    options: AuditOptions,
    gates: Sequence[Gate],
) -> EvaluatedScores:
    """Evaluate all scores on the same bootstrap replicates, so that any two of them can be compared.

    Args:
        entries: Scores of the attacks.
        blind: Scores of the blind baseline, by `privaudit.evaluation.checks.BLIND` and family.
        data: The image sets.
        split: Folds and units of the images.
        options: Options of the audit.
        gates: Gates that will be tested.

    Returns:
        The metrics.
    """
    is_member, fprs = data.is_positive, required_fprs(gates)
    scores = {(entry.name, mask): values for entry in entries for mask, values in entry.scores.items()}
    # the finding tests every score twice (AUROC and TPR), gates test it once each
    tests = max(2, len(gates)) * sum(mask in TESTED_MASKS for _, mask in scores)
    measure = partial(
        evaluate,
        is_member=is_member,
        folds=split.folds,
        fprs=fprs,
        replicates=enough_replicates(options.replicates, options.confidence, tests),
        confidence=options.confidence,
        seed=options.seed,
        units=split.labels,
    )
    spreads = {(entry.name, mask): entry.spread for entry in entries for mask in entry.scores}
    measured = {**scores, **blind}
    evaluation = measure(measured, learned=list(blind), inflation=spreads)
    unmasked = [(entry.name, "none") for entry in entries]
    return EvaluatedScores(
        evaluation=evaluation,
        perfect=measure({PERFECT: perfect_scores(is_member)}),
        scores=tuple(scores),
        learned=tuple(entry.name for entry in entries if entry.kind == "learned" or entry.learners),
        blind=tuple(blind),
        fprs=fprs,
        curves=roc_curves(evaluation, measured, is_member, limited=unmasked, seed=options.seed, units=split.labels),
        strongest=max(
            (entry.name for entry in entries if entry.kind == "published"),
            key=lambda name: evaluation.metrics[name, "none"].auroc.value,
            default=None,
        ),
    )
