"""How much wider the AUROC of a chosen score spreads than that of a fixed one.

Each fold takes the candidate that is best on the others, so that folds with luck in common choose alike: of candidates
that are equally good, the chosen score has the AUROC of a fixed one on average, but with a wider spread, which
neither a rank test nor a bootstrap of the chosen scores sees. Where one candidate is clearly best every fold takes it,
and nothing is wider (``benchmarks/selection_bias.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.evaluation.delong import auroc_covariance

DRAWS = 2000
"""Simulated audits."""
TIED = 2.0
"""Standard deviations of a difference of two AUROCs within which candidates count as equally good."""
TAILS = (0.05, 0.01)
"""Error probabilities at which a limit or a test has to be right."""


def choice_inflation(
    scores: ArrayLike, is_member: ArrayLike, folds: ArrayLike, units: ArrayLike | None = None, seed: int = 0
) -> float:
    """Simulate how far the AUROC of a cross-fitted choice spreads.

    In fold k of the share w_k of the images, candidate c has the AUROC a_c + e_kc, with e_k normal and of covariance
    S / w_k, S being DeLong's over all images. Each fold takes the largest a_c + sum_{j != k} w_j e_jc / (1 - w_k); the
    result is the mean over folds of what they took. a_c is 0, or what the candidate falls short of being within `TIED`
    standard deviations of the best one.

    Args:
        scores: ``(n, candidates)``, as of `privaudit.evaluation.selection.cross_fit`.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        units: ``(n,)``, labels of what was drawn independently; by default every image by itself.
        seed: Seed of the simulation.

    Returns:
        Factor on the standard deviation of a fixed score's AUROC, at least 1: the largest of those that the standard
        deviation and the upper quantiles of `TAILS` ask for, each against that of the best candidate in the same
        draws. 1 for a single candidate or a single fold.
    """
    table = np.asarray(scores, dtype=np.float64)
    share = np.unique(np.asarray(folds), return_counts=True)[1] / len(table)
    if table.shape[1] < 2 or share.size < 2:
        return 1.0
    found = auroc_covariance({str(number): column for number, column in enumerate(table.T)}, is_member, units)
    own = np.diag(found.covariance)
    best = int(np.argmax(found.auroc))
    if not np.isfinite(own).all() or own[best] == 0.0:
        return 1.0
    apart = np.sqrt(np.maximum(own[best] + own - 2 * found.covariance[best], 0.0))
    short = -np.maximum(found.auroc[best] - found.auroc - TIED * apart, 0.0)
    luck = _normal(found.covariance, share, seed)
    others = (np.einsum("k,dkc->dc", share, luck)[:, None] - share[:, None] * luck) / (1.0 - share[:, None])
    taken = np.argmax(short + others, axis=2)[..., None]
    areas = np.take_along_axis(short + luck, taken, axis=2)[..., 0] @ share
    fixed = luck[..., best] @ share * np.sqrt((own[taken[..., 0]] @ share).mean() / own[best])
    upper = [np.quantile(areas, 1.0 - tail) / np.quantile(fixed, 1.0 - tail) for tail in TAILS]
    return max(1.0, float(areas.std() / fixed.std()), *map(float, upper))


def _normal(covariance: NDArray[np.float64], share: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Normal numbers of a covariance, that of a fold divided by its share, ``(draws, folds, candidates)``."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).normal(size=(DRAWS, len(share), len(covariance)))
    scaled: NDArray[np.float64] = drawn @ root.T / np.sqrt(share)[:, None]
    return scaled
