"""Geometry of the decoder: Jacobian products, pullback metric, influence, distortion, masks."""

from privaudit.decoder_geometry.distortion import (
    DISTORTIONS,
    Distortion,
    Method,
    distortion_bound,
    measure_distortion,
)
from privaudit.decoder_geometry.influence import (
    ESTIMATORS,
    Estimator,
    Influence,
    estimate_influence,
    expected_agreement,
    wrong_cut,
)
from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.decoder_geometry.mask import (
    DECILES,
    HARD,
    MASKS,
    anti_influence_mask,
    build_masks,
    decile_masks,
    hard_mask,
    influence_mask,
    influence_weights,
    mask_names,
    pooled_influence,
    random_mask,
)
from privaudit.decoder_geometry.positions import channel_shares, influence_maps, resample, same_shape
from privaudit.decoder_geometry.pullback import PullbackMetric, dense_jacobian, pullback_metric
from privaudit.decoder_geometry.rule import MaskRule, check_names, control_of, rule_masks
from privaudit.decoder_geometry.trial import images_at_once

__all__ = [
    "DECILES",
    "DISTORTIONS",
    "ESTIMATORS",
    "HARD",
    "MASKS",
    "Distortion",
    "Estimator",
    "Influence",
    "Jacobian",
    "MaskRule",
    "Method",
    "PullbackMetric",
    "anti_influence_mask",
    "build_masks",
    "channel_shares",
    "check_names",
    "control_of",
    "decile_masks",
    "dense_jacobian",
    "distortion_bound",
    "estimate_influence",
    "expected_agreement",
    "hard_mask",
    "images_at_once",
    "influence_maps",
    "influence_mask",
    "influence_weights",
    "mask_names",
    "measure_distortion",
    "pooled_influence",
    "pullback_metric",
    "random_mask",
    "resample",
    "rule_masks",
    "same_shape",
    "wrong_cut",
]
