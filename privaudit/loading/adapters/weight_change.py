"""What an adapter adds to a weight: exact formulas of LoRA, DoRA, LoHa, LoKr and full differences, in float32.

=========  =========================================  ==============================================================
LoRA       s · alpha / r · B A                        Hu et al. 2021 (arXiv:2106.09685); convolutions as in LoCon
DoRA       m (W + D) / ||W + D|| - W                  Liu et al. 2024 (arXiv:2402.09353), where D is one of the others
LoHa       s · alpha / r · (A1 B1) * (A2 B2)          Hyeon-Woo et al. 2021 (arXiv:2108.06098), elementwise product
LoKr       s · alpha / r · kron(W1, W2)               Yeh et al. 2023 (arXiv:2309.14859)
full       s · D                                      the difference itself
=========  =========================================  ==============================================================

with the user's scale s, and each layer's own rank r and alpha; without an alpha, alpha = r.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.adapters.adapter_file import AdapterLayer, rank_of

_HADA = {f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b")}
_LOKR_1, _LOKR_2 = ({"lokr_w1"}, {"lokr_w1_a", "lokr_w1_b"}), ({"lokr_w2"}, {"lokr_w2_a", "lokr_w2_b"})
METHODS = (
    {"difference"},
    {"down", "up"},
    {"down", "up", "mid"},
    _HADA,
    _HADA | {"hada_t1", "hada_t2"},
    *(first | second for first in _LOKR_1 for second in (*_LOKR_2, _LOKR_2[1] | {"lokr_t2"})),
)
"""Factors of a weight that belong together."""


def weight_change(layer: AdapterLayer, weight: Tensor, scale: float = 1.0) -> Tensor:
    """Compute what a layer of an adapter adds to a weight.

    Args:
        layer: Layer with its factors.
        weight: Weight before the change, ``(out, in)`` or ``(out, in, height, width)``, float32.
        scale: Factor on the change.

    Returns:
        The change, shaped like the weight, float32.

    Raises:
        TargetError: Factors are missing, not finite, or of other shapes, or a DoRA is to be scaled.
    """
    factors = {role: values.to(weight.device, torch.float32) for role, values in layer.factors.items()}
    broken = next((role for role, values in factors.items() if not values.isfinite().all()), None)
    if broken is not None:
        raise TargetError(
            f"expected finite values in {layer.name}, got NaN or infinity in {broken}; pass another checkpoint"
        )
    try:
        change = _product(factors) * (scale * strength(layer))
    except (KeyError, RuntimeError) as error:
        raise TargetError(
            f"expected factors of {layer.name} that fit together, got {_shapes(factors)}; copy the file again"
        ) from error
    change = _shaped(change, layer, weight)
    magnitude = factors.get("magnitude", factors.get("dora scale"))
    if magnitude is None:
        return change
    if scale != 1:
        raise TargetError(
            f"expected scale 1 for a DoRA ({layer.name}), since tools disagree about others, got {scale:g}"
        )
    return _decomposed(weight + change, magnitude, by_output="magnitude" in factors, layer=layer) - weight


def strength(layer: AdapterLayer) -> float:
    """Compute alpha / rank of a layer, or alpha / sqrt(rank) of an rsLoRA; 1 without an alpha or a rank."""
    rank = rank_of(layer.factors)
    # LoKr whose halves are both whole matrices has no rank, and LyCORIS ignores the alpha that it saves.
    if rank is None:
        return 1.0
    alpha = rank if layer.alpha is None else layer.alpha
    return alpha / (math.sqrt(rank) if layer.root else rank)


def _product(factors: Mapping[str, Tensor]) -> Tensor:
    if factors.keys() - {"bias difference", "magnitude", "dora scale"} not in METHODS or (
        {"magnitude", "dora scale"} <= factors.keys()  # two answers, of which one would be ignored
    ):
        raise KeyError("factors")
    if "difference" in factors:
        return factors["difference"]
    if any(role.startswith("hada") for role in factors):
        return _hadamard(factors, "1") * _hadamard(factors, "2")
    if any(role.startswith("lokr") for role in factors):
        return _kronecker(factors)
    down, up = factors["down"], factors["up"]
    if "mid" in factors:
        return torch.einsum("mn...,im,nj->ij...", factors["mid"], up.flatten(1), down.flatten(1))
    if up[0, 0].numel() > 1:  # convolutions of both factors do not compose to a product
        raise KeyError("up")
    return (up.flatten(1) @ down.flatten(1)).reshape(len(up), *down.shape[1:])


def _hadamard(factors: Mapping[str, Tensor], number: str) -> Tensor:
    outer, inner = factors[f"hada_w{number}_a"], factors[f"hada_w{number}_b"]
    if f"hada_t{number}" in factors:
        return torch.einsum("ij...,jr,ip->pr...", factors[f"hada_t{number}"], inner, outer)
    return (outer @ inner.flatten(1)).reshape(len(outer), *inner.shape[1:])


def _kronecker(factors: Mapping[str, Tensor]) -> Tensor:
    first = factors["lokr_w1"] if "lokr_w1" in factors else factors["lokr_w1_a"] @ factors["lokr_w1_b"]
    if "lokr_w2" in factors:
        second = factors["lokr_w2"]
    elif "lokr_t2" in factors:
        second = torch.einsum("ij...,ip,jr->pr...", factors["lokr_t2"], factors["lokr_w2_a"], factors["lokr_w2_b"])
    else:
        inner = factors["lokr_w2_b"]
        second = (factors["lokr_w2_a"] @ inner.flatten(1)).reshape(len(factors["lokr_w2_a"]), *inner.shape[1:])
    return torch.kron(first.reshape(*first.shape, *[1] * (second.ndim - first.ndim)), second.contiguous())


def _shaped(change: Tensor, layer: AdapterLayer, weight: Tensor) -> Tensor:
    """Reshape between a linear map and a convolution of one pixel, and refuse any other difference.

    LyCORIS flattens the kernel of a convolution into the inputs.

    Args:
        change: Change as the factors give it.
        layer: Its layer, for messages.
        weight: Weight that it belongs to.

    Returns:
        The change, shaped like the weight.

    Raises:
        TargetError: It has another shape.
    """
    flat = any(role.startswith(("hada", "lokr")) for role in layer.factors) and change.shape == weight.flatten(1).shape
    if not flat and _essential(change) != _essential(weight):
        raise TargetError(
            f"expected a change of {_size(weight)} for {layer.name}, got {_size(change)}; the adapter was trained on "
            "another base: pass that one"
        )
    return change.reshape(weight.shape)


def _essential(values: Tensor) -> tuple[int, ...]:
    shape = list(values.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _decomposed(weight: Tensor, magnitude: Tensor, *, by_output: bool, layer: AdapterLayer) -> Tensor:
    """Give each output, or each input in older files of LyCORIS, the magnitude that was learned for it."""
    outputs, inputs = weight.shape[:2]
    if by_output or tuple(magnitude.shape[:2]) == (outputs, 1) or magnitude.ndim == 1:
        axis, count = 0, outputs
    else:
        axis, count = 1, inputs
    if magnitude.numel() != count:
        raise TargetError(
            f"expected {outputs} magnitudes of outputs, or {inputs}, for {layer.name}, got {magnitude.numel()}: "
            "the adapter was trained on another base: pass that one"
        )
    view = [1] * weight.ndim
    view[axis] = count
    others = [each for each in range(weight.ndim) if each != axis]
    return weight * (magnitude.reshape(view) / weight.square().sum(others, keepdim=True).sqrt())


def _size(values: Tensor) -> str:
    return "x".join(map(str, values.shape))


def _shapes(factors: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{role} {_size(values)}" for role, values in factors.items())
