"""Whether images may have been read otherwise than in training: turned, on another ground, cropped, enlarged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privaudit.data import Sample
from privaudit.data.reading import ImageReading
from privaudit.evaluation.facts import Check, Fact, fact

MAX_CROP_LOSS = 0.1
"""Fraction of an image's area that a crop may leave out before the image counts as cropped."""
MAX_UNCONFIRMED = 0.1
"""Fraction of a set that may look otherwise in another reading, if no option confirms the one of the audit."""


@dataclass(frozen=True)
class Treatment:
    """One thing that happens to some images when they are read.

    Attributes:
        applies: Whether it happens to an image.
        option: Option of the reading that decides it; empty if none does.
        counted: Code of the fact that counts the images.
        doubted: Code of the fact if no option confirms the reading of many; empty if all trainers agree.
    """

    applies: Callable[[Sample], bool]
    option: str
    counted: str
    doubted: str


TREATMENTS = (
    Treatment(lambda image: image.file.orientation != 1, "orientation", "images_turned", "images_may_be_turned"),
    Treatment(lambda image: image.file.transparent, "transparency", "images_transparent", "transparency_may_differ"),
    Treatment(lambda image: image.crop_loss > MAX_CROP_LOSS, "crop", "images_cropped", "crop_may_differ"),
    Treatment(lambda image: image.enlarged, "", "images_enlarged", ""),
)
"""All treatments, in the order of the report."""


def image_reading_check(sets: Sequence[Sequence[Sample]], reading: ImageReading) -> Check:
    """Check whether images may have been read otherwise than in training.

    Args:
        sets: Images of each set; a set may be empty.
        reading: How they were read.

    Returns:
        ``warn`` if an option is ``auto`` and another value would change at least `MAX_UNCONFIRMED` of a set: more than
        a crop may leave out, an orientation tag, real transparency. Else ``ok``, with the number of such images.
    """
    facts = [_fact(treatment, sets, reading) for treatment in TREATMENTS]
    noticed = tuple(item for item in facts if item is not None)
    doubted = any(item.code == treatment.doubted for item in noticed for treatment in TREATMENTS)
    return Check("image reading", "warn" if doubted else "ok", noticed or (fact("images_read_alike"),))


def _fact(treatment: Treatment, sets: Sequence[Sequence[Sample]], reading: ImageReading) -> Fact | None:
    """What to say about a treatment; None if it concerns no image."""
    counts = [sum(map(treatment.applies, images)) for images in sets]
    if not any(counts):
        return None
    many = any(count >= MAX_UNCONFIRMED * len(images) > 0 for count, images in zip(counts, sets, strict=True))
    unconfirmed = bool(treatment.option) and getattr(reading, treatment.option) == "auto"
    code = treatment.doubted if many and unconfirmed else treatment.counted
    return fact(code, images=sum(counts), total=sum(map(len, sets)))
