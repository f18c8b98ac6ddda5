"""Reads the ``checkpoint-N`` folders of training scripts: networks, LoRAs and whole pipelines."""

from __future__ import annotations

import re
from pathlib import Path

from privaudit.errors import TargetError
from privaudit.loading.checkpoints.training_output import Checkpoint
from privaudit.loading.json_files import read_json
from privaudit.loading.recognise import adapter_problem, recognise
from privaudit.loading.replacements import AVERAGED
from privaudit.loading.weight_files import DIFFUSERS_LORA, PEFT_LORA
from privaudit.loading.weights import check_weights


def numbered_folders(folder: Path) -> list[tuple[int, Path]]:
    """List the ``checkpoint-N`` folders with their steps, by step."""
    matches = [(re.fullmatch(r"checkpoint[-_](\d+)", path.name), path) for path in folder.iterdir() if path.is_dir()]
    return sorted((int(match[1]), path) for match, path in matches if match)


def in_folder(path: Path, step: int, base: str, *, ema: bool) -> Checkpoint:
    """Find what a checkpoint folder holds.

    Args:
        path: The folder.
        step: Its training step.
        base: Model that its weights belong to.
        ema: Whether to choose averaged weights where they are next to raw ones.

    Returns:
        The checkpoint.

    Raises:
        TargetError: It holds no weights that can be read, or damaged ones.
    """
    if (path / "model_index.json").is_file():
        require_merged(path)
        return Checkpoint(path.name, step, str(path))
    adapters = [path / name for name in (DIFFUSERS_LORA, PEFT_LORA) if (path / name).is_file()]
    adapter = next(iter(adapters), None)
    networks = [each for each in sorted(path.iterdir()) if (each / "config.json").is_file()]
    if adapter is not None and len(adapters) + len(networks) > 1:
        listed = " and ".join(each.name for each in (*adapters, *networks))
        raise TargetError(
            f"expected a network or a LoRA in {path}, got {listed}; audit it with privaudit scan and the options "
            "--component and --lora"
        )
    if adapter is not None:
        # A peft file needs the configuration next to it.
        return Checkpoint(path.name, step, base, str(path if adapter.name == PEFT_LORA else adapter))
    chosen, others = choose_networks(path, ema=ema)
    if not chosen:
        recognised = recognise(path)
        raise TargetError(
            f"expected a network or a LoRA in {path}, but it is {recognised.what}; remove the folder to audit the "
            "other checkpoints"
        )
    for network in chosen.values():
        check_weights(network, read_json(network / "config.json"))
    names = {name: str(network) for name, network in chosen.items()}
    return Checkpoint(path.name, step, base, replaced=names, averages=tuple(map(str, others)))


def require_merged(path: Path) -> None:
    """Check that no LoRA lies in the folder of a whole pipeline, whose point in a sweep would be that of the base.

    Raises:
        TargetError: One does, or a network has one that was not merged.
    """
    problem = adapter_problem(path, decided=False)
    if problem is not None:
        raise TargetError(problem)


def choose_networks(path: Path, *, ema: bool) -> tuple[dict[str, Path], list[Path]]:
    """Choose between raw and averaged weights of each component in a folder.

    Args:
        path: The folder.
        ema: Whether to choose the averaged weights.

    Returns:
        Folder of each component, and the folders that were left out.

    Raises:
        TargetError: Only averaged weights are there, and raw ones are requested, or the other way round.
    """
    folders = {each.name: each for each in sorted(path.iterdir()) if (each / "config.json").is_file()}
    chosen: dict[str, Path] = {}
    others: list[Path] = []
    for name in dict.fromkeys(each.removesuffix(AVERAGED) for each in folders):
        raw, averaged = folders.get(name), folders.get(name + AVERAGED)
        if raw is None and not ema:
            raise TargetError(f"expected {name} in {path}, got {name}{AVERAGED} alone; pass --ema to audit it")
        picked, other = (averaged, raw) if ema and averaged is not None else (raw, averaged)
        if picked is not None:
            chosen[name] = picked
        if other is not None:
            others.append(other)
    return chosen, others
