"""Standard output that may be closed before everything was written."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def to_reader() -> Generator[None]:
    """Let a reader such as ``head`` go when it has seen enough: the files are written, and the exit code stands."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
