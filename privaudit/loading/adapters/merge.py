"""Merges an adapter into the networks of a pipeline, as a whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.adapters.adapter_file import AdapterFile, AdapterLayer, rank_of
from privaudit.loading.adapters.layer_places import Places, find_places
from privaudit.loading.adapters.weight_change import weight_change
from privaudit.loading.hashes import hash_files
from privaudit.model.model_files import MergedAdapter

KINDS = {"hada": "LoHa", "lokr": "LoKr", "magnitude": "DoRA", "dora scale": "DoRA", "difference": "full difference"}
"""Kind of a layer by the start of one of its roles; LoRA for any other."""
MIN_KEPT = 0.9
"""Smallest part of a change that may be left after rounding to the precision of the weights."""


def merge_adapter(adapter: AdapterFile, components: Mapping[str, nn.Module], scale: float = 1.0) -> MergedAdapter:
    """Add the change of every layer of an adapter to the weights that it belongs to.

    A change is computed in float32 from the current weight and added in the precision of that weight. One adapter after
    another adds up, but for DoRA, whose change depends on the weights that it meets.

    Args:
        adapter: Adapter.
        components: Denoiser and text encoders, by component name, which are changed in place.
        scale: Factor on the changes.

    Returns:
        What was merged.

    Raises:
        TargetError: A layer has no place, another shape or values that are not finite, or the adapter changes nothing
            or little in the precision of the weights; they may then have been changed in part, and must not be used.
    """
    places = find_places([layer.name for layer in adapter.layers], components)
    _require_all(adapter, places)
    _require_once(adapter, places)
    counts: Counter[str] = Counter()
    sizes: dict[str, tuple[float, float]] = {}
    for layer in adapter.layers:
        component = places[layer.name][0].component
        wanted, remaining = sizes.get(component, (0.0, 0.0))
        more_wanted, more_remaining = _merge(layer, places[layer.name], components, scale)
        sizes[component] = wanted + more_wanted, remaining + more_remaining
        counts[component] += 1
    if not any(wanted for wanted, _ in sizes.values()):
        raise TargetError(
            f"expected an adapter that changes the model, but every change in {adapter.path} is zero; it was saved "
            "before its training began: pass a later checkpoint"
        )
    _require_kept(adapter, sizes, components)
    ranks = [rank for layer in adapter.layers if (rank := rank_of(layer.factors)) is not None]
    return MergedAdapter(
        path=str(adapter.path),
        hash=hash_files(adapter.path, *([adapter.config] if adapter.config else [])),
        kind=" and ".join(sorted({kind_of(layer) for layer in adapter.layers})),
        style=adapter.style,
        scale=scale,
        layers=dict(counts),
        ranks=(min(ranks), max(ranks)) if ranks else None,
    )


def kind_of(layer: AdapterLayer) -> str:
    """Name the method of a layer."""
    return next(
        (kind for start, kind in KINDS.items() if any(role.startswith(start) for role in layer.factors)), "LoRA"
    )


def _require_all(adapter: AdapterFile, places: Mapping[str, Places]) -> None:
    """Refuse an adapter if any layer has no place: what runs would not be what was trained."""
    lost = [layer.name for layer in adapter.layers if layer.name not in places]
    if not lost:
        return
    total, fitting = len(adapter.layers), len(adapter.layers) - len(lost)
    named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    advice = (
        "it was trained on a model of another family: pass that one"
        if not fitting
        else "pass the base it was trained on"
    )
    raise TargetError(
        f"expected a place in the model for all layers of {adapter.path}, but {fitting} of {total} fit; {named} "
        f"{'has' if len(lost) == 1 else 'have'} none; {advice}"
    )


def _require_once(adapter: AdapterFile, places: Mapping[str, Places]) -> None:
    """Refuse a file that changes the same rows twice under two names, such as diffusers' and the original one."""
    changed_by: dict[tuple[str, str, object], str] = {}
    for layer in adapter.layers:
        role = "bias" if set(layer.factors) == {"bias difference"} else "weight"
        for place in places[layer.name]:
            other = changed_by.setdefault((place.component, place.module, role), layer.name)
            if other != layer.name:
                raise TargetError(
                    f"expected one change of {place.module} in {adapter.path}, got {other} and {layer.name}; save the "
                    "adapter again with the tool that trained it"
                )


def _require_kept(
    adapter: AdapterFile, sizes: Mapping[str, tuple[float, float]], components: Mapping[str, nn.Module]
) -> None:
    """Refuse a change that is smaller than the steps of the weights' precision: little of what was learned would run.

    In training, the output of an adapter is added to that of its layer, where nothing of it is lost.

    Raises:
        TargetError: Less than `MIN_KEPT` of the change of a component is left.
    """
    for component, (wanted, remaining) in sizes.items():
        if remaining < MIN_KEPT * wanted:
            dtype = str(next(components[component].parameters()).dtype).removeprefix("torch.")
            raise TargetError(
                f"expected a precision that holds the changes of {adapter.path}, but {dtype} keeps "
                f"{max(0.0, remaining / wanted):.0%} of those of the {component}; pass --dtype float32"
            )


def _merge(
    layer: AdapterLayer, places: Places, components: Mapping[str, nn.Module], scale: float
) -> tuple[float, float]:
    """Add the change of one layer.

    Returns:
        Its squared norm, and its inner product with what is left of it in the precision of the weights.

    Raises:
        TargetError: The layer has no bias, and its change has one.
    """
    modules = [components[place.component].get_submodule(place.module) for place in places]
    wanted = remaining = 0.0
    for role, name in (("weight", "weight"), ("bias difference", "bias")):
        if role == "weight" and set(layer.factors) == {"bias difference"}:
            continue
        if role != "weight" and role not in layer.factors:
            continue
        parameters = [module._parameters.get(name) for module in modules]
        if any(each is None for each in parameters):
            raise TargetError(
                f"expected a {name} in {places[0].module} for {layer.name}, which has none; pass its base"
            )
        before = _gather([each.detach().float() for each in parameters if each is not None], places)
        change = weight_change(layer, before, scale) if role == "weight" else _bias_change(layer, before, scale)
        wanted += float(change.square().sum())
        for place, parameter in zip(places, parameters, strict=True):
            assert parameter is not None
            rows = change if place.rows is None else torch.cat([change[part] for part in place.rows])
            with torch.no_grad():
                new = (parameter.float() + rows).to(parameter.dtype)
                remaining += float(((new.float() - parameter.float()) * rows).sum())
                parameter.copy_(new)
    return wanted, remaining


def _gather(weights: list[Tensor], places: Places) -> Tensor:
    """Arrange the rows of several modules as the layer of the file has them."""
    if len(places) == 1 and places[0].rows is None:
        return weights[0]
    pieces = []
    for place, weight in zip(places, weights, strict=True):
        start = 0
        for part in place.rows or ():
            pieces.append((part.start, weight[start : start + part.stop - part.start]))
            start += part.stop - part.start
    return torch.cat([piece for _, piece in sorted(pieces, key=lambda each: each[0])])


def _bias_change(layer: AdapterLayer, before: Tensor, scale: float) -> Tensor:
    change = layer.factors["bias difference"].to(before.device, torch.float32) * scale
    if change.shape != before.shape or not change.isfinite().all():
        raise TargetError(
            f"expected {len(before)} finite values for the bias of {layer.name}, got {change.numel()}; pass the base "
            "that it was trained on"
        )
    return change
