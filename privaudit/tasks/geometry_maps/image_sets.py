"""Sets of images to compare, such as members and held-out images, or photographs and drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.data import SampleSet, read_set
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.errors import DataError


@dataclass(frozen=True)
class ImageSet:
    """One of the sets to compare.

    Attributes:
        label: Name of the folder or manifest.
        images: Images that are in no earlier set.
        shared: Number of images that were left out because they are also in an earlier set.
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
    reading: ImageReading = AUTOMATIC,
) -> tuple[ImageSet, ...]:
    """Read every set. An image that is in several sets belongs to the first of them, because it is measured once.

    Args:
        sources: Folder or manifest of each set.
        size: Height and width of the images.
        counts: Number of files of each set, for the progress.
        strict: Whether to reject unreadable files.
        on_image: Called after each image with (images read, all images of all sets).
        reading: How pixels are read.

    Returns:
        One set per source, with no image in common.

    Raises:
        DataError: A set cannot be read, or all its images are in earlier sets.
    """
    sets: list[ImageSet] = []
    earlier_ids: set[str] = set()
    before, total, budget = 0, sum(counts), pixel_budget()

    def report(done: int, _: int) -> None:
        if on_image is not None:
            on_image(before + done, total)

    for source, label, count in zip(sources, set_labels(sources), counts, strict=True):
        images = read_set(source, size, strict=strict, on_image=report, budget=budget, reading=reading)
        samples = tuple(sample for sample in images.samples if sample.id not in earlier_ids)
        if not samples:
            raise DataError(
                f"expected images in {source} that are not in an earlier set, but all {len(images)} of them are; "
                "leave it out"
            )
        earlier_ids.update(sample.id for sample in samples)
        remaining = replace(images, samples=samples)
        sets.append(ImageSet(label, remaining, len(images) - len(samples)))
        before += count
    return tuple(sets)


def set_labels(sources: Sequence[Path]) -> tuple[str, ...]:
    """Name each set by its folder, or by its manifest without the suffix; ambiguous names get more of the path."""
    paths = [source.resolve() for source in sources]
    labels = [path.name if path.is_dir() else path.stem for path in paths]
    # Depth 1 adds only the suffix of a manifest; every further depth adds one folder to labels that are still alike.
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        counts = Counter(labels)
        labels = [
            label if counts[label] == 1 else "/".join(path.parts[-depth:])
            for path, label in zip(paths, labels, strict=True)
        ]
    return tuple(labels)
