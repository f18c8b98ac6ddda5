"""Names of a network's modules in the code that published it, made from the modules of the network itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from torch import nn

from privaudit.loading.original.autoencoder import autoencoder_names
from privaudit.loading.original.place import Place
from privaudit.loading.original.transformers import TABLES, Table
from privaudit.loading.original.unet import ldm_names

SHIFT_FIRST = {"AuraFlowTransformer2DModel": "modF.1"}
OF_OTHERS = "final_layer.adaLN_modulation.1"
"""Layer whose output is shift, then scale, which is the other way round in diffusers: by class, and of any other."""
NAMED = {"UNet2DConditionModel": ldm_names, "AutoencoderKL": autoencoder_names}
"""Functions that list names and paths, by class of the network."""


def original_names(network: nn.Module, component: str) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """List the names of a network's modules in the code that published it.

    Args:
        network: Denoiser or autoencoder of diffusers.
        component: Its component name.

    Yields:
        Name and places. Nothing for networks whose names are the same.
    """
    kind = type(network).__name__
    modules = dict(network.named_modules())
    if kind in NAMED:
        yield from ((name, (Place(component, path),)) for name, path in NAMED[kind](network) if path in modules)
    for name, paths in _numbered(TABLES.get(kind, {}), modules):
        yield name, _places(component, name, paths, modules)
    last = SHIFT_FIRST.get(kind, OF_OTHERS)
    if kind in TABLES and "norm_out.linear" in modules and last not in TABLES[kind]:
        yield last, (_swapped(component, "norm_out.linear", modules),)


def _numbered(table: Table, modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, paths in table.items():
        start, numbered, _ = paths[0].partition("{i}")
        number = 0
        while (start + str(number) in modules) if numbered else number == 0:
            each = tuple(path.format(i=number) for path in paths)
            if all(path in modules for path in each):  # some blocks lack some parts
                yield name.format(i=number), each
            number += 1


def _places(component: str, name: str, paths: tuple[str, ...], modules: Mapping[str, nn.Module]) -> tuple[Place, ...]:
    if len(paths) > 1:
        ends = accumulate((_outputs(modules[path]) for path in paths), initial=0)
        rows = [(slice(*each),) for each in pairwise(ends)]
        return tuple(Place(component, path, part) for path, part in zip(paths, rows, strict=True))
    # The context of the last block is normalised like an output, with scale and shift alone.
    block = paths[0].removesuffix(".norm1_context.linear")
    if block != paths[0] and type(modules[f"{block}.norm1_context"]).__name__ == "AdaLayerNormContinuous":
        return (_swapped(component, paths[0], modules),)
    return (Place(component, paths[0]),)


def _swapped(component: str, path: str, modules: Mapping[str, nn.Module]) -> Place:
    outputs = _outputs(modules[path])
    return Place(component, path, (slice(outputs // 2, outputs), slice(0, outputs // 2)))


def _outputs(module: nn.Module) -> int:
    return int(module.get_parameter("weight").shape[0])
