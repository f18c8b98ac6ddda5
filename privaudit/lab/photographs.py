"""The images of the demo: crops of freely licensed photographs, stored losslessly in one sheet per photograph.

The photographs ship with scikit-image and scikit-learn; `benchmarks/cut_photographs.py` cut them. `crops.csv` has one
line per crop: photograph, row and column on the 32-pixel grid, and the sample id, against which every unpacked crop is
checked. `ATTRIBUTION.md` in the same folder has sources and licences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from privaudit.data import sample_id
from privaudit.errors import DataError

FOLDER = Path(__file__).parent / "demo" / "photographs"
CROP = 32
COLUMNS = 32
"""Crops per row of a sheet."""


@dataclass(frozen=True)
class Crop:
    """One 32x32 crop: the photograph, its position on the grid, its sample id."""

    source: str
    row: int
    column: int
    id: str

    @property
    def name(self) -> str:
        """File name, unique over all crops."""
        return f"{self.source}-{self.row:02d}-{self.column:02d}.png"


def list_crops(folder: Path = FOLDER) -> tuple[Crop, ...]:
    """List the shipped crops, in their order on the sheets."""
    table = pd.read_csv(folder / "crops.csv", dtype={"source": str, "id": str})
    columns = (table[name].tolist() for name in ("source", "row", "column", "id"))
    return tuple(Crop(*values) for values in zip(*columns, strict=True))


def pack_sheet(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Arrange crops ``(n, 32, 32, 3)`` on one sheet, `COLUMNS` per row; empty places are black."""
    rows = -(-len(crops) // COLUMNS)  # rounded up
    filled = np.zeros((rows * COLUMNS, CROP, CROP, 3), np.uint8)
    filled[: len(crops)] = crops
    # Axes become (row of crops, row of pixels, crop in the row, column of pixels, channel), as on the sheet.
    grid = filled.reshape(rows, COLUMNS, CROP, CROP, 3).swapaxes(1, 2)
    return grid.reshape(rows * CROP, COLUMNS * CROP, 3)


def cut_sheet(sheet: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Undo `pack_sheet`: the first ``count`` crops, ``(count, 32, 32, 3)``."""
    grid = sheet.reshape(-1, CROP, COLUMNS, CROP, 3).swapaxes(1, 2)
    return grid.reshape(-1, CROP, CROP, 3)[:count]


def unpack(place: Callable[[Crop], Path | None], folder: Path = FOLDER) -> int:
    """Write crops as PNG files, each checked against its id.

    Returns:
        The number of files written.

    Raises:
        DataError: A sheet does not decode to the recorded pixels.
    """
    written = 0
    crops = list_crops(folder)
    for source in dict.fromkeys(crop.source for crop in crops):
        on_sheet = [crop for crop in crops if crop.source == source]
        with Image.open(folder / f"{source}.webp") as sheet:
            pixels = cut_sheet(np.asarray(sheet.convert("RGB")), len(on_sheet))
        for crop, values in zip(on_sheet, pixels, strict=True):
            if sample_id(values) != crop.id:
                raise DataError(
                    f"the shipped crop {crop.name} does not decode to its recorded pixels; "
                    "reinstall privaudit, and Pillow with WebP support"
                )
            path = place(crop)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(path, compress_level=1)
                written += 1
    return written
