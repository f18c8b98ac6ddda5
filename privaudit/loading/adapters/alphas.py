"""Reads the alphas that an adapter states outside its tensors: in adapter_config.json, or in the header of its file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError
from privaudit.loading.json_files import read_json
from privaudit.loading.weight_files import PEFT_CONFIG

DIFFUSERS_KEY = "lora_adapter_metadata"
"""Key of the header in which diffusers saves the configurations of peft, each key with the component in front."""
PEFT_TYPES = ("LORA", "LOHA")
UNREAD = (
    "fan_in_fan_out",
    "lora_bias",
    "modules_to_save",
    "layer_replication",
    "trainable_token_indices",
    "use_bdlora",
)
"""Settings of peft that change what the tensors mean; they must be off."""
CHANGING_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Starts of the initialisations of peft that change the base as well, which the file of the adapter does not hold."""


@dataclass(frozen=True)
class Stated:
    """What a file says about one layer.

    Attributes:
        alpha: Alpha.
        rank: Rank; None if it says nothing.
        where: The file, for messages.
    """

    alpha: float
    rank: int | None
    where: str


@dataclass(frozen=True)
class StatedAlphas:
    """What a configuration or header says about the alphas of an adapter.

    Attributes:
        where: Which of both, for messages.
        configs: Configurations of peft by component; the empty component stands for all.
        kohya: Alpha and rank of all linear layers in the header of kohya's scripts; None if it says nothing certain.
        root: Whether alpha is divided by the square root of the rank.
    """

    where: str = ""
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kohya: tuple[float, int] | None = None
    root: bool = False

    @property
    def decomposed(self) -> bool:
        """Whether a configuration says that the adapter is a DoRA."""
        return any(config.get("use_dora") for config in self.configs.values())

    def knows(self, name: str) -> bool:
        """Whether a configuration is about the component of a layer."""
        return self._config(name) is not None

    def _config(self, name: str) -> Mapping[str, Any] | None:
        return self.configs.get(name.partition(".")[0]) or self.configs.get("")

    def of(self, name: str, rank: int | None, *, linear: bool) -> Stated | None:
        """Find what is said about a layer.

        Args:
            name: Name of the layer, as in the file.
            rank: Its rank; None if it has none.
            linear: Whether it is a linear layer, since the header does not speak of convolutions.

        Returns:
            Alpha and rank; None if nothing is said.
        """
        component, _, rest = name.partition(".")
        config = self._config(name)
        if config is not None:
            path = rest if component in self.configs else name
            return Stated(_alpha(config, path), _pattern(config.get("rank_pattern"), path, config.get("r")), self.where)
        if self.kohya is not None and linear and rank == self.kohya[1]:
            return Stated(self.kohya[0], rank, self.where)
        return None


def read_alphas(header: Mapping[str, str], config: Path | None) -> StatedAlphas:
    """Read what is stated outside the tensors.

    Args:
        header: Metadata of the safetensors file.
        config: ``adapter_config.json`` next to it; None if there is none.

    Returns:
        The alphas; the configuration counts before the header.

    Raises:
        TargetError: A configuration has settings that change what the tensors mean.
    """
    if config is not None:
        return _of_peft({"": read_json(config)}, PEFT_CONFIG)
    saved = _json(header.get(DIFFUSERS_KEY))
    if isinstance(saved, dict) and saved:
        parts: dict[str, dict[str, Any]] = {}
        for key, value in saved.items():
            component, dot, setting = key.partition(".")
            parts.setdefault(component if dot else "", {})[setting if dot else component] = value
        return _of_peft(parts, "header")
    return StatedAlphas("header", kohya=_of_kohya(header))


def _of_peft(configs: Mapping[str, Mapping[str, Any]], where: str) -> StatedAlphas:
    for config in configs.values():
        kind = str(config.get("peft_type", "LORA")).rpartition(".")[2].upper()
        if kind not in PEFT_TYPES:
            raise TargetError(
                f"expected an adapter of peft that is one of {', '.join(PEFT_TYPES)}, got {kind} in the {where}; merge "
                "it with merge_and_unload of peft, and pass the merged model"
            )
        changed = [name for name in UNREAD if config.get(name)]
        if str(config.get("init_lora_weights")).lower().startswith(CHANGING_BASE):
            changed.append(f"init_lora_weights={config['init_lora_weights']}")
        if changed:
            raise TargetError(
                f"expected an adapter of peft without {' and '.join(changed)}, which the {where} states; merge it with "
                "merge_and_unload of peft, and pass the merged model"
            )
    roots = {bool(config.get("use_rslora")) for config in configs.values()}
    if len(roots) > 1:
        raise TargetError(f"expected use_rslora of all components or none, but the {where} states both")
    return StatedAlphas(where, configs, root=roots == {True})


def _alpha(config: Mapping[str, Any], path: str) -> float:
    default = config.get("lora_alpha", config.get("alpha"))
    rank = _pattern(config.get("rank_pattern"), path, config.get("r"))
    value = _pattern(config.get("alpha_pattern"), path, default if default is not None else rank)
    if value is None:
        raise TargetError(f"expected lora_alpha for {path} in the configuration of the adapter, found none")
    return float(value)


def _pattern(patterns: Any, path: str, default: Any) -> Any:  # noqa: ANN401 - numbers of a JSON file
    """Find the value whose key is the end of a path or matches it, as peft does."""
    for key, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({key.removeprefix('^')})$", path.removeprefix("base_model.model.")):
            return value
    return default


def _of_kohya(header: Mapping[str, str]) -> tuple[float, int] | None:
    """Read the alpha of all linear layers; None where arguments make it differ between layers."""
    arguments = (header.get("ss_network_args") or "").replace("conv_alpha", "")
    if "alpha" in arguments or "rs_lora" in arguments:
        return None
    try:
        return float(header["ss_network_alpha"]), int(header["ss_network_dim"])
    except (KeyError, ValueError):  # a resized adapter says "Dynamic"
        return None


def _json(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text or "")
    except ValueError:
        return None
