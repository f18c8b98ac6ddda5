"""What the terms of the page mean."""

from __future__ import annotations

from typing import NamedTuple

from privaudit.report.sentences.attacker import base_rate
from privaudit.report.sentences.overall import LEVELS
from privaudit.results.audit_result import AuditResult


class Term(NamedTuple):
    """An entry of the glossary."""

    name: str
    meaning: str


GLOSSARY: dict[str, Term] = {
    "member": Term(
        "Member, non-member",
        "An image that the model was trained on, and one that it was not. An attack gives every image a score; the "
        "higher it is, the more likely the attack takes the image for a member.",
    ),
    "auroc": Term(
        "AUROC",
        "How often a member scores higher than a non-member, over all pairs of the two. 0.5 is guessing, 1 is never "
        "wrong. It speaks of the average image.",
    ),
    "tpr": Term(
        "TPR at 1 % FPR",
        "The share of members that an attacker recognises who wrongly accuses at most 1 of 100 non-members (TPR: "
        "true-positive rate, FPR: false-positive rate). Guessing reaches 0.01. It speaks of the most exposed images, "
        "which the AUROC hides.",
    ),
    "interval": Term(
        "Interval",
        "Values that agree with the images at the stated confidence: of 100 such intervals, about 95 hold the true "
        "value at 95 % confidence. More images make it narrower.",
    ),
    "advantage": Term(
        "Advantage",
        "The largest difference of true- and false-positive rate over all thresholds: 0 is guessing, 1 is never wrong.",
    ),
    "success": Term(
        "Attack success",
        "How often an attacker is right who is shown as many members as non-members, at the best threshold: 0.5 is "
        "guessing.",
    ),
    "epsilon": Term(
        "Epsilon at least",
        "A lower bound on the epsilon of differential privacy that this score refutes, on average over the images. 0 "
        "refutes nothing. The true epsilon may be far larger.",
    ),
    "mask": Term(
        "Mask",
        "Which dimensions of the latent count. No mask: all. Influence: those that the decoded image depends on least "
        "are dropped. Weighted: every dimension counts by its influence. Random: as many are dropped at random, which "
        "is the control for the influence mask.",
    ),
    "gain": Term(
        "Gain",
        "What a mask adds to the score without mask, measured on the same images, so that its interval is far "
        "narrower than those of the two scores.",
    ),
    "p": Term(
        "p",
        "How often a difference as large as this would come about by chance alone. It is not corrected for the number "
        "of rows.",
    ),
    "snr": Term(
        "log SNR",
        "Twice the logarithm of signal over noise at a noise level: 0 is as much noise as signal, smaller is noisier.",
    ),
    "influence": Term(
        "Influence",
        "How much the decoded image changes with one dimension of the latent: the squared length of the decoder's "
        "derivative in it.",
    ),
    "distortion": Term(
        "Local distortion",
        "By how much the decoder stretches the space around a latent: half the sum of the logarithms of the "
        "influences, an upper bound of the logarithm of the volume.",
    ),
    "blind": Term(
        "Blind baseline",
        "Classifiers that see the images and never the model. If they tell the two sets apart, the sets differ in "
        "something else than membership, and an attack's success may be nothing but that.",
    ),
    "crossfit": Term(
        "Cross-fitting",
        "The images are assigned to folds. What is chosen or learned for the images of one fold is chosen on the "
        "others, so that no number is reported on images that it was tuned on.",
    ),
    "gate": Term(
        "Gate",
        "A limit that was set beforehand, such as auroc>0.6: it fails if a confidence limit, and not only the point "
        "estimate, is beyond it.",
    ),
    "canary": Term(
        "Canary",
        "An image whose membership was decided by a sealed toss of a coin before the training, so that nothing but "
        "membership can tell the two sets apart.",
    ),
    "roc": Term(
        "ROC curve",
        "The share of members recognised against the share of non-members accused, for every threshold.",
    ),
}


def glossary(result: AuditResult) -> dict[str, Term]:
    """Explain the terms of a page."""
    return {
        "levels": Term("High, medium, low", LEVELS),
        "sure": Term("How sure is an accusation?", base_rate(result)),
        **GLOSSARY,
    }
