"""How much memory is free, and what one differentiated pass keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from privaudit.errors import ConfigError

SHARE = 0.5
"""Of the free memory, what a stage may take: other processes and the allocator's gaps need the rest."""
PROC_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_FILES = {  # by version: folder, limit, usage, and the reclaimable page cache that the usage includes
    "v1": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "v2": ("", "memory.max", "memory.current", "inactive_file"),
}


def free_bytes(device: torch.device) -> int:
    """Memory that can still be allocated.

    On a CPU what the system can give without swapping, or less where a container's limit (cgroup v1 or v2) is nearer.
    On CUDA what the driver says is free, and what torch's allocator holds unused.

    Returns:
        Bytes, at least 0.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_cgroup_rooms()]))


def pass_bytes(function: Callable[[Tensor], Tensor], inputs: Tensor) -> int:
    """Bytes that a pass keeps for each item until its derivative is taken, measured on one item.

    These are the output and every tensor that autograd saves, each storage once, without parameters. Not seen: what
    single operations need while they run, the backward pass's own tensors, what the allocator loses between blocks,
    and what a custom `torch.autograd.Function` keeps besides `save_for_backward`. Weights that are no `nn.Parameter`,
    such as buffers, or copies of weights in another type, are counted although they exist once.

    Args:
        function: ``(n, ...)`` to ``(n, ...)``, each item alone.
        inputs: One or more; only the first is used.

    Returns:
        Bytes, more than 0.

    Raises:
        ConfigError: There is no item.
    """
    if not len(inputs):
        raise ConfigError(["expected one or more items to measure a pass on, got none"])
    kept: dict[int, Tensor] = {}  # by the address of the storage; held, so that no address is used twice

    def keep(saved: Tensor) -> Tensor:
        owner = saved if saved._base is None else saved._base
        if not isinstance(owner, nn.Parameter):
            kept[saved.untyped_storage().data_ptr()] = saved.detach()
        return saved

    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs[:1].detach().clone().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            output = function(leaf)
        kept[output.untyped_storage().data_ptr()] = output.detach()
        return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def items_within(budget: int, bytes_per_item: int, most: int) -> int:
    """Items that fit into a budget.

    Returns:
        From 1 to ``most``: a single item is tried even if it should not fit.
    """
    return max(1, min(most, budget // max(1, bytes_per_item)))


def _cgroup_rooms() -> Iterator[int]:
    """What each memory limit around this process leaves, in bytes; none outside Linux."""
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
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):  # of a container only the root is mounted, and that is its own group
                yield from _room(folder, *files)


def _room(folder: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    """Limit less usage of one group, if it has a limit; cached files give way."""
    try:
        most = (folder / limit).read_text(encoding="utf-8").strip()
        if most.isdigit():  # v2 writes "max" where there is none, v1 a number that exceeds any memory
            used = int((folder / usage).read_text(encoding="utf-8"))
            counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
            yield int(most) - used + int(counts.get(cache, 0))
    except OSError:
        return
