"""All figures of a geometry: a map per image, the distortion of each set, and the most and least distorted images."""

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
"""Text for each quarter from 1 to 4; entry 0 is for images without a quarter."""
MAX_STEM = 80
"""Maximum number of characters of an image's file name in the file name of its map."""


def plot_geometry(geometry: GeometryMap, on_progress: OnProgress | None = None) -> list[Path]:
    """Draw all figures into the folder of the geometry.

    Returns:
        Paths of the figures: first those of all images together, then one map per image.

    Raises:
        DataError: An image changed since it was measured.
    """
    paths = [geometry.folder / "distortion.png", geometry.folder / "extremes.png"]
    plot_distortion(geometry, paths[0])
    extremes = geometry.shown[: 2 * EXTREMES]
    size = geometry.info.image_size
    plot_extremes(geometry, np.stack([_read_image(geometry.samples[row], size) for row in extremes]), paths[1])
    return paths + plot_maps(geometry, on_progress)


def plot_maps(geometry: GeometryMap, on_progress: OnProgress | None = None) -> list[Path]:
    """Draw a map of each image of ``geometry.drawn``. File names start with the rank: 1 is the most distorted image.

    Returns:
        Paths of the maps, sorted.

    Raises:
        DataError: An image changed since it was measured.
    """
    folder = geometry.folder / MAPS
    rank, quartile, samples, labels = geometry.rank, geometry.quartile, geometry.samples, geometry.labels
    figure = InfluenceMap(geometry.info.latent_shape, geometry.info.image_size)
    digits = len(str(len(samples)))
    paths = []
    for number, row in enumerate(geometry.drawn):
        influence = geometry.influence.values[row]
        note = (
            f"{shorten(labels[row], 40)} · distortion {geometry.distortion.values[row]:.1f} · "
            f"rank {rank[row]} of {len(samples)}{QUARTERS[quartile[row]]}"
        )
        page = MapPage(
            image=_read_image(samples[row], geometry.info.image_size),
            decoded=geometry.decoded[number],
            influence=influence.numpy(),
            mask=influence_mask(influence[None], geometry.options.drop)[0].bool().numpy(),
            name=samples[row].path.name,
            note=note,
        )
        folder.mkdir(exist_ok=True)
        # The rank makes the name unique: images in different folders may have the same file name.
        path = folder / f"{rank[row]:0{digits}}-{samples[row].path.stem[:MAX_STEM]}.png"
        figure.draw(page, path)
        paths.append(path)
        if on_progress is not None:
            on_progress("maps", number + 1, len(geometry.drawn))
    return sorted(paths)


def _read_image(sample: Sample, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image again, preprocessed as for the autoencoder, ``(height, width, 3)``."""
    pixels = load_images([sample], size)[0].transpose(1, 2, 0)
    image: NDArray[np.uint8] = np.rint((pixels + 1) * 127.5).astype(np.uint8)
    return image
