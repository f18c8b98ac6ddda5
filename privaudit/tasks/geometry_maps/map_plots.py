"""Every picture of a geometry: a map per image, distortion by set, the extremes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privaudit.data import Sample, load_images
from privaudit.decoder_geometry import influence_mask
from privaudit.execution.progress import OnProgress
from privaudit.report.plots.canvas import shorten
from privaudit.tasks.geometry_maps import EXTREMES, MAPS, GeometryMap
from privaudit.tasks.geometry_maps.distortion_plot import plot_distortion
from privaudit.tasks.geometry_maps.extremes_plot import plot_extremes
from privaudit.tasks.geometry_maps.influence_map import InfluenceMap, MapPage

QUARTERS = ("", ", lowest quarter", ", second quarter", ", third quarter", ", highest quarter")
"""By number; 0 is none."""
LONGEST = 80
"""Letters of an image's name in the name of its map."""


def plot_geometry(found: GeometryMap, on_progress: OnProgress | None = None) -> list[Path]:
    """Draw everything into the folder of the geometry.

    Returns:
        The pictures: those of all images, then one per image.

    Raises:
        DataError: An image changed since it was measured.
    """
    paths = [found.folder / "distortion.png", found.folder / "extremes.png"]
    plot_distortion(found, paths[0])
    ends = found.shown[: 2 * EXTREMES]
    plot_extremes(found, np.stack([_picture(found.samples[row], found.info.image_size) for row in ends]), paths[1])
    return paths + plot_maps(found, on_progress)


def plot_maps(found: GeometryMap, on_progress: OnProgress | None = None) -> list[Path]:
    """Draw a map of each image that is to have one, named by its rank in distortion: 1 is the most distorted.

    Returns:
        The pictures.

    Raises:
        DataError: An image changed since it was measured.
    """
    folder = found.folder / MAPS
    rank, quartile, samples, labels = found.rank, found.quartile, found.samples, found.labels
    figure = InfluenceMap(found.info.latent_shape, found.info.image_size)
    digits = len(str(len(samples)))
    paths = []
    for place, row in enumerate(found.drawn):
        influence = found.influence.values[row]
        note = (
            f"{shorten(labels[row], 40)} · distortion {found.distortion.values[row]:.1f} · "
            f"rank {rank[row]} of {len(samples)}{QUARTERS[quartile[row]]}"
        )
        page = MapPage(
            picture=_picture(samples[row], found.info.image_size),
            decoded=found.decoded[place],
            influence=influence.numpy(),
            kept=influence_mask(influence[None], found.options.drop)[0].bool().numpy(),
            name=samples[row].path.name,
            note=note,
        )
        folder.mkdir(exist_ok=True)
        path = folder / f"{rank[row]:0{digits}}-{samples[row].path.stem[:LONGEST]}.png"
        figure.draw(page, path)
        paths.append(path)
        if on_progress is not None:
            on_progress("maps", place + 1, len(found.drawn))
    return sorted(paths)


def _picture(sample: Sample, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image again as the autoencoder saw it."""
    pixels = load_images([sample], size)[0].transpose(1, 2, 0)
    picture: NDArray[np.uint8] = np.rint((pixels + 1) * 127.5).astype(np.uint8)
    return picture
