"""Dataset inference: permutation tests of whether the suspects as a set score higher than the non-members.

Maini et al. 2021, arXiv:2104.10706; for diffusion models Dubinski et al. 2024, arXiv:2411.12858.
For a labelling L of the observations and a candidate c, let D_c(L) be the mean score of the suspects minus that of the
non-members. There are two one-sided statistics,

    whole         T(L) = max_c D_c(L)
    out of fold   T(L) = sum_k #S_k (mean of S_k - mean of N_k at c_k), c_k = argmax_c D_c on the folds other than k

with the suspects S_k and non-members N_k of fold k. Both p-values are by permutation: labels are permuted within each
fold, and the statistic, including the choice of the candidate, is computed again, p = (1 + #{T* >= T}) / (B + 1). They
are exact if observations are exchangeable, whatever the candidates are. The first statistic uses every image for the
choice and for the test, and has more power (``benchmarks/suspects.py``).

Differs from the papers: they learn a score on some of the suspects and test the others by Welch's t-test. Scores of K
folds share the images on which their candidates were chosen, which a test of the scores alone does not account for
(``benchmarks/out_of_fold_null.py``); Welch's p-value is reported as a description only.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.suspects.normal_scores import Floats

MAX_LABELS = 8_000_000
"""Maximum number of permuted labels in memory."""
TIE_TOLERANCE = 1e-9
"""Difference up to which statistics count as equal, since the order of sums affects their last digits."""


@dataclass(frozen=True)
class SetTest:
    """Results of the set tests.

    Attributes:
        p: P-value of the statistic on the whole.
        out_of_fold_p: P-value of the out-of-fold statistic; NaN with a single fold.
        welch_p: One-sided p-value of Welch's t-test of the out-of-fold scores, as if they were independent; NaN without
            out-of-fold scores.
        chosen: Column of the best candidate on the whole.
        chosen_by_fold: Column of each fold's candidate, in ascending order of the folds; ``chosen`` alone with a single
            fold.
        scores: ``(u,)``, scores at the candidate of each fold.
        held_out: Whether the candidate of every score was chosen without its fold (or there is only one candidate).
        constant: Whether all candidates are constant over the observations.
        permutations: Number of random permutations.
        distinct: Number of distinct labellings; infinity if it exceeds a float.
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
    """Test the hypothesis "suspects do not score higher than non-members".

    Args:
        scores: ``(u, c)``, scores of the candidates on one scale; one column if there is nothing to choose.
        is_suspect: ``(u,)``, with suspects and non-members in every fold.
        folds: ``(u,)``; all equal for a single fold.
        permutations: Number of permutations, B.
        generator: Generator of the permutations.

    Returns:
        The results; they depend on the order of the observations through the permutations.
    """
    parts = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    counts = np.array([[is_suspect[part].sum(), (~is_suspect[part]).sum()] for part in parts])
    totals = np.stack([scores[part].sum(axis=0) for part in parts])
    observed = np.stack([scores[part][is_suspect[part]].sum(axis=0) for part in parts])[None]
    whole, out_of_fold = _statistics(observed, totals, counts)
    as_large, done, chunk = np.zeros(2, dtype=np.int64), 0, max(1, MAX_LABELS // len(scores))
    # Both statistics depend on a labelling only through the suspects' sums by fold and candidate.
    while done < permutations:
        size = min(chunk, permutations - done)
        sums = np.stack([_permuted_sums(scores[part], is_suspect[part], size, generator) for part in parts], axis=1)
        permuted = _statistics(sums, totals, counts)
        for i, (drawn, actual) in enumerate(zip(permuted, (whole, out_of_fold), strict=True)):
            as_large[i] += int((drawn >= actual - TIE_TOLERANCE).sum())
        done += size
    p = (1 + as_large) / (permutations + 1)
    best = _choice(observed, totals, counts, range(len(parts)))[0]
    by_fold = [_choice(observed, totals, counts, _all_but(len(parts), k))[0] for k in range(len(parts))]
    chosen_by_fold = tuple(map(int, by_fold)) if len(parts) > 1 else (int(best),)
    held_out, fold_scores = len(parts) > 1 or scores.shape[1] == 1, np.empty(len(scores))
    for part, column in zip(parts, chosen_by_fold, strict=True):
        fold_scores[part] = scores[part, column]
    return SetTest(
        p=float(p[0]),
        out_of_fold_p=float(p[1]) if len(parts) > 1 else math.nan,
        welch_p=_welch(fold_scores, is_suspect) if held_out else math.nan,
        chosen=int(best),
        chosen_by_fold=chosen_by_fold,
        scores=fold_scores,
        held_out=held_out,
        constant=not np.ptp(scores, axis=0).any(),
        permutations=permutations,
        distinct=_count_labellings(counts),
    )


def _permuted_sums(
    scores: Floats, is_suspect: NDArray[np.bool_], size: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """``(size, c)``, sums of the scores of as many random observations as there are suspects."""
    labels = np.broadcast_to(is_suspect.astype(np.float64), (size, len(scores)))
    return np.asarray(generator.permuted(labels, axis=1) @ scores, dtype=np.float64)


def _all_but(count: int, fold: int) -> list[int]:
    return [other for other in range(count) if other != fold]


def _difference(sums: Floats, totals: Floats, counts: NDArray[np.int64], over: range | list[int]) -> Floats:
    """``(B, c)``, mean of the suspects minus mean of the non-members, over the given folds."""
    suspects, nonmembers = counts[over].sum(axis=0)
    inside = sums[:, over].sum(axis=1)
    return np.asarray(inside / suspects - (totals[over].sum(axis=0) - inside) / nonmembers)


def _choice(sums: Floats, totals: Floats, counts: NDArray[np.int64], over: range | list[int]) -> NDArray[np.int64]:
    """``(B,)``, candidate that separates best over the given folds, the first of equally good ones."""
    if not len(over):  # a single fold has no other folds to choose on
        return np.zeros(len(sums), dtype=np.int64)
    return np.asarray(np.argmax(np.round(_difference(sums, totals, counts, over), 9), axis=1))


def _statistics(sums: Floats, totals: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Both statistics, ``(B,)`` each, from the suspects' sums of scores, ``(B, folds, c)``."""
    number = len(counts)
    whole = _difference(sums, totals, counts, range(number)).max(axis=1)
    out_of_fold = np.zeros(len(sums))
    for fold in range(number if number > 1 else 0):
        column = _choice(sums, totals, counts, _all_but(number, fold))[:, None]
        difference = np.take_along_axis(_difference(sums, totals, counts, [fold]), column, axis=1)[:, 0]
        out_of_fold += counts[fold, 0] * difference
    return whole, out_of_fold


def _welch(scores: Floats, is_suspect: NDArray[np.bool_]) -> float:
    from scipy.stats import ttest_ind  # slow to import

    suspects, nonmembers = scores[is_suspect], scores[~is_suspect]
    if min(suspects.size, nonmembers.size) < 2 or np.ptp(scores) == 0:
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a set of equal scores
        return float(ttest_ind(suspects, nonmembers, equal_var=False, alternative="greater").pvalue)


def _count_labellings(counts: NDArray[np.int64]) -> float:
    """Number of labellings with these counts of suspects and non-members per fold."""
    logs = [math.lgamma(s + n + 1) - math.lgamma(s + 1) - math.lgamma(n + 1) for s, n in counts.tolist()]
    return math.exp(sum(logs)) if sum(logs) < 700 else math.inf
