from __future__ import annotations

import weakref
from pathlib import Path

import pytest
import torch

from privaudit.data import Sample
from privaudit.execution.batching import Batcher, auto_batch_size

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


@pytest.mark.parametrize(("size", "wanted"), [(None, 1), (7, 7)])
def test_a_size_that_is_given_is_not_chosen(size, wanted):
    assert Batcher.of(size, (512, 512), torch.device("cpu")) == Batcher(wanted)


@pytest.mark.parametrize("size", [1, 4, 10, 64])
def test_parts_of_a_tensor_stay_tensors(size):
    done: list[int] = []
    values = torch.arange(20.0).view(10, 2)
    found = Batcher(size).parts(values, lambda batch: (batch, len(batch)), done.append)
    assert [count for _, count in found] == [len(part) for part in values.split(size)]
    assert torch.equal(torch.cat([batch for batch, _ in found]), values)
    # nothing is copied, so nothing has moved
    assert found[0][0].data_ptr() == values.data_ptr()
    assert done == [min(end, 10) for end in range(size, 10 + size, size)]


def test_parts_of_any_sequence_without_progress():
    assert Batcher(4).parts("abcdefghij", str.upper) == ["ABCD", "EFGH", "IJ"]
    assert Batcher(4).parts([], len) == []


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError("Unable to allocate 8.00 EiB for an array with shape (1152921504606846976,)"),
]
ALLOCATORS = ["cuda", "linux", "windows", "cublas", "numpy"]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=ALLOCATORS)
def test_what_every_allocator_says_halves_the_batch(error):
    def small_memory(batch: torch.Tensor) -> int:
        if len(batch) > 3:
            raise error
        return len(batch)

    batcher = Batcher(8)
    done: list[int] = []
    assert batcher.parts(torch.zeros(5), small_memory, done.append) == [2, 2, 1]
    assert (batcher.size, done) == (2, [2, 4, 5])


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=ALLOCATORS)
def test_one_item_that_does_not_fit_is_an_error(error):
    def no_memory(batch: torch.Tensor) -> None:
        raise error

    with pytest.raises((RuntimeError, MemoryError)) as caught:
        Batcher(4).parts(torch.zeros(5), no_memory)
    assert caught.value is error


def test_the_cpu_allocators_own_failure_halves_the_batch():
    def huge(batch: torch.Tensor) -> int:
        return len(batch) if len(batch) == 1 else torch.empty(2**60).numel()

    batcher = Batcher(2)
    assert batcher.parts(torch.zeros(3), huge) == [1, 1, 1]
    assert batcher.size == 1


def test_what_a_failed_batch_held_is_freed_before_the_next_is_tried(monkeypatch: pytest.MonkeyPatch):
    held: list[weakref.ref] = []
    alive: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[-1]() is not None))

    def small_memory(batch: torch.Tensor) -> int:
        activations = torch.zeros(len(batch))
        held.append(weakref.ref(activations))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return len(activations)

    assert Batcher(8).parts(torch.zeros(4), small_memory) == [2, 2]
    assert alive == [False, False]


def test_other_errors_pass():
    def wrong(batch: torch.Tensor) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    batcher = Batcher(8)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        batcher.parts(torch.zeros(5), wrong)
    assert batcher.size == 8
