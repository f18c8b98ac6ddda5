"""A geometry that no model was needed for."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from models import random_normal, write_images

from privaudit.data import SampleSet, Skipped, read_set
from privaudit.decoder_geometry import Distortion, Influence
from privaudit.inversion import Inversion
from privaudit.model.target import TargetInfo
from privaudit.tasks.geometry_maps import BOUND_LEFT_OUT, GeometryMap, GeometryOptions, ImageSet, choose_shown

SIZE = (16, 16)


def an_inversion(residuals: torch.Tensor, tolerance: float = 0.01) -> Inversion:
    count = len(residuals)
    return Inversion(
        latents=torch.zeros(count, 1),
        encoded=torch.zeros(count, 1),
        residuals=residuals[:, None],
        pixel_residuals=residuals[:, None],
        best=torch.zeros(count, dtype=torch.int64),
        evaluations=torch.ones(count, dtype=torch.int64),
        tolerance=tolerance,
        diverged=torch.zeros(count, dtype=torch.bool),
        floor=torch.full((count,), torch.nan),
    )


@pytest.fixture
def a_map(tmp_path):
    """Make a geometry of sets of some sizes; the first images are the most distorted unless told otherwise."""

    made = itertools.count()

    def make(
        *sizes: int,
        labels: tuple[str, ...] = (),
        distortion=None,
        residual=0.005,
        tolerance: float = 0.01,
        channels: int = 4,
        shared: int = 0,
        skipped: int = 0,
        duplicates: int = 0,
        standard_error: float = float("nan"),
        left_out: str = BOUND_LEFT_OUT,
        target: str = "models/small",
        **options,
    ) -> GeometryMap:
        count = sum(sizes)
        folder = tmp_path / f"map-{next(made)}"
        sets = []
        for number, size in enumerate(sizes):
            label = labels[number] if labels else f"set-{number}"
            images = read_set(write_images(folder / f"images-{number}", size, seed=number), SIZE)
            lost = tuple(Skipped(Path(f"{n}.png"), "broken") for n in range(skipped))
            sets.append(ImageSet(label, SampleSet(images.samples, lost, duplicates), shared if number else 0))
        values = torch.as_tensor(np.arange(count, 0.0, -1.0) if distortion is None else distortion, dtype=torch.float64)
        influence = random_normal(count, channels, 8, 8).square() + 0.01
        chosen = {"images": tuple(folder / f"images-{number}" for number in range(len(sizes)))}
        chosen |= {"target": target, "out": folder / "out", **options}
        asked = GeometryOptions.parse(**chosen)
        asked.out.mkdir(exist_ok=True)
        shown = choose_shown(values.numpy(), count if asked.maps is None else max(asked.maps, 10))
        residuals = None if residual is None else torch.as_tensor(residual).expand(count)
        return GeometryMap(
            options=asked,
            info=TargetInfo(target, "0" * 32, "1" * 32, "unconditional", "epsilon", (channels, 8, 8), (3, *SIZE)),
            dtype=torch.float32,
            sets=tuple(sets),
            latents=torch.zeros(count, channels, 8, 8),
            inversion=None if residuals is None else an_inversion(residuals, tolerance),
            influence=Influence(influence, 0.1 * influence, torch.full((count,), 2)),
            distortion=Distortion(
                values, torch.full((count,), standard_error).double(), torch.full((count,), 3), left_out
            ),
            shown=shown,
            decoded=np.full((len(shown), *SIZE, 3), 128, np.uint8),
            seconds={"inversion": 1.25, "influence": 0.5},
        )

    return make
