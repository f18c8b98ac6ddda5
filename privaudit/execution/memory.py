"""Free memory, and the memory that one differentiated pass holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from privaudit.errors import ConfigError

MAX_MEMORY_FRACTION = 0.5
"""Fraction of the free memory that a stage may use; other processes and fragmentation need the rest."""
PROC_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_FILES = {  # by version: folder, limit, usage, and the reclaimable page cache that the usage includes
    "v1": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "v2": ("", "memory.max", "memory.current", "inactive_file"),
}


def free_bytes(device: torch.device) -> int:
    """Memory that can still be allocated.

    On a CPU, this is the memory available without swapping, or what the limit of a container (cgroup v1 or v2) leaves,
    whichever is less. On CUDA, it is the free memory of the driver and the unused memory of torch's allocator.

    Returns:
        Bytes, at least 0.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_cgroup_headroom()]))


def pass_bytes(function: Callable[[Tensor], Tensor], inputs: Tensor) -> int:
    """Bytes per item that a pass holds until its derivative is taken, measured on one item.

    The output and every tensor that autograd saves are counted, each storage once, without parameters. Not counted are
    the temporary tensors of single operations and of the backward pass, fragmentation, and what a custom
    `torch.autograd.Function` stores outside `save_for_backward`. Weights that are not an `nn.Parameter`, such as
    buffers or copies of weights in another type, are counted per item although they exist once.

    Args:
        function: Function from ``(n, ...)`` to ``(n, ...)`` that treats each item alone.
        inputs: One or more items; only the first is used.

    Returns:
        Bytes, more than 0.

    Raises:
        ConfigError: There is no item.
    """
    if not len(inputs):
        raise ConfigError(["expected one or more items to measure a pass on, got none"])
    # By the address of the storage. The tensors are held, or a freed address could be counted for another one.
    saved_tensors: dict[int, Tensor] = {}

    def record(saved: Tensor) -> Tensor:
        owner = saved if saved._base is None else saved._base  # a view of a parameter, such as W.T, is no extra memory
        if not isinstance(owner, nn.Parameter):
            saved_tensors[saved.untyped_storage().data_ptr()] = saved.detach()
        return saved

    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs[:1].detach().clone().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(record, lambda saved: saved):
            output = function(leaf)
        saved_tensors[output.untyped_storage().data_ptr()] = output.detach()
        return sum(tensor.untyped_storage().nbytes() for tensor in saved_tensors.values())


def items_within(budget: int, bytes_per_item: int, limit: int) -> int:
    """Number of items that fit into a budget of bytes.

    Returns:
        From 1 to ``limit``; a single item is tried even if it should not fit.
    """
    return max(1, min(limit, budget // max(1, bytes_per_item)))


def _cgroup_headroom() -> Iterator[int]:
    """Bytes that each memory limit around this process leaves; none outside Linux."""
    try:
        lines = PROC_CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, *files = CGROUP_FILES["v1" if controllers else "v2"]
        root = CGROUPS / top
        group = root / path.lstrip("/")
        # The limits of all enclosing groups apply. In a container only the root is mounted, and it is its own group.
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                yield from _headroom(folder, *files)


def _headroom(folder: Path, limit_file: str, usage_file: str, cache_key: str) -> Iterator[int]:
    """Limit minus usage of one group, if it has a limit; page cache counts as free."""
    try:
        limit = (folder / limit_file).read_text(encoding="utf-8").strip()
        if limit.isdigit():  # without a limit, v2 writes "max" and v1 a number that exceeds any memory
            used = int((folder / usage_file).read_text(encoding="utf-8"))
            counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
            yield int(limit) - used + int(counts.get(cache_key, 0))
    except OSError:
        return
