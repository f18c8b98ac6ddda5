"""Blind baseline from file properties: format, size, mode, tags, strength of compression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.data import ImageFileInfo


def file_features(files: Sequence[ImageFileInfo]) -> NDArray[np.float64]:
    """Encode file properties as features.

    One-hot encodings of format and mode; logarithms of width, height, size in bytes and bytes per pixel; presence of
    EXIF tags and of a colour profile; sum of the luminance quantisation table.

    Returns:
        ``(n, formats + modes + 7)``, finite.
    """
    formats, modes = sorted({file.format for file in files}), sorted({file.mode for file in files})
    rows = [
        [
            *(file.format == name for name in formats),
            *(file.mode == name for name in modes),
            *np.log1p([file.width, file.height, file.bytes, file.bytes / max(1, file.width * file.height)]),
            file.exif,
            file.icc,
            file.quantisation,
        ]
        for file in files
    ]
    return np.array(rows, dtype=np.float64).reshape(len(files), len(formats) + len(modes) + 7)
