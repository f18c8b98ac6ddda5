"""Dataset inference: whether the suspects as a set score higher than the non-members.

Maini et al. 2021, arXiv:2104.10706; for diffusion models Dubinski et al. 2024, arXiv:2411.12858.
For a labelling L of the observations and a candidate c, D_c(L) is the mean score of the suspects minus that of the
non-members. Two one-sided statistics:

    whole         T(L) = max_c D_c(L)
    out of fold   T(L) = sum_k #S_k (mean of S_k - mean of N_k at c_k), c_k = argmax_c D_c on the folds other than k

Both p-values are by permutation: labels are assigned anew within each fold and everything, the choice included, is done
again, p = (1 + #{T* >= T}) / (B + 1). Exact if observations are exchangeable, whatever the candidates are. The first
uses every image for the choice and for the test, and finds more (``benchmarks/suspects.py``).

Differs from the papers: they learn a score on some of the suspects and test the others by Welch's t-test. Scores of
K folds share the images that they were chosen on, which a test of the scores alone does not see
(``benchmarks/out_of_fold_null.py``); Welch's p-value is given as a description.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.suspects.normal_scores import Floats

HELD_AT_ONCE = 8_000_000
"""Labels that are held in memory at a time."""
ROUNDING = 1e-9
"""Statistics closer than this are equal, which only sums in another order would tell apart."""


@dataclass(frozen=True)
class SetTest:
    """Outcome of the tests.

    Attributes:
        p: P-value of the best candidate on the whole.
        out_of_fold_p: P-value of candidates chosen on other folds; NaN with one fold.
        welch_p: One-sided, of the out-of-fold scores as if they were independent; NaN where there are none.
        chosen: Column of the best candidate on the whole.
        chosen_by_fold: Column of each fold, in ascending order; ``chosen`` alone with one fold.
        scores: ``(u,)``, at the candidate of each fold.
        held_out: Whether no score comes from a candidate that its own image helped to choose.
        constant: Whether no candidate tells any two observations apart.
        permutations: Number that were drawn.
        distinct: Number of labellings; infinity if more than a float can hold.
    """

    p: float
    out_of_fold_p: float
    welch_p: float
    chosen: int
    chosen_by_fold: tuple[int, ...]
    scores: Floats
    held_out: bool
    constant: bool
    permutations: int
    distinct: float


def set_test(
    scores: Floats,
    is_suspect: NDArray[np.bool_],
    folds: NDArray[np.int64],
    permutations: int,
    generator: np.random.Generator,
) -> SetTest:
    """Test "suspects do not score higher than non-members".

    Args:
        scores: ``(u, c)``, candidates on one scale; one column if there is nothing to choose.
        is_suspect: ``(u,)``, some of each in every fold.
        folds: ``(u,)``; all equal for a single fold.
        permutations: B.
        generator: Deals the labels.

    Returns:
        The outcome; it depends on the order of the observations through the labels that are assigned to them.
    """
    parts = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    counts = np.array([[is_suspect[part].sum(), (~is_suspect[part]).sum()] for part in parts])
    totals = np.stack([scores[part].sum(axis=0) for part in parts])
    observed = np.stack([scores[part][is_suspect[part]].sum(axis=0) for part in parts])[None]
    whole, out_of_fold = _statistics(observed, totals, counts)
    reached, done, held = np.zeros(2, dtype=np.int64), 0, max(1, HELD_AT_ONCE // len(scores))
    while done < permutations:
        size = min(held, permutations - done)
        sums = np.stack([_permuted_sums(scores[part], is_suspect[part], size, generator) for part in parts], axis=1)
        for i, (drawn, found) in enumerate(zip(_statistics(sums, totals, counts), (whole, out_of_fold), strict=True)):
            reached[i] += int((drawn >= found - ROUNDING).sum())
        done += size
    p = (1 + reached) / (permutations + 1)
    best = _choice(observed, totals, counts, range(len(parts)))[0]
    by_fold = [_choice(observed, totals, counts, _others(len(parts), k))[0] for k in range(len(parts))]
    chosen_by_fold = tuple(map(int, by_fold)) if len(parts) > 1 else (int(best),)
    held_out, own = len(parts) > 1 or scores.shape[1] == 1, np.empty(len(scores))
    for part, column in zip(parts, chosen_by_fold, strict=True):
        own[part] = scores[part, column]
    return SetTest(
        p=float(p[0]),
        out_of_fold_p=float(p[1]) if len(parts) > 1 else math.nan,
        welch_p=_welch(own, is_suspect) if held_out else math.nan,
        chosen=int(best),
        chosen_by_fold=chosen_by_fold,
        scores=own,
        held_out=held_out,
        constant=not np.ptp(scores, axis=0).any(),
        permutations=permutations,
        distinct=_labellings(counts),
    )


def _permuted_sums(
    scores: Floats, is_suspect: NDArray[np.bool_], size: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """``(size, c)``, sums over as many suspects as there are, drawn at random."""
    labels = np.broadcast_to(is_suspect.astype(np.float64), (size, len(scores)))
    return np.asarray(generator.permuted(labels, axis=1) @ scores, dtype=np.float64)


def _others(count: int, fold: int) -> list[int]:
    return [other for other in range(count) if other != fold]


def _difference(sums: Floats, totals: Floats, counts: NDArray[np.int64], over: range | list[int]) -> Floats:
    """``(B, c)``: mean of the suspects minus mean of the non-members, in some of the folds."""
    suspects, nonmembers = counts[over].sum(axis=0)
    inside = sums[:, over].sum(axis=1)
    return np.asarray(inside / suspects - (totals[over].sum(axis=0) - inside) / nonmembers)


def _choice(sums: Floats, totals: Floats, counts: NDArray[np.int64], over: range | list[int]) -> NDArray[np.int64]:
    """``(B,)``, the candidate that separates best in some of the folds, the first of equally good ones."""
    if not len(over):
        return np.zeros(len(sums), dtype=np.int64)
    return np.asarray(np.argmax(np.round(_difference(sums, totals, counts, over), 9), axis=1))


def _statistics(sums: Floats, totals: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Both statistics, ``(B,)`` each, from the suspects' sums ``(B, folds, c)``."""
    number = len(counts)
    whole = _difference(sums, totals, counts, range(number)).max(axis=1)
    out_of_fold = np.zeros(len(sums))
    for fold in range(number if number > 1 else 0):
        column = _choice(sums, totals, counts, _others(number, fold))[:, None]
        here = np.take_along_axis(_difference(sums, totals, counts, [fold]), column, axis=1)[:, 0]
        out_of_fold += counts[fold, 0] * here
    return whole, out_of_fold


def _welch(scores: Floats, is_suspect: NDArray[np.bool_]) -> float:
    from scipy.stats import ttest_ind  # slow to import

    suspects, nonmembers = scores[is_suspect], scores[~is_suspect]
    if min(suspects.size, nonmembers.size) < 2 or np.ptp(scores) == 0:
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a set without spread
        return float(ttest_ind(suspects, nonmembers, equal_var=False, alternative="greater").pvalue)


def _labellings(counts: NDArray[np.int64]) -> float:
    logs = [math.lgamma(s + n + 1) - math.lgamma(s + 1) - math.lgamma(n + 1) for s, n in counts.tolist()]
    return math.exp(sum(logs)) if sum(logs) < 700 else math.inf
