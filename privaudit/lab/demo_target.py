"""The target that ships with the package, and its images, member or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from privaudit.lab.photographs import Crop, unpack

FOLDER = Path(__file__).parent / "demo"
TARGET = FOLDER / "target"
SPLIT = FOLDER / "split.csv"
"""Columns id, set (``members``, ``heldout`` or ``auxiliary``): what the target was trained on."""


@dataclass(frozen=True)
class DemoImages:
    """Folders of the demo's images."""

    members: Path
    nonmembers: Path


def unpack_demo_images(folder: Path) -> DemoImages:
    """Write the demo's members and non-members as PNG files, unless they are there already.

    Args:
        folder: Gets the folders ``members`` and ``nonmembers``.

    Returns:
        The two folders.
    """
    table = pd.read_csv(SPLIT, dtype=str)
    sets = dict(zip(table["id"], table["set"], strict=True))
    found = DemoImages(folder / "members", folder / "nonmembers")
    places = {"members": found.members, "heldout": found.nonmembers}

    def place(crop: Crop) -> Path | None:
        parent = places.get(sets[crop.id])
        return None if parent is None else parent / crop.name

    complete = folder / ".complete"
    if not complete.is_file():
        unpack(place)
        complete.touch()
    return found
