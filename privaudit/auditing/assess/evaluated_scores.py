"""Everything that is measured about the scores of an audit, from one set of bootstrap replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.assess.attack_scores import Entry
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions
from privaudit.evaluation import Evaluation, evaluate
from privaudit.evaluation.curves import RocCurve, roc_curves
from privaudit.evaluation.gates import Gate, required_fprs
from privaudit.evaluation.intervals import enough_replicates
from privaudit.evaluation.verdict import PERFECT, TESTED_MASKS, Pair, perfect_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluatedScores:
    """Metrics of every score, and what they are compared with.

    Attributes:
        evaluation: Metrics of every ``ATTACK/MASK`` and of the blind baseline.
        perfect: Metrics of scores without an error on the same images.
        tested: Name in `evaluation` of each attack and mask.
        verdict_scores: Names in `evaluation` of the scores that the verdict rests on.
        blind: Names in `evaluation` of the blind baseline.
        fprs: False-positive rates that were evaluated.
        curves: ROC curve by name.
        strongest: Published attack of largest unmasked AUROC; None without any.
    """

    evaluation: Evaluation
    perfect: Evaluation
    tested: Mapping[Pair, str]
    verdict_scores: tuple[str, ...]
    blind: tuple[str, ...]
    fprs: tuple[float, ...]
    curves: Mapping[str, RocCurve]
    strongest: str | None


def evaluate_scores(
    entries: Sequence[Entry],
    blind: dict[str, Floats],
    data: AuditData,
    split: Split,
    options: AuditOptions,
    gates: Sequence[Gate],
) -> EvaluatedScores:
    """Measure all scores together, so that any two of them can be compared."""
    is_member, fprs = data.is_positive, required_fprs(gates)
    tested = {(entry.name, mask): f"{entry.name}/{mask}" for entry in entries for mask in entry.scores}
    verdict_scores = tuple(name for (_, mask), name in tested.items() if mask in TESTED_MASKS)
    tests = max(2, len(gates)) * len(verdict_scores)
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
    scores = {tested[entry.name, mask]: values for entry in entries for mask, values in entry.scores.items()} | blind
    spreads = {tested[entry.name, mask]: entry.spread for entry in entries for mask in entry.scores}
    evaluation = measure(scores, learned=list(blind), spreads=spreads)
    unmasked = [f"{entry.name}/none" for entry in entries]
    return EvaluatedScores(
        evaluation=evaluation,
        perfect=measure({PERFECT: perfect_scores(is_member)}),
        tested=tested,
        verdict_scores=verdict_scores,
        blind=tuple(blind),
        fprs=fprs,
        curves=roc_curves(evaluation, scores, is_member, limited=unmasked, seed=options.seed, units=split.labels),
        strongest=max(
            (entry.name for entry in entries if entry.kind == "published"),
            key=lambda name: evaluation.metrics[f"{name}/none"].auroc.value,
            default=None,
        ),
    )
