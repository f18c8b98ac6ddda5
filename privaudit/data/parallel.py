"""Work on many images in threads, ahead of the caller, with results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_WORKERS = 8
"""Maximum number of threads by default."""
CHUNK_PIXELS = 2**18
"""Pixels that a thread reads at once: one image of 512x512, or sixty-four of 64x64, for which a task each costs more
time than it saves."""
MAX_CHUNK = 64


def default_workers() -> int:
    """Return the number of threads that read images: the usable cores, at most `MAX_WORKERS`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_WORKERS)


def chunk_length(size: tuple[int, int]) -> int:
    """Return how many images of a size (height, width) are one task."""
    return max(1, min(MAX_CHUNK, CHUNK_PIXELS // (size[0] * size[1])))


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, chunk: int = 1, workers: int | None = None
) -> Generator[Result]:
    """Apply a function to items in threads and yield the results in the order of the items.

    Threads and not processes: Pillow decodes and resizes without holding the interpreter's lock, and processes that are
    forked next to torch can hang. At most two tasks per thread are ahead of the caller, so that memory does not grow
    with the number of items. Close the iterator (``contextlib.closing``) to stop early; running tasks end first.

    Args:
        function: Function of an item that may run in any thread.
        items: Items.
        chunk: Items per task.
        workers: Threads; by default `default_workers`. One means none: the caller's thread does the work.

    Yields:
        Results.
    """
    workers = default_workers() if workers is None else workers
    if workers == 1:
        yield from map(function, items)
        return
    remaining = iter(items)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="read-images")
    try:
        ahead: deque[Future[list[Result]]] = deque()
        while True:
            while len(ahead) < 2 * workers and (batch := list(islice(remaining, chunk))):
                ahead.append(executor.submit(lambda items: [function(item) for item in items], batch))
            if not ahead:
                return
            yield from ahead.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
