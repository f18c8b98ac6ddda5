from __future__ import annotations

from pathlib import Path

import pytest
import torch

from privaudit.batching import Batcher, auto_batch_size
from privaudit.data import Sample

SAMPLES = [Sample(str(index), Path(f"{index}.png")) for index in range(10)]


def numbers(batch: list[Sample]) -> dict[str, torch.Tensor]:
    return {"id": torch.tensor([int(sample.id) for sample in batch])}


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_joins_batches_in_order_and_reports_each(size):
    done: list[int] = []
    found = Batcher(size).run(SAMPLES, numbers, done.append)
    assert found["id"].tolist() == list(range(10))
    assert done == [min(end, 10) for end in range(size, 10 + size, size)]


def test_a_batch_that_does_not_fit_is_halved_for_good():
    tried: list[int] = []

    def small_memory(batch: list[Sample]) -> dict[str, torch.Tensor]:
        tried.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return numbers(batch)

    batcher = Batcher(8)
    assert batcher.run(SAMPLES, small_memory, lambda _: None)["id"].tolist() == list(range(10))
    assert tried[:3] == [8, 4, 2]
    assert set(tried[2:]) == {2}
    assert batcher.size == 2


def test_one_image_that_does_not_fit_is_an_error():
    def no_memory(batch: list[Sample]) -> dict[str, torch.Tensor]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Batcher(4).run(SAMPLES, no_memory, lambda _: None)


@pytest.mark.parametrize(
    ("size", "device", "wanted"),
    [((32, 32), "cpu", 64), ((512, 512), "cpu", 1), ((1024, 1024), "cpu", 1), ((512, 512), "cuda", 16)],
)
def test_automatic_batches_shrink_with_the_image(size, device, wanted):
    assert auto_batch_size(size, device) == wanted
