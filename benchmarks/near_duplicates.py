"""How many unrelated pictures are called near-duplicates, and how many edited copies are found.

    python benchmarks/near_duplicates.py [--out FILE] [--quick]

The demo's images, which are crops of photographs that do not overlap: every pair is one of unrelated pictures, and
each is edited once in every way. Hash alone at several distances, then as `near_duplicates` does it.
"""

from __future__ import annotations

import argparse
import io
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from privaudit.data import phash, read_pixels, read_set, thumbnail
from privaudit.evaluation.duplicates import MAX_DISTANCE, near_duplicates
from privaudit.lab.demo_target import unpack_demo_images

SIZE = (32, 32)
DISTANCES = (4, 8, 12, 16)
MANY = 20_000


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    """Re-save as JPEG."""

    def edit(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return edit


def resized(side: int) -> Callable[[Image.Image], Image.Image]:
    """Resize there and back (Lanczos)."""

    def edit(image: Image.Image) -> Image.Image:
        return image.resize((side, side), Image.Resampling.LANCZOS).resize(image.size, Image.Resampling.LANCZOS)

    return edit


def cropped(box: tuple[int, int, int, int]) -> Callable[[Image.Image], Image.Image]:
    """Cut off a margin and resize what is left."""
    return lambda image: image.crop(box).resize(image.size, Image.Resampling.LANCZOS)


EDITS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 90": jpeg(90),
    "JPEG, quality 70": jpeg(70),
    "JPEG, quality 50": jpeg(50),
    "5 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
    "10 % more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.1),
    "resized to 36 and back": resized(36),
    "resized to 24 and back": resized(24),
    "left column of pixels cut off": cropped((1, 0, 32, 32)),
    "a pixel cut off on each side": cropped((1, 1, 31, 31)),
    "mirrored (not meant to be found)": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}

Described = tuple[NDArray[np.uint64], NDArray[np.uint8]]


def describe(images: list[NDArray[np.uint8]]) -> Described:
    """Hashes and thumbnails."""
    hashes = np.array([phash(pixels) for pixels in images], dtype=np.uint64)
    return hashes, np.stack([np.frombuffer(thumbnail(pixels), dtype=np.uint8) for pixels in images])


def recall(original: Described, edited: Described, distance: int, confirmed: bool) -> float:
    """Share of images whose edited copy is found, each pair on its own."""
    found = 0
    for position in range(len(original[0])):
        hashes, small = (np.stack([a[position], b[position]]) for a, b in zip(original, edited, strict=True))
        found += len(near_duplicates(hashes, small if confirmed else None, distance))
    return found / len(original[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = unpack_demo_images(Path(folder))
        samples = [s for place in (places.members, places.nonmembers) for s in read_set(place, SIZE).samples]
        images = [read_pixels(sample.path, SIZE) for sample in samples][:: 10 if options.quick else 1]
    original = describe(images)
    judged = [(distance, False) for distance in DISTANCES] + [(MAX_DISTANCE, True)]
    names = [f"hash, {d} bits" + (" and thumbnail (as used)" if confirmed else "") for d, confirmed in judged]
    pairs = len(images) * (len(images) - 1) // 2
    lines = [
        f"{len(images)} images of 32x32, {pairs} pairs; Pillow {PIL.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    counts = [len(near_duplicates(original[0], original[1] if c else None, d)) for d, c in judged]
    lines.append("| unrelated pairs called near-duplicates | " + " | ".join(map(str, counts)) + " |")
    for name, edit in EDITS.items():
        edited = describe([np.asarray(edit(Image.fromarray(pixels))) for pixels in images])
        cells = [f"{recall(original, edited, d, c):.3f}" for d, c in judged]
        lines.append(f"| found: {name} | " + " | ".join(cells) + " |")
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**63, MANY, dtype=np.uint64)
    small = generator.integers(0, 256, (MANY, 192), dtype=np.uint8)
    started = time.perf_counter()
    near_duplicates(hashes, small)
    lines += ["", f"All pairs of {MANY} images: {time.perf_counter() - started:.1f} s."]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
