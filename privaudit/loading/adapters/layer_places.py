"""Finds the modules that the names in an adapter file stand for, in every style that trainers write.

=================================  ==================================================================================
diffusers, peft                    ``unet.``, ``transformer.``, ``text_encoder.`` or ``base_model.model.``, and the path
kohya's scripts                    ``lora_unet_``, ``lora_te_``, ``lora_te1_``, and the path with ``_`` for ``.``
ComfyUI, ai-toolkit                ``diffusion_model.`` and the path
all of them, of original code      the path in the code that published it (see `privaudit.loading.original`)
=================================  ==================================================================================

All names of a network are made from its own modules, so that none is guessed; a name that two modules share has no
place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from torch import nn

from privaudit.loading.original.original_names import original_names
from privaudit.loading.original.place import Place

Places = tuple[Place, ...]
DOTTED = ("", "base_model.model.", "diffusion_model.", "model.diffusion_model.", "transformer.", "unet.")
"""Starts of the dotted names of a denoiser; files with one network alone name no component."""
UNDERSCORED = ("lora_unet_", "lora_transformer_", "lycoris_", "lycoris_unet_")
"""Starts of the underscored names of a denoiser."""
OF_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "text_encoder": ("lora_te_", "lora_te1_", "lycoris_te_"),
    "text_encoder_2": ("lora_te2_",),
    "text_encoder_3": ("lora_te3_",),
}
OLD_PROCESSOR = re.compile(r"\.processor\.(to_q|to_k|to_v|to_out)$")
"""LoRA of early versions of diffusers, which was part of an attention processor."""


def find_places(names: Iterable[str], components: Mapping[str, nn.Module]) -> dict[str, Places]:
    """Find the modules that the layers of an adapter change.

    Args:
        names: Names of the layers, without the ends that name their factors.
        components: Denoiser and text encoders, by component name.

    Returns:
        Places by name; names without a place are left out.
    """
    known: dict[str, Places] = {}
    shared = set()
    for name, places in _all_names(components):
        if known.setdefault(name, places) != places:
            shared.add(name)
    spelt = {name: next((each for each in _spellings(name) if each in known), None) for name in names}
    return {name: known[key] for name, key in spelt.items() if key is not None and key not in shared}


def _spellings(name: str) -> tuple[str, ...]:
    """List the name and what it is today in diffusers, where ``to_out`` holds a linear map and a dropout."""
    modern = OLD_PROCESSOR.sub(r".\1", name)
    return name, modern, f"{modern}.0"


def _all_names(components: Mapping[str, nn.Module]) -> Iterator[tuple[str, Places]]:
    for component, network in components.items():
        paths = [path for path, module in network.named_modules() if path and "weight" in module._parameters]
        if component.startswith("text_encoder"):
            yield from _of_encoder(component, paths, components)
        else:
            yield from _of_denoiser(component, network, paths)


def _of_denoiser(component: str, network: nn.Module, paths: list[str]) -> Iterator[tuple[str, Places]]:
    named: list[tuple[str, Places]] = [(path, (Place(component, path),)) for path in paths]
    for path, places in (*named, *original_names(network, component)):
        for start in DOTTED:
            yield start + path, places
        for start in UNDERSCORED:
            yield start + path.replace(".", "_"), places


def _of_encoder(component: str, paths: list[str], components: Mapping[str, nn.Module]) -> Iterator[tuple[str, Places]]:
    starts = OF_ENCODERS.get(component, ())
    if component == "text_encoder_2" and "text_encoder_3" not in components:
        starts += OF_ENCODERS["text_encoder_3"]  # of kohya's Flux scripts, whose T5 is always the third
    for path in paths:
        places = (Place(component, path),)
        # CLIP of transformers 5 has lost the level "text_model", which files have and later versions may have again.
        inner = path.removeprefix("text_model.")
        for each in (inner, f"text_model.{inner}"):
            yield f"{component}.{each}", places
            yield f"{component}.base_model.model.{each}", places
            # A folder of peft names no component. Two encoders with the same names leave it without a place.
            yield f"base_model.model.{each}", places
            yield from ((start + each.replace(".", "_"), places) for start in starts)
