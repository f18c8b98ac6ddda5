"""Doubts: warnings under which a leak stands, but "no leak" does not.

Something of this kind makes the members look more like the non-members than the training left them, so that an attack
finds less than there is. A leak that is found all the same is a leak. That nothing was found shows nothing.

Warnings that are doubts:

- caption files with several lines, which some trainers read as one caption, and captions beyond the window of the text
  encoder, of which some trainers read more
- images turned, flattened, cropped or without their captions, where trainers differ: the model saw another image
- a tenth of a set or more without a caption, if the model reads captions and the user does not
  say that it had none
- classes numbered by their names, or taken for the numbers in them, which the training may have numbered otherwise
- captions with a word without its embedding: the model is told other words than in training
- a tenth of a set or more looks like images of the other set: attacks recognise the look-alikes of training images, too
- classifiers without the model tell the sets apart, though an attack exceeds them; some scores lie below chance, others
  above: what sets differ in can work against the attacks as well as for them

and those that are none, because

- nothing speaks for a difference: the blind baseline was not measured or had too few images, and the headline of so few
  images already says what they can show
- another check measures whether it matters: files that are stored differently, for the blind baseline
- the finding is about the other images: files that could not be read, copies and images in both sets, known suspects
- scores without mask or reference are not affected: inversion that did not converge, readings of a reference
- the network predicts best as it is: an unusual scale of the latents
- it is the choice of another model: files that were left out, a reference that changes nothing
- it changes what numbers are worth and not their size: few non-members for a rate, canaries drawn from a seed, learned
  scores whose direction nothing confirms
"""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.evaluation.facts import Check

DOUBTS = frozenset({
    "images_may_be_turned",
    "transparency_may_differ",
    "crop_may_differ",
    "captions_not_used",
    "captions_missing",
    "captions_absent",
    "caption_lines_may_be_one",
    "captions_may_be_longer",
    "classes_numbered",
    "class_names_are_numbers",
    "placeholder_unknown",
    "many_look_alikes_across",
    "blind_told_apart",
    "blind_told_apart_by_rank",
    "below_chance",
})
"""Codes of the facts that make a warning a doubt."""


def doubtful_checks(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Select the checks that warn of something that can hide a leak."""
    return tuple(
        check for check in checks if check.status == "warn" and any(fact.code in DOUBTS for fact in check.facts)
    )
