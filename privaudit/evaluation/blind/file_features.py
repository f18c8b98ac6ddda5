"""What the files say about themselves: format, size, mode, tags, strength of compression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privaudit.data import ImageFileInfo


def file_features(facts: Sequence[ImageFileInfo]) -> NDArray[np.float64]:
    """Bring file properties into columns.

    Whether the format is each of those that occur, the same for the mode; logs of width, height, size in bytes and
    bytes a pixel; whether there are EXIF tags and a colour profile; sum of the luminance quantisation table.

    Returns:
        ``(n, formats + modes + 7)``, finite.
    """
    formats, modes = sorted({fact.format for fact in facts}), sorted({fact.mode for fact in facts})
    rows = [
        [
            *(fact.format == name for name in formats),
            *(fact.mode == name for name in modes),
            *np.log1p([fact.width, fact.height, fact.bytes, fact.bytes / max(1, fact.width * fact.height)]),
            fact.exif,
            fact.icc,
            fact.quantisation,
        ]
        for fact in facts
    ]
    return np.array(rows, dtype=np.float64).reshape(len(facts), len(formats) + len(modes) + 7)
