"""Compares what weight files state about their training with how the scheduler's configuration has the model read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import Family
from privaudit.loading.weight_files import read_header

SCHEDULER = "scheduler_config.json"
PREDICTION, ZERO_SNR = "prediction_type", "rescale_betas_zero_snr"


def check_statements(files: Iterable[Path], folder: PipelineFolder, prediction_type: str) -> None:
    """Check that no file states another prediction, or another end of the noise schedule, than the scheduler.

    Args:
        files: Safetensors files of adapters or single-file checkpoints.
        folder: Folder of the pipeline.
        prediction_type: Output of the network as it is read.

    Raises:
        TargetError: A file states something else, and no override decides.
    """
    if prediction_type not in ("epsilon", "v_prediction"):  # the statements are about diffusion models
        return
    overridden = folder.overridden("scheduler")
    config = folder.config("scheduler", SCHEDULER)
    for path in files:
        stated = stated_prediction(path)
        if stated not in (None, prediction_type) and PREDICTION not in overridden:
            raise TargetError(
                f"expected one prediction type, but {path} states {stated} and the scheduler of {folder} "
                f"{prediction_type}; pass --override scheduler.{PREDICTION}={stated}, or ={prediction_type} if the "
                "file is wrong"
            )
        if states_zero_snr(path) and not config.get(ZERO_SNR) and ZERO_SNR not in overridden:
            raise TargetError(
                f"expected one noise schedule, but {path} states a last level without signal and the scheduler of "
                f"{folder} does not; pass --override scheduler.{ZERO_SNR}=true, or =false if the file is wrong"
            )


def check_clip_skip(files: Iterable[Path], family: Family) -> None:
    """Check that the layer of the text encoder that is read is the one that the files state.

    Args:
        files: Safetensors files of adapters or single-file checkpoints.
        family: Family of the pipeline; one without the setting always reads the same layer, as do its trainers.

    Raises:
        TargetError: A file states another layer, and no override decides.
    """
    if "clip_skip" not in family.settings or "clip_skip" in family.chosen:
        return
    for path in files:
        stated = str(read_header(path)[1].get("ss_clip_skip", ""))
        if stated.isascii() and stated.isdigit() and int(stated) > 1:
            raise TargetError(
                f"expected the last layer of the text encoder, but {path} states clip skip {stated}; pass --override "
                f"condition.clip_skip={stated}, or =1 if the file is wrong"
            )


def stated_prediction(path: Path) -> str | None:
    """Read the prediction type that a file states; None if it states none.

    Args:
        path: Safetensors file.

    Returns:
        ``epsilon``, ``v_prediction`` or None.
    """
    keys, metadata = read_header(path)
    stated = str(metadata.get("modelspec.prediction_type", "")).lower()
    if "v_pred" in (keys or {}) or stated in ("v", "v_prediction") or _true(metadata.get("ss_v_parameterization")):
        return "v_prediction"
    return "epsilon" if stated == "epsilon" else None


def states_zero_snr(path: Path) -> bool:
    """Whether a file states that the last level of its training had no signal."""
    keys, metadata = read_header(path)
    return "ztsnr" in (keys or {}) or _true(metadata.get("ss_zero_terminal_snr"))


def _true(value: object) -> bool:
    return str(value).lower() == "true"
