"""Conformal p-values of single images, each at the candidate that would be chosen if the image were a non-member.

The candidate that best separates suspects from non-members is chosen with the labels, which favours the suspects. For
suspect i the choice is therefore repeated with i among the non-members:

    c_i = argmax_c mean(S without i) - mean(N with i),    p_i = (1 + #{j in N: s_j(c_i) >= s_i(c_i)}) / (n + 1)

If i is exchangeable with the n non-members, c_i is a symmetric function of these n + 1 images, and P(p_i <= a) <= a for
every a, whatever the other suspects are ("full" conformal prediction, Vovk, Gammerman and Shafer 2005). Ties count
against i.

Groups: the whole group of i is moved to the non-members, and each group of non-members counts once,
p_i = (1 + sum_j [s_j >= s_i] / size of j's group) / (groups + 1). This is the mean of the p-values over all selections
of one image per group.

False discovery rate: the method of Benjamini and Hochberg on these p-values. For a candidate fixed beforehand, they
have the positive dependence that the method requires (Bates et al. 2023, arXiv:2104.08279). For a chosen candidate
there is no proof; ``benchmarks/suspects.py`` measures the rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.suspects.normal_scores import Floats, Observations


@dataclass(frozen=True)
class ImageTests:
    """Results of the suspect images, ``(suspects,)`` each, in the order of the images.

    Attributes:
        score: Normal score of the image at its candidate.
        p: Conformal p-value of "not a member".
        q: Smallest false discovery rate at which the image is flagged.
        candidate: Column of the candidate.
    """

    score: Floats
    p: Floats
    q: Floats
    candidate: NDArray[np.int64]

    def flagged(self, rate: float) -> int:
        """Number of images flagged at a false discovery rate."""
        return int((self.q <= rate).sum())


def image_tests(observed: Observations, is_suspect: NDArray[np.bool_]) -> ImageTests:
    """Test every suspect image against the non-members.

    Args:
        observed: Scores of the candidates on one scale; the last candidate is used if there is a single suspect
            observation.
        is_suspect: ``(u,)``, labels of the observations.

    Returns:
        Scores, p-values and q-values.
    """
    from scipy.stats import false_discovery_control  # slow to import

    chosen = _chosen(observed.units, is_suspect)
    suspects = np.flatnonzero(is_suspect[observed.unit])
    others = np.flatnonzero(~is_suspect[observed.unit])
    suspect_number = np.cumsum(is_suspect) - 1
    candidate = chosen[suspect_number[observed.unit[suspects]]]
    weight, groups = 1.0 / observed.sizes[observed.unit[others]], int((~is_suspect).sum())
    score, p = np.empty(suspects.size), np.empty(suspects.size)
    for column in np.unique(candidate):
        at_column = candidate == column
        score[at_column] = observed.images[suspects[at_column], column]
        p[at_column] = _calibrated(score[at_column], observed.images[others, column], weight, groups)
    return ImageTests(score, p, np.asarray(false_discovery_control(p)), candidate)


def smallest_p(nonmembers: int) -> float:
    """Smallest possible p-value of an image, 1 / (n + 1) for n non-members or groups of them."""
    return 1.0 / (nonmembers + 1)


def needed_on_top(suspects: int, nonmembers: int, rate: float) -> float:
    """Number of suspects that must score above all non-members for the Benjamini-Hochberg method to flag any of them.

    Returns:
        The smallest k with 1 / (n + 1) <= q k / m, for m suspects and the rate q; infinity if k exceeds m.
    """
    needed = math.ceil(suspects * smallest_p(nonmembers) / rate - 1e-9)
    return max(1, needed) if needed <= suspects else math.inf


def _chosen(units: Floats, is_suspect: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``(suspect observations,)``, candidate chosen with this observation among the non-members."""
    suspects, nonmembers = units[is_suspect], units[~is_suspect]
    if len(suspects) < 2:
        return np.full(len(suspects), units.shape[1] - 1)  # no suspects left to choose by
    suspect_mean = (suspects.sum(axis=0) - suspects) / (len(suspects) - 1)
    nonmember_mean = (nonmembers.sum(axis=0) + suspects) / (len(nonmembers) + 1)
    # Rounded, so that equally good candidates tie whatever the order of the sums.
    return np.asarray(np.argmax(np.round(suspect_mean - nonmember_mean, 9), axis=1), dtype=np.int64)


def _calibrated(scores: Floats, nonmembers: Floats, weight: Floats, groups: int) -> Floats:
    """P-values of scores against weighted non-members."""
    order = np.argsort(nonmembers)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    above = below[-1] - below[np.searchsorted(nonmembers[order], scores, side="left")]
    return np.asarray(np.minimum((1.0 + above) / (groups + 1), 1.0), dtype=np.float64)
