"""Captions from simple properties of an image: its folder, its position in the photograph, its mean colour."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.data import Sample

POSITION = re.compile(r"-(\d+)-(\d+)$")
"""Row and column at the end of a file name, as in `privaudit.lab.photographs.Crop.name`."""
HUES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "teal"), (260, "blue"), (330, "purple"))
"""Upper end of each hue in degrees; above the last one, red again."""
MAX_DARK, MIN_LIGHT = 0.3, 0.65
"""Lightness below which a colour is dark, and above which it is light."""
MAX_GREY = 0.15
"""Range of the channels below which a colour is grey."""


def caption_images(samples: Sequence[Sample], images: NDArray[np.float32]) -> tuple[str, ...]:
    """Describe images as in "chelsea, row 3 column 12, dark orange".

    A caption has the name of the folder, then the position if the file name ends in row and column, then the colour of
    the mean pixel. A caption from the manifest is used unchanged.

    Args:
        samples: Samples of the images.
        images: ``(n, 3, height, width)``, in [-1, 1].

    Returns:
        One caption per image.
    """
    means = (images.mean(axis=(2, 3)) + 1) / 2
    return tuple(
        sample.caption if sample.caption is not None else ", ".join((*_name(sample), name_colour(*map(float, mean))))
        for sample, mean in zip(samples, means, strict=True)
    )


def name_colour(red: float, green: float, blue: float) -> str:
    """Name a colour: light or dark by the mean of its brightest and darkest channel, grey if the channels are close.

    Args:
        red: Red channel, in [0, 1].
        green: Green channel, in [0, 1].
        blue: Blue channel, in [0, 1].

    Returns:
        One or two words.

    Examples:
        >>> name_colour(0.4, 0.2, 0.0)
        'dark orange'
    """
    hue, lightness, _ = colorsys.rgb_to_hls(red, green, blue)
    name = next((name for end, name in HUES if hue * 360 < end), "red")
    if max(red, green, blue) - min(red, green, blue) < MAX_GREY:
        name = "grey"
    return f"{'dark ' if lightness < MAX_DARK else 'light ' if lightness > MIN_LIGHT else ''}{name}"


def _name(sample: Sample) -> tuple[str, ...]:
    position = POSITION.search(sample.path.stem)
    words = re.sub(r"[\W_]+", " ", sample.path.parent.name).strip().lower()
    source = (words,) if words else ()
    return source if position is None else (*source, f"row {int(position[1])} column {int(position[2])}")
