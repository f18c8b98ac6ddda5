"""The budget of decoded pixels of a run."""

from __future__ import annotations

import torch

from privaudit.data import PixelBudget
from privaudit.execution.memory import free_bytes

PIXEL_SHARE = 0.25
"""Fraction of the free memory that decoded pixels may take; images beyond it are decoded again by each stage."""


def pixel_budget() -> PixelBudget:
    """Return a budget of `PIXEL_SHARE` of the memory that is free now."""
    return PixelBudget(int(PIXEL_SHARE * free_bytes(torch.device("cpu"))))
