"""A limit on the decoded images that stay in memory, so that later stages need not decode them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class PixelBudget:
    """Memory for decoded pixels, shared by the sets of a run.

    Attributes:
        bytes_left: Bytes that are still free.
    """

    bytes_left: int

    def take(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Count pixels and return them if they fit; None if they do not."""
        if pixels.nbytes > self.bytes_left:
            return None
        self.bytes_left -= pixels.nbytes
        return pixels
