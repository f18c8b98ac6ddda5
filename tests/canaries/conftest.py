from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture(place: int) -> Image.Image:
    """Coloured blocks, different for every place."""
    blocks = np.random.default_rng(place).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.BICUBIC)


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    """24 distinct pictures in two folders."""
    folder = tmp_path / "candidates"
    for place in range(24):
        path = folder / ("a" if place % 2 else "b") / f"{place:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(place).save(path)
    return folder
