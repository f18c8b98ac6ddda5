"""The target that ships with the package, and its members and non-members."""

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
"""Table of the images, with columns id and set (``members``, ``heldout`` or ``auxiliary``)."""


@dataclass(frozen=True)
class DemoImages:
    """Folders of the demo images."""

    members: Path
    nonmembers: Path


def unpack_demo_images(folder: Path) -> DemoImages:
    """Write the members and non-members of the demo as PNG files, unless they exist already."""
    table = pd.read_csv(SPLIT, dtype=str)
    sets = dict(zip(table["id"], table["set"], strict=True))
    images = DemoImages(folder / "members", folder / "nonmembers")
    places = {"members": images.members, "heldout": images.nonmembers}

    def place(crop: Crop) -> Path | None:
        parent = places.get(sets[crop.id])
        return None if parent is None else parent / crop.name

    # The marker is written last. It names the version of the split, so images of another version are replaced.
    complete = folder / ".complete"
    split_hash = hashlib.sha256(SPLIT.read_bytes()).hexdigest()
    count = int(table["set"].isin(places).sum())
    if not complete.is_file() or complete.read_text() != split_hash or _count_images(images) != count:
        for parent in places.values():
            for path in parent.glob("*.png"):
                path.unlink()
        unpack(place)
        complete.write_text(split_hash)
    return images


def _count_images(images: DemoImages) -> int:
    return sum(1 for parent in (images.members, images.nonmembers) for _ in parent.glob("*.png"))
