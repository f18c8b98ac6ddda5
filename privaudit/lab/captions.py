"""Captions from what is known of an image without looking at it long: its folder, its place, its colour."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.data import Sample

PLACED = re.compile(r"-(\d+)-(\d+)$")
"""Row and column at the end of a file's name, as in `privaudit.lab.photographs.Crop.name`."""
HUES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "teal"), (260, "blue"), (330, "purple"))
"""Upper end of each hue in degrees; red again above the last."""
DARK, LIGHT, GREY = 0.3, 0.65, 0.15


def caption_images(samples: Sequence[Sample], images: NDArray[np.float32]) -> tuple[str, ...]:
    """Describe images as in "chelsea, row 3 column 12, dark orange".

    The folder's name, then the place if the file's name ends in row and column, then the colour of the mean pixel. A
    caption that the manifest gives is kept as it is.

    Args:
        samples: Where the images come from.
        images: ``(n, 3, height, width)``, in [-1, 1].

    Returns:
        One caption an image.
    """
    means = (images.mean(axis=(2, 3)) + 1) / 2
    return tuple(
        sample.caption if sample.caption is not None else ", ".join((*_name(sample), name_colour(*map(float, mean))))
        for sample, mean in zip(samples, means, strict=True)
    )


def name_colour(red: float, green: float, blue: float) -> str:
    """Name a colour: light or dark by the mean of its brightest and darkest channel, grey if the channels are close.

    Args:
        red: In [0, 1].
        green: In [0, 1].
        blue: In [0, 1].

    Returns:
        One or two words.

    Examples:
        >>> name_colour(0.4, 0.2, 0.0)
        'dark orange'
    """
    hue, lightness, _ = colorsys.rgb_to_hls(red, green, blue)
    name = next((name for end, name in HUES if hue * 360 < end), "red")
    if max(red, green, blue) - min(red, green, blue) < GREY:
        name = "grey"
    return f"{'dark ' if lightness < DARK else 'light ' if lightness > LIGHT else ''}{name}"


def _name(sample: Sample) -> tuple[str, ...]:
    place = PLACED.search(sample.path.stem)
    words = re.sub(r"[\W_]+", " ", sample.path.parent.name).strip().lower()
    source = (words,) if words else ()
    return source if place is None else (*source, f"row {int(place[1])} column {int(place[2])}")
