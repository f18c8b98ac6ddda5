"""Scores become metrics, metrics become a verdict: numpy, SciPy and scikit-learn only.

`evaluate` measures, `compare` pairs two scores, `decide` judges, `exit_code` reports to the shell. Nothing
here knows what a model is: everything follows from scores, labels, ids and pixels.
"""

from __future__ import annotations

from privaudit.evaluation.blind import blind_scores, image_features
from privaudit.evaluation.bootstrap import Replicates, stratified_bootstrap
from privaudit.evaluation.checks import blind_check, sample_size_check
from privaudit.evaluation.conditional import ConditionalLaw, conditional_law, conditional_scores
from privaudit.evaluation.crossfit import CrossFitted, apply_choice, assign_folds, cross_fit, splits
from privaudit.evaluation.epsilon import epsilon_lower
from privaudit.evaluation.estimate import (
    Comparison,
    Difference,
    EpsilonBound,
    Estimate,
    Metrics,
    RateEstimate,
    Stratum,
)
from privaudit.evaluation.gates import Gate, parse_gates, required_fprs
from privaudit.evaluation.learned import LearnedScores, out_of_fold
from privaudit.evaluation.metrics import Evaluation, bound, compare, evaluate
from privaudit.evaluation.roc import OperatingPoint, advantage, auroc, consistent, roc_points, tpr_at_fpr
from privaudit.evaluation.strata import by_quartile, quartiles
from privaudit.evaluation.verdict import Check, Finding, GateOutcome, Verdict, decide, exit_code

__all__ = [
    "Check",
    "Comparison",
    "ConditionalLaw",
    "CrossFitted",
    "Difference",
    "EpsilonBound",
    "Estimate",
    "Evaluation",
    "Finding",
    "Gate",
    "GateOutcome",
    "LearnedScores",
    "Metrics",
    "OperatingPoint",
    "RateEstimate",
    "Replicates",
    "Stratum",
    "Verdict",
    "advantage",
    "apply_choice",
    "assign_folds",
    "auroc",
    "blind_check",
    "blind_scores",
    "bound",
    "by_quartile",
    "compare",
    "conditional_law",
    "conditional_scores",
    "consistent",
    "cross_fit",
    "decide",
    "epsilon_lower",
    "evaluate",
    "exit_code",
    "image_features",
    "out_of_fold",
    "parse_gates",
    "quartiles",
    "required_fprs",
    "roc_points",
    "sample_size_check",
    "splits",
    "stratified_bootstrap",
    "tpr_at_fpr",
]
