from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from privaudit.data.parallel import MAX_WORKERS, chunk_length, default_workers, in_order


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_results_are_in_the_order_of_the_items(workers: int, chunk: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.002 if item < 3 else 0)
        return item * item

    assert list(in_order(slow_at_first, range(23), chunk=chunk, workers=workers)) == [i * i for i in range(23)]


def test_items_are_taken_a_bounded_number_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    with closing(in_order(lambda item: item, items(), chunk=3, workers=2)) as results:
        assert next(results) == 0
        assert len(taken) == 2 * 2 * 3


def test_an_error_arrives_at_its_place_and_ends_the_threads() -> None:
    def fail_at_five(item: int) -> int:
        if item == 5:
            raise OSError("five")
        return item

    results = in_order(fail_at_five, range(100), workers=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="five"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-images")]


def test_closing_starts_nothing_more() -> None:
    started: list[int] = []
    with closing(in_order(lambda item: started.append(item), range(1000), workers=2)) as results:
        next(results)
    assert len(started) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-images")]


def test_one_worker_is_the_thread_of_the_caller() -> None:
    assert set(in_order(lambda item: threading.get_ident(), range(3), workers=1)) == {threading.get_ident()}


def test_tasks_are_large_for_small_images_and_single_for_large_ones() -> None:
    assert [chunk_length((side, side)) for side in (8, 64, 128, 512, 1024)] == [64, 64, 16, 1, 1]
    assert 1 <= default_workers() <= MAX_WORKERS
