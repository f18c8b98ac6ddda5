"""Memory budget for the decoded pixels of a run."""

from __future__ import annotations

import torch

from privaudit.data import PixelBudget
from privaudit.execution.memory import free_bytes

MAX_PIXEL_FRACTION = 0.25
"""Maximum fraction of the free memory for decoded pixels; images beyond it are decoded again by each stage."""


def pixel_budget() -> PixelBudget:
    """Return a budget of `MAX_PIXEL_FRACTION` of the memory that is free now."""
    return PixelBudget(int(MAX_PIXEL_FRACTION * free_bytes(torch.device("cpu"))))
