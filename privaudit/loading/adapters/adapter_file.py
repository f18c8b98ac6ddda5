"""Reads an adapter from its safetensors file: layers with their factors and alphas, and bundled embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.adapters.alphas import StatedAlphas, read_alphas
from privaudit.loading.adapters.factors import BUNDLED, refused_kind, split_key
from privaudit.loading.components import first_line
from privaudit.loading.recognise import explain
from privaudit.loading.weight_files import DIFFUSERS_LORA, LORA_STYLES, PEFT_CONFIG, PEFT_LORA
from privaudit.loading.weights import check_file

PEFT_START = "base_model.model."
"""Start of the names of layers in files of peft itself."""
EXPECTED = "the safetensors file of an adapter such as a LoRA"


@dataclass(frozen=True)
class AdapterLayer:
    """What an adapter changes in one layer.

    Attributes:
        name: Name of the layer, as in the file.
        factors: Tensors by role (see `privaudit.loading.adapters.factors.split_key`), without alpha.
        alpha: Alpha; None if no file states one, which means that it equals the rank.
        root: Whether alpha is divided by the square root of the rank (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732).
    """

    name: str
    factors: Mapping[str, Tensor]
    alpha: float | None = None
    root: bool = False


@dataclass(frozen=True)
class AdapterFile:
    """Content of an adapter file.

    Attributes:
        path: The safetensors file.
        layers: Its layers, by name.
        style: Tool whose names it has.
        embeddings: Embeddings that were trained together with it: vectors by key, by word.
        config: Configuration of peft next to the file, which was read with it; None without one.
    """

    path: Path
    layers: tuple[AdapterLayer, ...]
    style: str
    embeddings: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    config: Path | None = None


def read_adapter(path: Path) -> AdapterFile:
    """Read an adapter; pickled files are never opened.

    Args:
        path: Safetensors file, or the folder in which peft or a training script of diffusers saved it.

    Returns:
        Its content, on the CPU, in the precision of the file.

    Raises:
        TargetError: It is no adapter, is damaged, has keys that belong to no known method, or states two alphas.
    """
    file = adapter_path(path)
    check_file(file)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in sorted(opened.keys())}
    except (SafetensorError, OSError) as error:
        raise TargetError(f"cannot read {file}: {first_line(error)}; copy it again") from error
    embeddings: dict[str, dict[str, Tensor]] = {}
    for key in [key for key in tensors if BUNDLED.fullmatch(key)]:
        match = BUNDLED.fullmatch(key)
        assert match is not None
        embeddings.setdefault(match["word"], {})[match["key"]] = tensors.pop(key)
    factors, written = _by_layer(tensors, file)
    if not factors:
        raise TargetError(explain(file, EXPECTED))
    config = file.parent / PEFT_CONFIG if (file.parent / PEFT_CONFIG).is_file() else None
    stated = read_alphas(metadata, config)
    _require_stated(factors, written, stated, file)
    return AdapterFile(file, _layers(factors, written, stated, file), _style(factors), embeddings, config)


def adapter_path(path: Path) -> Path:
    """Find the safetensors file of an adapter.

    Args:
        path: The file, or its folder.

    Returns:
        The file.

    Raises:
        TargetError: There is none, or it is in another format.
    """
    if path.is_dir():
        files = [path / name for name in (PEFT_LORA, DIFFUSERS_LORA) if (path / name).is_file()]
        if not files:
            raise TargetError(explain(path, "the folder or file of a LoRA"))
        return files[0]
    if not path.is_file():
        raise TargetError(f"expected {EXPECTED}, but {path} does not exist; check the path")
    if path.suffix.lower() != ".safetensors":
        raise TargetError(explain(path, EXPECTED))
    return path


def _by_layer(tensors: Mapping[str, Tensor], file: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, float]]:
    """Group tensors by layer; alphas are numbers."""
    layers: dict[str, dict[str, Tensor]] = {}
    alphas: dict[str, float] = {}
    unknown = []
    for key, values in tensors.items():
        split = split_key(key)
        if split is None:
            unknown.append(key)
        elif split[1] == "alpha":
            alphas[split[0]] = _alpha(key, values, file)
        elif split[1] in layers.setdefault(split[0], {}):
            raise TargetError(f"expected one {split[1]} of {split[0]} in {file}, got two, one of them {key}")
        else:
            layers[split[0]][split[1]] = values
    _refuse(unknown, layers, file)
    lonely = sorted(set(alphas) - set(layers))
    if lonely:
        raise TargetError(f"expected weights for every alpha in {file}, got none for {_listed(lonely)}; copy it again")
    return layers, alphas


def _alpha(key: str, values: Tensor, file: Path) -> float:
    if values.numel() != 1 or not values.isfinite().all() or not values.any():
        raise TargetError(
            f"expected one number other than 0 for {key} in {file}, got {values.tolist()}; save the adapter again with "
            "the tool that trained it"
        )
    return float(values)


def _refuse(unknown: list[str], layers: Mapping[str, object], file: Path) -> None:
    if not unknown:
        return
    if not layers and not any(map(refused_kind, unknown)):
        raise TargetError(explain(file, EXPECTED))
    kinds = sorted({kind for key in unknown if (kind := refused_kind(key))})
    what = f"keys of {' and '.join(kinds)}, which cannot be merged" if kinds else "keys that no known method has"
    raise TargetError(
        f"expected an adapter whose every key is known, but {file} has {len(unknown)} {what}: {_listed(unknown)}; "
        "merge it with the tool that trained it, and pass the merged model"
    )


def _listed(names: Iterable[str]) -> str:
    first, *others = list(names)
    more = len(others) - 2
    return ", ".join([first, *others[:2]]) + (f" and {more} more" if more > 0 else "")


def _require_stated(
    factors: Mapping[str, Mapping[str, Tensor]], written: Mapping[str, float], stated: StatedAlphas, file: Path
) -> None:
    """Refuse a file whose alphas or magnitudes are stated elsewhere, and not found: alpha = rank would be a guess."""
    if stated.decomposed and not any("magnitude" in parts for parts in factors.values()):
        raise TargetError(
            f"expected the magnitudes of a DoRA in {file}, as its {stated.where} states (use_dora), found none; pass "
            "the file as the trainer saved it"
        )
    if written:
        return
    if any(name.startswith(PEFT_START) for name in factors) and not stated.configs:
        raise TargetError(
            f"expected {PEFT_CONFIG} next to {file}, since peft saves the alpha of its LoRAs there, found none; copy "
            "it from the output of the training"
        )
    if stated.configs and not any(map(stated.knows, factors)):
        raise TargetError(
            f"expected the alphas of {_listed(sorted(factors))} in {file}, whose {stated.where} states those of "
            f"{' and '.join(stated.configs)} alone; pass the file as the trainer saved it"
        )


def _layers(
    factors: Mapping[str, Mapping[str, Tensor]], written: Mapping[str, float], stated: StatedAlphas, file: Path
) -> tuple[AdapterLayer, ...]:
    layers, problems = [], []
    for name, parts in sorted(factors.items()):
        rank = rank_of(parts)
        claim = stated.of(name, rank, linear=_is_linear(parts))
        tensor = written.get(name)
        if claim is not None and tensor is not None and abs(claim.alpha - tensor) > 1e-3 * abs(tensor):
            problems.append(f"{name} has alpha {tensor:g} in its weights and {claim.alpha:g} in the {claim.where}")
        elif claim is not None and claim.rank is not None and rank is not None and claim.rank != rank:
            problems.append(f"{name} has rank {rank} in its weights and {claim.rank} in the {claim.where}")
        alpha = tensor if tensor is not None else claim.alpha if claim is not None else None
        layers.append(AdapterLayer(name, parts, alpha, root=stated.root))
    if problems:
        more = f" (and so {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise TargetError(f"expected one strength per layer in {file}, but {problems[0]}{more}; copy both files again")
    return tuple(layers)


def _is_linear(factors: Mapping[str, Tensor]) -> bool:
    """Whether factors are those of a linear layer for certain; LoHa and LoKr flatten those of a convolution."""
    return "down" in factors and all(values.ndim < 4 for values in factors.values())


def rank_of(factors: Mapping[str, Any]) -> int | None:
    """Read the rank of a layer from its factors; None if it has none, such as a full difference.

    Args:
        factors: Tensors by role.

    Returns:
        The rank.
    """
    for role, axis in (("down", 0), ("hada_w1_b", 0), ("lokr_w2_b", 0), ("lokr_w1_b", 0)):
        if role in factors:
            return int(factors[role].shape[axis])
    return None


def _style(names: Iterable[str]) -> str:
    styles = {style for start, style in LORA_STYLES.items() if any(name.startswith(start) for name in names)}
    return styles.pop() if len(styles) == 1 else "diffusers or peft" if not styles else " and ".join(sorted(styles))
