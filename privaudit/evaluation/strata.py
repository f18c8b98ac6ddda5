"""AUROC within quartiles of a covariate, such as the decoder's local distortion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation.clusters import unit_codes
from privaudit.evaluation.delong import auroc_estimate
from privaudit.evaluation.estimate import Stratum
from privaudit.evaluation.intervals import check_confidence
from privaudit.evaluation.roc import checked


def quartiles(values: ArrayLike) -> NDArray[np.int64]:
    """Quartile of each value, with edges over all values.

    Args:
        values: ``(n,)``, n >= 1; infinite values count as the lowest.

    Returns:
        ``(n,)``, 0 to 3; equal values are in the same quartile.
    """
    covariate = np.asarray(values, dtype=np.float64)
    finite = covariate[np.isfinite(covariate)]
    bottom = finite.min() - 1 if len(finite) else 0.0  # quantiles cannot interpolate infinities
    known = np.where(np.isfinite(covariate), covariate, bottom)
    edges = np.quantile(known, [0.25, 0.5, 0.75])
    return np.searchsorted(edges, known, side="right").astype(np.int64)


def by_quartile(
    values: ArrayLike,
    scores: ArrayLike,
    is_member: ArrayLike,
    *,
    confidence: float = 0.95,
    units: ArrayLike | None = None,
) -> tuple[Stratum, ...]:
    """AUROC in each quartile of a covariate, with edges over members and non-members together.

    Quartiles may hold different numbers of members and non-members: a difference of the covariate between the sets
    shows in these counts and not in the AUROC within the quartile.

    Args:
        values: ``(n,)``, finite covariate.
        scores: ``(n,)``, higher = more likely a member.
        is_member: ``(n,)``.
        confidence: Confidence level of the intervals.
        units: ``(n,)``, labels of the units drawn independently; by default every image is its own unit.

    Returns:
        Four strata, ascending; the AUROC is NaN with a reason if a class is empty.

    Raises:
        DataError: The number of values differs from the number of images, or there are no images.
        NonFiniteError: A value is NaN or infinite.
    """
    check_confidence(confidence)
    ranked_scores, member = checked(scores, is_member)
    covariate = np.asarray(values, dtype=np.float64)
    if covariate.shape != ranked_scores.shape or covariate.size == 0:
        raise DataError(
            f"expected one value per image and at least one image, got {covariate.shape} values for "
            f"{ranked_scores.size} images; pass the covariate of the same images"
        )
    if not np.isfinite(covariate).all():
        raise NonFiniteError(
            f"expected finite values, got {int((~np.isfinite(covariate)).sum())} that are not; leave these images out"
        )
    edges = np.quantile(covariate, [0.0, 0.25, 0.5, 0.75, 1.0])
    quartile, codes = quartiles(covariate), unit_codes(units, ranked_scores.size)
    strata = []
    for i in range(4):
        inside = quartile == i
        sizes = int((inside & member).sum()), int((inside & ~member).sum())
        estimate = auroc_estimate(ranked_scores[inside], member[inside], confidence, codes[inside])
        strata.append(Stratum(float(edges[i]), float(edges[i + 1]), *sizes, auroc=estimate))
    return tuple(strata)
