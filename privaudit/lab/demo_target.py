"""The target that ships with the package, and its images, member or not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from privaudit.lab.photographs import Crop, unpack

FOLDER = Path(__file__).parent / "demo"
TARGET = FOLDER / "target"
RECORD = FOLDER / "lab.json"
"""Recipe, versions and hash of the target."""
SPLIT = FOLDER / "split.csv"
"""Columns id, set (``members``, ``heldout`` or ``auxiliary``): what the target was trained on."""


@dataclass(frozen=True)
class DemoImages:
    """Folders of the demo's images."""

    members: Path
    nonmembers: Path


def unpack_demo_images(folder: Path) -> DemoImages:
    """Write the demo's members and non-members as PNG files, unless they are there already."""
    table = pd.read_csv(SPLIT, dtype=str)
    sets = dict(zip(table["id"], table["set"], strict=True))
    found = DemoImages(folder / "members", folder / "nonmembers")
    places = {"members": found.members, "heldout": found.nonmembers}

    def place(crop: Crop) -> Path | None:
        parent = places.get(sets[crop.id])
        return None if parent is None else parent / crop.name

    complete = folder / ".complete"
    wanted = hashlib.sha256(SPLIT.read_bytes()).hexdigest()
    count = int(table["set"].isin(places).sum())
    if not complete.is_file() or complete.read_text() != wanted or _count_images(found) != count:
        for parent in places.values():  # of an earlier version, or incomplete
            for path in parent.glob("*.png"):
                path.unlink()
        unpack(place)
        complete.write_text(wanted)
    return found


def _count_images(images: DemoImages) -> int:
    return sum(1 for parent in (images.members, images.nonmembers) for _ in parent.glob("*.png"))
