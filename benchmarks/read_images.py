"""How many images per second are read: decoded, resized, cropped, hashed and described, without a model.

    python benchmarks/read_images.py [--out FILE] [--quick]

JPEG files of one megapixel to 512x512, and PNG files of 64x64 pixels as they are, with one thread and more.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from privaudit.data import samples
from privaudit.data.listed import ListedImage, Listing
from privaudit.data.parallel import default_workers, in_order

FILES = 16
"""Different files, which are read again and again: the disk's cache has them, so that the reader alone is measured."""
WORKERS = (1, 2, 4)


def write(folder: Path, size: tuple[int, int], suffix: str) -> list[Path]:
    """Write images with smooth content, such as photographs have."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}{suffix}" for number in range(FILES)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8))
        coarse.resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return paths


def images_per_second(paths: list[Path], count: int, size: tuple[int, int]) -> list[float]:
    """Read files `count` times in all with each number of threads in turn, ten times; the best of each."""
    entries = tuple(ListedImage(paths[number % len(paths)]) for number in range(count))
    best = dict.fromkeys(WORKERS, 0.0)
    for _ in range(10):
        for workers in WORKERS:
            samples.in_order = partial(in_order, workers=workers)
            started = time.perf_counter()
            samples.read_listing(Listing("", entries), size, "the benchmark")
            best[workers] = max(best[workers], count / (time.perf_counter() - started))
    return list(best.values())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the images")
    options = parser.parse_args()
    divisor = 10 if options.quick else 1
    lines = [
        f"Pillow {PIL.__version__}, numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {default_workers()} threads by default.",
        "",
        "| images per second | " + " | ".join(f"{n} thread" + "s" * (n > 1) for n in WORKERS) + " |",
        "|---|" + "---:|" * len(WORKERS),
    ]
    with tempfile.TemporaryDirectory() as folder:
        kinds = (
            ("JPEG 1155x866 to 512x512", write(Path(folder) / "jpeg", (866, 1155), ".jpg"), 200, (512, 512)),
            ("PNG 64x64", write(Path(folder) / "png", (64, 64), ".png"), 4000, (64, 64)),
        )
        for name, paths, count, size in kinds:
            rates = images_per_second(paths, count // divisor, size)
            lines.append(f"| {name} | " + " | ".join(f"{rate:.0f}" for rate in rates) + " |")
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
