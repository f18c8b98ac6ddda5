from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privaudit.lab.recipe import LabRecipe

TINY = {
    "members": 8,
    "heldout": 6,
    "resolution": 16,
    "latent_channels": 2,
    "autoencoder_width": 8,
    "autoencoder_steps": 4,
    "autoencoder_batch": 5,
    "denoiser_width": 32,
    "denoiser_steps": 6,
    "denoiser_batch": 5,
    "warmup": 2,
    "ema_decay": 0.5,
}


def tiny_recipe(**changes: object) -> LabRecipe:
    return LabRecipe(**(TINY | changes))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 smooth pictures of 16x16 in two folders, two thirds of them in the first."""
    folder, rng = tmp_path_factory.mktemp("lab") / "images", np.random.default_rng(0)
    for place in range(24):
        parent = folder / ("city" if place % 3 else "night, sky")
        parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        small.resize((16, 16), Image.Resampling.BICUBIC).save(parent / f"{place:02d}.png")
    return folder


@pytest.fixture(scope="session")
def recipe() -> object:
    """Make a recipe that trains in a second."""
    return tiny_recipe
