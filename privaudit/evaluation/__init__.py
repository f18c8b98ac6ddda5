"""Statistical evaluation of scores: metrics with confidence limits, comparisons, checks and the verdict.

`evaluate` computes the metrics of scores, `compare` compares two scores, `decide` makes the verdict, and `exit_code` is
its exit code. Everything is computed from scores, labels, ids, pixels and file properties, without a model and without
torch: NumPy, SciPy and scikit-learn only.
"""

from privaudit.evaluation.bootstrap import Replicates, stratified_bootstrap
from privaudit.evaluation.checks import blind_check, sample_size_check
from privaudit.evaluation.choice_inflation import choice_inflation
from privaudit.evaluation.conditional import conditional_distribution, conditional_scores
from privaudit.evaluation.crossfit import assign_folds, splits
from privaudit.evaluation.delong import delong_test
from privaudit.evaluation.epsilon_bound import epsilon_lower
from privaudit.evaluation.estimate import (
    Comparison,
    Difference,
    EpsilonBound,
    Estimate,
    GroupStratum,
    Metrics,
    RateEstimate,
    Stratum,
)
from privaudit.evaluation.facts import Check, Fact, fact
from privaudit.evaluation.finding import Finding
from privaudit.evaluation.gates import Gate, parse_gates, required_fprs
from privaudit.evaluation.group_metrics import by_group
from privaudit.evaluation.learned import LearnedScores, out_of_fold
from privaudit.evaluation.metrics import Evaluation, bound, compare, evaluate
from privaudit.evaluation.rate import rate_at_threshold
from privaudit.evaluation.roc import advantage, auroc, consistent, roc_points, tpr_at_fpr
from privaudit.evaluation.selection import Candidate, Choice, Label, apply_choice, cross_fit, fold_auroc
from privaudit.evaluation.strata import by_quartile, quartiles
from privaudit.evaluation.verdict import Conclusion, GateOutcome, Verdict, decide, exit_code

__all__ = [
    "Candidate",
    "Check",
    "Choice",
    "Comparison",
    "Conclusion",
    "Difference",
    "EpsilonBound",
    "Estimate",
    "Evaluation",
    "Fact",
    "Finding",
    "Gate",
    "GateOutcome",
    "GroupStratum",
    "Label",
    "LearnedScores",
    "Metrics",
    "RateEstimate",
    "Replicates",
    "Stratum",
    "Verdict",
    "advantage",
    "apply_choice",
    "assign_folds",
    "auroc",
    "blind_check",
    "bound",
    "by_group",
    "by_quartile",
    "choice_inflation",
    "compare",
    "conditional_distribution",
    "conditional_scores",
    "consistent",
    "cross_fit",
    "decide",
    "delong_test",
    "epsilon_lower",
    "evaluate",
    "exit_code",
    "fact",
    "fold_auroc",
    "out_of_fold",
    "parse_gates",
    "quartiles",
    "rate_at_threshold",
    "required_fprs",
    "roc_points",
    "sample_size_check",
    "splits",
    "stratified_bootstrap",
    "tpr_at_fpr",
]
