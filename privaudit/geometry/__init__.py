"""Geometry of the decoder: Jacobian products, pullback metric, influence, distortion, masks."""

from privaudit.geometry.distortion import distortion_bound, exact_distortion
from privaudit.geometry.influence import exact_influence, smooth_over_neighbours, stochastic_influence
from privaudit.geometry.mask import MASKS, build_masks, influence_mask, influence_weights, random_mask
from privaudit.geometry.pullback import dense_jacobian, pullback_metric

__all__ = [
    "MASKS",
    "build_masks",
    "dense_jacobian",
    "distortion_bound",
    "exact_distortion",
    "exact_influence",
    "influence_mask",
    "influence_weights",
    "pullback_metric",
    "random_mask",
    "smooth_over_neighbours",
    "stochastic_influence",
]
