"""The bytes that are alive at once: what an operation makes, and nothing that was there before."""

from __future__ import annotations

import torch
from torch import nn

from privaudit.execution.live_memory import LiveMemory


def test_what_is_freed_leaves_room_for_what_comes_after() -> None:
    with LiveMemory() as memory:
        for _ in range(3):
            torch.zeros(100) + 1  # two of 400 bytes at once
    assert memory.peak == 800


def test_what_is_kept_adds_up() -> None:
    with LiveMemory() as memory:
        kept = [torch.zeros(100) for _ in range(3)]
    assert (memory.peak, len(kept)) == (1200, 3)


def test_weights_and_inputs_were_there_before() -> None:
    layer, inputs = nn.Linear(1000, 10), torch.zeros(2, 1000)
    with torch.no_grad(), LiveMemory() as memory:
        layer.weight.t()  # a view
        layer(inputs)
    assert memory.peak == 2 * 10 * 4


def test_it_counts_without_computing() -> None:
    inputs = torch.empty(2**40, device="meta")
    with LiveMemory() as memory:
        inputs + 1
    assert memory.peak == 4 * 2**40
