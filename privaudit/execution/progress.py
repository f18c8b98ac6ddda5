"""Progress of a long computation."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""Called with (stage, completed images, all images)."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
