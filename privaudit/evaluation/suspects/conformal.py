"""A calibrated p-value for each image, at the candidate that would be chosen if it were a non-member.

The best candidate of suspects against non-members is chosen with the labels, so the suspects are favoured by it. For
suspect i the choice is therefore made once more with i among the non-members:

    c_i = argmax_c mean(S without i) - mean(N with i),    p_i = (1 + #{j in N: s_j(c_i) >= s_i(c_i)}) / (n + 1)

If i is exchangeable with the non-members, c_i does not know which of the n + 1 images it is, and P(p_i <= a) <= a for
every a, in full resolution and whatever the other suspects are ("full" conformal prediction, Vovk, Gammerman and
Shafer 2005). Ties count against i.

Groups: the whole group of i changes sides, and of the non-members each group counts once,
p_i = (1 + sum_j [s_j >= s_i] / size of j's group) / (groups + 1). That is the mean of the p-values over the ways to
keep one image per group.

False discovery rate: Benjamini and Hochberg's method on these p-values. With a candidate fixed beforehand they are
positively dependent in the sense that the method needs (Bates et al. 2023, arXiv:2104.08279); with a chosen one there
is no proof, and ``benchmarks/suspects.py`` measures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.suspects.normal_scores import Floats, Observations


@dataclass(frozen=True)
class ImageTests:
    """One entry per suspect image, in the order of the images.

    Attributes:
        score: Normal score at the candidate of the image.
        p: Calibrated against the non-members.
        q: Smallest false discovery rate at which the image is flagged.
        candidate: Column that the score came from.
    """

    score: Floats
    p: Floats
    q: Floats
    candidate: NDArray[np.int64]

    def flagged(self, rate: float) -> int:
        """How many images are flagged at a false discovery rate."""
        return int((self.q <= rate).sum())


def image_tests(observed: Observations, is_suspect: NDArray[np.bool_]) -> ImageTests:
    """Test every suspect image against the non-members.

    Args:
        observed: Candidates on one scale, the last of which is taken for a suspect without others.
        is_suspect: ``(u,)``, of the observations.

    Returns:
        Scores, p-values and q-values.
    """
    from scipy.stats import false_discovery_control  # slow to import

    chosen = _chosen(observed.units, is_suspect)
    suspects = np.flatnonzero(is_suspect[observed.unit])
    others = np.flatnonzero(~is_suspect[observed.unit])
    place = np.cumsum(is_suspect) - 1
    candidate = chosen[place[observed.unit[suspects]]]
    weight, groups = 1.0 / observed.sizes[observed.unit[others]], int((~is_suspect).sum())
    score, p = np.empty(suspects.size), np.empty(suspects.size)
    for column in np.unique(candidate):
        own = candidate == column
        score[own] = observed.images[suspects[own], column]
        p[own] = _calibrated(score[own], observed.images[others, column], weight, groups)
    return ImageTests(score, p, np.asarray(false_discovery_control(p)), candidate)


def smallest_p(nonmembers: int) -> float:
    """The smallest p-value that an image can have, 1 / (n + 1) for n non-members (groups, if there are any)."""
    return 1.0 / (nonmembers + 1)


def needed_on_top(suspects: int, nonmembers: int, rate: float) -> float:
    """How many suspects must score above all non-members for the method of Benjamini and Hochberg to flag any of them.

    Returns:
        The smallest k with 1 / (n + 1) <= q k / m, or infinity if that exceeds m.
    """
    needed = math.ceil(suspects * smallest_p(nonmembers) / rate - 1e-9)
    return max(1, needed) if needed <= suspects else math.inf


def _chosen(units: Floats, is_suspect: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``(suspect observations,)``: the candidate chosen with each of them among the non-members."""
    inside, outside = units[is_suspect], units[~is_suspect]
    if len(inside) < 2:
        return np.full(len(inside), units.shape[1] - 1)
    rest = (inside.sum(axis=0) - inside) / (len(inside) - 1)
    joined = (outside.sum(axis=0) + inside) / (len(outside) + 1)
    return np.asarray(np.argmax(np.round(rest - joined, 9), axis=1), dtype=np.int64)


def _calibrated(scores: Floats, nonmembers: Floats, weight: Floats, groups: int) -> Floats:
    order = np.argsort(nonmembers)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    above = below[-1] - below[np.searchsorted(nonmembers[order], scores, side="left")]
    return np.asarray(np.minimum((1.0 + above) / (groups + 1), 1.0), dtype=np.float64)
