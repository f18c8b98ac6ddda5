"""Variance inflation of the AUROC of a cross-fitted choice, relative to that of a fixed score.

Each fold takes the candidate that is best on the other folds, and these overlap between folds, so that the choices are
correlated. Among equally good candidates, the AUROC of the chosen score has the mean of a fixed score's but a larger
variance, which neither a rank test nor a bootstrap of the chosen scores accounts for. If one candidate is clearly best,
every fold takes it and there is no inflation (``benchmarks/selection_bias.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.delong import auroc_covariance

DRAWS = 2000
"""Number of simulated audits."""
TIE_TOLERANCE = 2.0
"""Distance from the best AUROC within which candidates count as equally good, in standard deviations of the paired
difference."""
TAILS = (0.05, 0.01)
"""Error probabilities at which the upper quantiles are compared."""


def choice_inflation(
    scores: ArrayLike, is_member: ArrayLike, folds: ArrayLike, units: ArrayLike | None = None, seed: int = 0
) -> float:
    """Simulate the variance inflation of the AUROC of a cross-fitted choice.

    Model: in fold k, which holds the fraction w_k of the images, candidate c has the AUROC a_c + e_kc, where e_k is
    normal with mean 0 and covariance S / w_k, and S is DeLong's covariance over all images. Fold k takes the candidate
    with the largest AUROC on the other folds, a_c + sum_{j != k} w_j e_jc / (1 - w_k). The simulated AUROC is
    sum_k w_k (AUROC in fold k of the candidate that it took). a_c = -max(0, A_best - A_c - `TIE_TOLERANCE` sd(A_best -
    A_c)), with A the AUROCs over all images: 0 for candidates that count as equally good.

    Args:
        scores: ``(n, candidates)``, as passed to `privaudit.evaluation.selection.cross_fit`.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        units: ``(n,)``, labels of the units drawn independently; by default every image is its own unit.
        seed: Seed of the simulation.

    Returns:
        Factor on the standard deviation of a fixed score's AUROC, at least 1: the maximum over the standard deviation
        and the upper quantiles at `TAILS` of their ratio to those of the best candidate in the same draws. 1 for a
        single candidate or a single fold.
    """
    table = np.asarray(scores, dtype=np.float64)
    weights = np.unique(np.asarray(folds), return_counts=True)[1] / len(table)
    if table.shape[1] < 2 or weights.size < 2:
        return 1.0
    candidates = auroc_covariance({str(number): column for number, column in enumerate(table.T)}, is_member, units)
    variances = np.diag(candidates.covariance)
    best = int(np.argmax(candidates.auroc))
    if not np.isfinite(variances).all() or variances[best] == 0.0:
        return 1.0
    sd_of_difference = np.sqrt(np.maximum(variances[best] + variances - 2 * candidates.covariance[best], 0.0))
    expected = -np.maximum(candidates.auroc[best] - candidates.auroc - TIE_TOLERANCE * sd_of_difference, 0.0)
    noise = _fold_noise(candidates.covariance, weights, seed)
    of_fold = weights[:, None]
    noise_elsewhere = (np.einsum("k,dkc->dc", weights, noise)[:, None] - of_fold * noise) / (1.0 - of_fold)
    chosen = np.argmax(expected + noise_elsewhere, axis=2)[..., None]
    simulated = np.take_along_axis(expected + noise, chosen, axis=2)[..., 0] @ weights
    # Scaled to the mean variance of the chosen candidates: the factor is to measure the effect of choosing, not that
    # candidates differ in variance.
    fixed = noise[..., best] @ weights * np.sqrt((variances[chosen[..., 0]] @ weights).mean() / variances[best])
    upper = [np.quantile(simulated, 1.0 - tail) / np.quantile(fixed, 1.0 - tail) for tail in TAILS]
    return max(1.0, float(simulated.std() / fixed.std()), *map(float, upper))


def _fold_noise(covariance: NDArray[np.float64], weights: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Normal errors of the AUROCs in each fold, of covariance S / w_k, ``(draws, folds, candidates)``."""
    # Not by Cholesky: candidates that rank alike make the covariance singular.
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).normal(size=(DRAWS, len(weights), len(covariance)))
    scaled: NDArray[np.float64] = drawn @ root.T / np.sqrt(weights)[:, None]
    return scaled
