"""Blind baseline from file properties: format, size, mode, tags, strength of compression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.data import ImageFileInfo


def file_features(files: Sequence[ImageFileInfo]) -> NDArray[np.float64]:
    """Encode file properties as features.

    One-hot encodings of format and mode; logarithms of width, height, size in bytes and bytes per pixel; presence of
    EXIF tags and of a colour profile; sum of the luminance quantisation table; one-hot encoding of orientation tags,
    and presence of transparent pixels, where there are any.

    Returns:
        ``(n, formats + modes + 7 + orientation tags)``, and one more with transparent pixels; finite.
    """
    formats, modes = sorted({file.format for file in files}), sorted({file.mode for file in files})
    # no constant columns for sets without any, whose results stay those of earlier releases
    tags = sorted({file.orientation for file in files} - {1})
    transparent = sorted({file.transparent for file in files} - {False})
    rows = [
        [
            *(file.format == name for name in formats),
            *(file.mode == name for name in modes),
            *np.log1p([file.width, file.height, file.bytes, file.bytes / max(1, file.width * file.height)]),
            file.exif,
            file.icc,
            file.quantisation,
            *(file.orientation == tag for tag in tags),
            *(file.transparent == value for value in transparent),
        ]
        for file in files
    ]
    columns = len(formats) + len(modes) + 7 + len(tags) + len(transparent)
    return np.array(rows, dtype=np.float64).reshape(len(files), columns)
