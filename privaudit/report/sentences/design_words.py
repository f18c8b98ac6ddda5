"""Words for the images of each design and for what their scores mean, the same in every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privaudit.results.data_report import DataReport, DesignCode

ADVISED_IMAGES = 1000
"""Images per set with which ten false positives are expected at 1 %."""


@dataclass(frozen=True)
class DesignWords:
    """Words for the positives of a design; the defaults are those of known members.

    Attributes:
        positives: Plural, as in counts.
        lay_positives: Plural, for readers who do not know what a member is.
        lay_positive: Singular of that.
        compared: What is compared, with fields for both counts.
        more: Beginning of the advice to increase the power.
        recognises: Verb for what an attack does with the positives.
        exposed: Positives that score highest.
        exposed_title: Title of their gallery.
        exposed_by: The same, with a field for the attack whose score ranks them.
        shown: Description of the images in the gallery.
        further_up: Meaning of a higher point of a ROC curve.
        apart: Meaning of the distance between two distributions.
        rate: Name of the true-positive rate in tables.
        false_axis: Horizontal axis of a ROC curve.
        true_axis: Vertical axis of a ROC curve.
        all_attacks: Title of the table of all attacks.
        attacks: Beginning of that title on the terminal, with a field for the confidence.
        subject: Subject and verb of the headline of a comparison, before MORE or LESS.
    """

    positives: str = "members"
    lay_positives: str = "training images"
    lay_positive: str = "training image"
    compared: str = "{positives} images that the model was trained on and {nonmembers} that it was not trained on"
    more: str = f"Add images, {ADVISED_IMAGES} to each set or more,"
    recognises: str = "recognises"
    exposed: str = "most exposed"
    exposed_title: str = "The most exposed images"
    exposed_by: str = "that {attack} recognises most clearly"
    shown: str = "images that were recognised most clearly"
    further_up: str = "Further up is more leakage"
    apart: str = "The less they overlap, the more the model leaks"
    rate: str = "TPR at"
    false_axis: str = "false-positive rate: non-members accused"
    true_axis: str = "true-positive rate: members recognised"
    all_attacks: str = "All attacks"
    attacks: str = "Attacks, with {confidence} intervals (chance: AUROC .5, TPR = FPR)"
    subject: str = "LEAKS"


WORDS: Mapping[DesignCode, DesignWords] = {
    "members": DesignWords(),
    "canaries": DesignWords(
        positives="included canaries",
        lay_positives="canaries that were trained on",
        lay_positive="canary that was trained on",
        compared="{positives} canaries that the model was trained on and {nonmembers} that were held out, "
        "drawn at random before the training,",
        more="Draw more canaries",
        true_axis="true-positive rate: included canaries recognised",
    ),
    "suspects": DesignWords(
        positives="suspects",
        lay_positives="suspects",
        lay_positive="suspect",
        compared="{positives} images that the model may have been trained on and {nonmembers} that it was not "
        "trained on",
        recognises="sets apart",
        exposed="highest-scoring suspects",
        exposed_title="The highest-scoring suspects",
        exposed_by="suspects that score highest with {attack}",
        shown="suspects that scored highest",
        further_up="Further up, suspects score higher",
        apart="The further the suspects lie to the right, the more they look trained on",
        rate="suspects above the threshold at",
        false_axis="non-members above the threshold",
        true_axis="suspects above the threshold",
        all_attacks="How suspects score next to non-members",
        attacks="How suspects score next to non-members, with {confidence} intervals (no difference: AUROC .5; TPR: "
        "suspects above the threshold; levels by cross-fitting, so no row is the test of the set)",
        subject="SUSPECTS STAND OUT",
    ),
}
"""By the code of the design in report.json."""


def words_of(data: DataReport) -> DesignWords:
    """Look up the words for the design of a report."""
    return WORDS[data.design]


def positives_text(data: DataReport) -> str:
    """Count the positives, such as ``30 included canaries``."""
    return f"{data.positives} {words_of(data).positives}"
