"""Influence of each latent dimension on the decoded image, the diagonal of G. One estimator per file."""

from privaudit.decoder_geometry.influence.adaptive import expected_agreement, wrong_cut
from privaudit.decoder_geometry.influence.estimation import DEFAULT_ESTIMATOR, estimate_influence
from privaudit.decoder_geometry.influence.estimator import ESTIMATORS, Estimator, Influence, register

__all__ = [
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "Estimator",
    "Influence",
    "estimate_influence",
    "expected_agreement",
    "register",
    "wrong_cut",
]
