"""Per-dimension influence of the latent on the decoded image: the diagonal of G. One estimator per file."""

from privaudit.decoder_geometry.influence.adaptive import expected_agreement, wrong_cut
from privaudit.decoder_geometry.influence.estimation import DEFAULT, estimate_influence
from privaudit.decoder_geometry.influence.estimator import ESTIMATORS, Estimator, Influence, register

__all__ = [
    "DEFAULT",
    "ESTIMATORS",
    "Estimator",
    "Influence",
    "estimate_influence",
    "expected_agreement",
    "register",
    "wrong_cut",
]
