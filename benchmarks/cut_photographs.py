"""Cut the demo's crops from the photographs inside scikit-image 0.26 and scikit-learn 1.9.

    pip install scikit-image && python benchmarks/cut_photographs.py privaudit/lab/demo/photographs

Non-overlapping 32x32 RGB crops; near-constant ones (mean over channels of the standard deviation below
5 of 255) and exact copies are left out. Only photographs whose licence their package states are used.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

from privaudit.data import sample_id
from privaudit.lab.photographs import CROP, pack_sheet

LEAST_DEVIATION = 5.0
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
PHOTOGRAPHS = {
    "astronaut": SKIMAGE / "astronaut.png",
    "chelsea": SKIMAGE / "chelsea.png",
    "china": SKLEARN / "china.jpg",
    "coffee": SKIMAGE / "coffee.png",
    "flower": SKLEARN / "flower.jpg",
    "hubble": SKIMAGE / "hubble_deep_field.jpg",
    "ihc": SKIMAGE / "ihc.png",
    "retina": SKIMAGE / "retina.jpg",
    "rocket": SKIMAGE / "rocket.jpg",
}


def main(folder: Path) -> None:
    """Write one lossless sheet a photograph and crops.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, seen = [], set()
    for source, path in PHOTOGRAPHS.items():
        pixels = np.asarray(Image.open(path).convert("RGB"))
        kept = []
        for row in range(pixels.shape[0] // CROP):
            for column in range(pixels.shape[1] // CROP):
                crop = pixels[row * CROP : (row + 1) * CROP, column * CROP : (column + 1) * CROP]
                key = sample_id(crop)
                if crop.std(axis=(0, 1)).mean() >= LEAST_DEVIATION and key not in seen:
                    seen.add(key)
                    kept.append(crop)
                    rows.append((source, row, column, key))
        sheet = Image.fromarray(pack_sheet(np.stack(kept)))
        sheet.save(folder / f"{source}.webp", lossless=True, quality=100, method=6)
        print(f"{source}: {len(kept)} crops, {(folder / f'{source}.webp').stat().st_size} bytes")
    with (folder / "crops.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source", "row", "column", "id"))
        writer.writerows(rows)
    print(f"{len(rows)} crops")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
