"""Geometry of the decoder: Jacobian products, pullback metric, influence, distortion, masks."""

from privaudit.geometry.distortion import distortion_bound, exact_distortion
from privaudit.geometry.influence import (
    ESTIMATORS,
    Estimator,
    Influence,
    estimate_influence,
    expected_agreement,
    make_estimator,
)
from privaudit.geometry.jacobian import Jacobian
from privaudit.geometry.mask import (
    MASKS,
    anti_influence_mask,
    build_masks,
    influence_mask,
    influence_weights,
    pooled_influence,
    random_mask,
)
from privaudit.geometry.pullback import PullbackMetric, dense_jacobian, pullback_metric

__all__ = [
    "ESTIMATORS",
    "MASKS",
    "Estimator",
    "Influence",
    "Jacobian",
    "PullbackMetric",
    "anti_influence_mask",
    "build_masks",
    "dense_jacobian",
    "distortion_bound",
    "estimate_influence",
    "exact_distortion",
    "expected_agreement",
    "influence_mask",
    "influence_weights",
    "make_estimator",
    "pooled_influence",
    "pullback_metric",
    "random_mask",
]
