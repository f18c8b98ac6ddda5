"""What a long computation reports while it runs."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""Called with (stage, images done, images in all)."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
