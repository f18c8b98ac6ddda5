"""Builds a component of a pipeline from its configuration and the weights of a single file, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from privaudit.errors import TargetError
from privaudit.loading.json_files import read_json
from privaudit.loading.original.original_names import original_names
from privaudit.loading.single_file.checkpoint import SingleFile
from privaudit.loading.single_file.text_names import of_clip, of_open_clip, of_t5

ENDS = (("weight", "weight"), ("bias", "bias"), ("scale", "weight"))
"""Ends of keys, with the parameter that each is; norms of Flux call their weight a scale."""
TABLES = {"pos_embed": "pos_embed.pos_embed"}
"""Tensors of original code that belong to no layer."""


def build_component(file: SingleFile, component: str, kind: Any, folder: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """Build a component, and load its weights from a single file.

    Args:
        file: The file, which holds the component.
        component: Name of the component.
        kind: Its class in diffusers or transformers.
        folder: Folder of its configuration.
        dtype: Precision of its weights.

    Returns:
        The model.

    Raises:
        TargetError: The file lacks weights, has further ones, or has them in other shapes.
    """
    config = read_json(folder / "config.json")
    with init_empty_weights(), torch.random.fork_rng(devices=[]):
        if issubclass(kind, PreTrainedModel):
            model = kind(kind.config_class.from_dict(config))
        else:
            model = kind.from_config(config)
    weights = component_weights(file, component, model)
    _require_fit(weights, dict(model.state_dict()), file, component, folder)
    model.load_state_dict({name: values.to(dtype) for name, values in weights.items()}, assign=True, strict=False)
    if issubclass(kind, PreTrainedModel):
        model.tie_weights()
    return model


def component_weights(file: SingleFile, component: str, model: nn.Module) -> dict[str, Tensor]:
    """Read the weights of a component, in the names of its class.

    Args:
        file: The file, which holds the component.
        component: Name of the component.
        model: Model of its class, whose weights may be empty.

    Returns:
        Weights by name, in the precision of the file; names that nothing stands for are kept as they are.
    """
    start, keys = file.keys[component]
    with safe_open(file.path, framework="pt") as opened:
        tensors = {key.removeprefix(start): opened.get_tensor(key) for key in keys}
    wanted = dict(model.state_dict())
    match file.styles[component]:
        case "clip":
            return of_clip(tensors, wanted, component)
        case "open_clip":
            return of_open_clip(tensors, wanted)
        case "t5":
            return of_t5(tensors, wanted)
    return _of_original(tensors, wanted, model)


def _of_original(tensors: dict[str, Tensor], wanted: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, places in original_names(model, ""):
        for end, kind in ENDS:
            values = tensors.pop(f"{name}.{end}", None)
            for place in places if values is not None else ():
                assert values is not None
                rows = values if place.rows is None else torch.cat([values[part] for part in place.rows])
                key = f"{place.module}.{kind}"
                # A linear map of attention was a convolution of one pixel.
                flat = key in wanted and wanted[key].shape != rows.shape and wanted[key].shape == rows.squeeze().shape
                named[key] = (rows.squeeze() if flat else rows).contiguous()
    return named | {TABLES.get(name, name): values for name, values in tensors.items()}


def _require_fit(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: SingleFile, component: str, folder: Path
) -> None:
    weighted = {name for name, values in wanted.items() if values.is_floating_point()}
    missing = sorted(weighted - set(weights) - _tied(wanted))
    further = sorted(set(weights) - set(wanted))
    shapes = [name for name in sorted(weighted & set(weights)) if weights[name].shape != wanted[name].shape]
    problem = ""
    if missing or further:
        first = f"{len(missing)} are missing, such as {missing[0]}" if missing else ""
        second = f"{len(further)} have no place, such as {further[0]}" if further else ""
        problem = " and ".join(part for part in (first, second) if part)
    elif shapes:
        name = shapes[0]
        problem = f"{name} is {tuple(weights[name].shape)} and not {tuple(wanted[name].shape)}"
    if problem:
        raise TargetError(
            f"expected the weights of {component} as {folder} describes it, but in {file.path} {problem}; pass "
            "--config-from with a pipeline of the kind of the file"
        )


def _tied(wanted: Mapping[str, Tensor]) -> set[str]:
    return {"encoder.embed_tokens.weight"} & set(wanted) if "shared.weight" in wanted else set()
