"""The glossary of the page."""

from __future__ import annotations

from typing import NamedTuple

from privaudit.report.sentences.attacker import base_rate
from privaudit.report.sentences.overall import LEVELS, LEVELS_BRIEF
from privaudit.results.audit_result import AuditResult


class Term(NamedTuple):
    """An entry of the glossary."""

    name: str
    meaning: str


_TPR = (
    "The fraction of members that an attacker recognises while wrongly accusing 1 of 100 non-members (TPR: "
    "true-positive rate, FPR: false-positive rate)."
)
_AUROC = "How often a member scores higher than a non-member, over all pairs of the two."
GLOSSARY: dict[str, Term] = {
    "member": Term(
        "Member, non-member",
        "An image that the model was trained on, and one that it was not trained on.",
    ),
    "attack": Term(
        "Attack",
        "A rule that gives every image a score from what the model does with it; the higher the score, the more likely "
        "the image is a member according to the attack.",
    ),
    "latent": Term(
        "Latent, denoiser",
        "The model works on small arrays, latents: the encoder makes one of an image, the decoder makes an image of "
        "one, and the denoiser predicts the noise in one.",
    ),
    "auroc": Term(
        "AUROC",
        f"{_AUROC} 0.5 is guessing, 1 is never wrong. It describes the average image.",
    ),
    "tpr": Term(
        "TPR at 1 % FPR",
        f"{_TPR} Guessing reaches 0.01. It describes the most exposed images, which the AUROC averages away.",
    ),
    "interval": Term(
        "Interval",
        "Plausible values, given these images: at 95 % confidence, about 95 of 100 such intervals contain the true "
        "value. More images make it narrower.",
    ),
    "advantage": Term(
        "Advantage",
        "The largest difference between true- and false-positive rate over all thresholds: 0 is guessing, 1 is never "
        "wrong.",
    ),
    "success": Term(
        "Attack success",
        "How often an attacker who is shown as many members as non-members is right, at the best threshold: 0.5 is "
        "guessing.",
    ),
    "epsilon": Term(
        "Epsilon at least",
        "Differential privacy limits what a training may reveal of one image; the smaller its epsilon, the less. The "
        "score shows that epsilon cannot be smaller than this, on average over the images. 0 shows nothing. The true "
        "epsilon may be far larger.",
    ),
    "mask": Term(
        "Mask",
        "Which dimensions of the latent count. No mask: all. Influence: those that the decoded image depends on least "
        "are dropped. Weighted: every dimension is weighted by its influence. Random: as many are dropped at "
        "random, as a control for the influence mask.",
    ),
    "gain": Term(
        "Gain",
        "What a mask adds to the metric of the score without mask. Both are measured on the same images, so the "
        "interval of the gain is far narrower than theirs.",
    ),
    "versus": Term(
        "Gain over a published attack",
        "What a score adds to the metric of the published attack with the largest AUROC that was run here, on the same "
        "images and both without mask.",
    ),
    "order": Term(
        "Order",
        "How an attack sums up the errors of all dimensions: order 2 takes their squares, a larger one stresses the "
        "largest errors.",
    ),
    "p": Term(
        "p",
        "How often a difference at least as large as this would arise by chance alone. It is not corrected for the "
        "number of rows.",
    ),
    "snr": Term(
        "Noise level, log SNR",
        "How much noise the denoiser has to remove: a larger level is noisier. log SNR is twice the logarithm of the "
        "ratio of signal to noise: 0 is as much noise as signal, smaller is noisier.",
    ),
    "influence": Term(
        "Influence",
        "How much the decoded image changes with one dimension of the latent: the squared norm of the derivative of "
        "the decoder in that dimension.",
    ),
    "distortion": Term(
        "Local distortion",
        "How much the decoder stretches the space around a latent: half the sum of the logarithms of the influences, "
        "an upper bound on the logarithm of the change in volume.",
    ),
    "blind": Term(
        "Blind baseline",
        "Classifiers that see the images and never the model. If they tell members and non-members apart, these differ "
        "in something other than membership, and attacks may succeed by that difference alone.",
    ),
    "crossfit": Term(
        "Fold, cross-fitting",
        "The images are assigned to folds. What is chosen or learned for the images of one fold is chosen or learned "
        "on the other folds, so that no number is reported on images that it was tuned on.",
    ),
    "near": Term(
        "Near-duplicate",
        "An image that looks almost the same as another one. Both are kept and assigned to the same fold.",
    ),
    "gate": Term(
        "Gate",
        "A threshold that was set beforehand, such as auroc>0.6: the gate fails if a confidence limit, and not only "
        "the point estimate, is beyond it.",
    ),
    "canary": Term(
        "Canary",
        "An image whose membership was decided before the training by a sealed coin toss, so that canaries that "
        "were trained on and those that were not differ in nothing but membership and chance.",
    ),
    "roc": Term(
        "ROC curve",
        "The fraction of members recognised against the fraction of non-members accused, for every threshold.",
    ),
}


BRIEF = (
    GLOSSARY["member"],
    Term("TPR at 1 % FPR", _TPR),
    Term("AUROC", _AUROC),
    Term("High, medium, low", LEVELS_BRIEF),
)
"""What a reader of the first printed page alone needs."""


def glossary(result: AuditResult) -> dict[str, Term]:
    """Explain the terms of a page."""
    return {
        "levels": Term("High, medium, low", LEVELS),
        "sure": Term("How sure is an accusation", base_rate(result)),
        **{name: term for name, term in GLOSSARY.items() if name != "canary" or result.canaries is not None},
    }
