"""Sets of images that are looked at side by side: members and held-out, photographs and drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.data import SampleSet, read_set
from privaudit.errors import DataError


@dataclass(frozen=True)
class ImageSet:
    """One of the sets that are looked at side by side.

    Attributes:
        label: Name of its folder or manifest.
        images: Those that no earlier set has.
        shared: Number of images that were left out because an earlier set has them too.
    """

    label: str
    images: SampleSet
    shared: int


def read_sets(
    sources: Sequence[Path],
    size: tuple[int, int],
    counts: Sequence[int],
    *,
    strict: bool = False,
    on_image: Callable[[int, int], None] | None = None,
) -> tuple[ImageSet, ...]:
    """Read every set; an image that is in several sets counts for the first, because it is measured once.

    Returns:
        One or more sets without a common image.

    Raises:
        DataError: A set cannot be read, or has no image of its own.
    """
    found: list[ImageSet] = []
    seen: set[str] = set()
    before, total, budget = 0, sum(counts), pixel_budget()

    def tell(done: int, _: int) -> None:
        if on_image is not None:
            on_image(before + done, total)

    for source, label, count in zip(sources, set_labels(sources), counts, strict=True):
        images = read_set(source, size, strict=strict, on_image=tell, budget=budget)
        own = tuple(sample for sample in images.samples if sample.id not in seen)
        if not own:
            raise DataError(
                f"expected pictures in {source} that are not in an earlier set, but all {len(images)} of them are; "
                "leave it out"
            )
        seen.update(sample.id for sample in own)
        found.append(ImageSet(label, SampleSet(own, images.skipped, images.duplicates), len(images) - len(own)))
        before += count
    return tuple(found)


def set_labels(sources: Sequence[Path]) -> tuple[str, ...]:
    """Name each set by its folder, or by its manifest without the ending; longer where that is not unique."""
    places = [source.resolve() for source in sources]
    labels = [place.name if place.is_dir() else place.stem for place in places]
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        counts = Counter(labels)
        labels = [
            label if counts[label] == 1 else "/".join(place.parts[-depth:])
            for place, label in zip(places, labels, strict=True)
        ]
    return tuple(labels)
