"""Recognises which components a single-file checkpoint holds, from its header alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from privaudit.errors import TargetError
from privaudit.loading.recognise import explain
from privaudit.loading.weight_files import CHECKPOINT_KEYS, has_adapter, read_header, starts_a_network
from privaudit.loading.weights import check_file, quantised

Style = Literal["original", "clip", "open_clip", "t5"]
"""Whose names the keys have: those of the original code, of transformers, or of OpenCLIP."""
NETWORKS = ("model.diffusion_model.", "diffusion_model.")
AVERAGED = "model_ema."
PARTS: Mapping[str, tuple[str, Style]] = {
    "first_stage_model.": ("autoencoder", "original"),
    "vae.": ("autoencoder", "original"),
    "cond_stage_model.transformer.": ("text_encoder", "clip"),
    "cond_stage_model.model.": ("text_encoder", "open_clip"),
    "conditioner.embedders.0.transformer.": ("text_encoder", "clip"),
    "conditioner.embedders.1.model.": ("text_encoder_2", "open_clip"),
    "conditioner.embedders.0.model.": ("text_encoder_2", "open_clip"),  # of a refiner, which has no first one
    "text_encoders.clip_l.transformer.": ("text_encoder", "clip"),
    "text_encoders.clip_g.transformer.": ("text_encoder_2", "clip"),
    "text_encoders.t5xxl.transformer.": ("t5", "t5"),
}
"""Component and style by the start of its keys; ``autoencoder`` and ``t5`` have different names in pipelines."""
IRRELEVANT = re.compile(
    r"model_ema\..*|(?:model_ema|v_pred|ztsnr|edm_mean|edm_std|logvar|denoiser\.sigmas|scale_factor)"
    r"|(?:sqrt_|log_)?(?:one_minus_)?(?:recip_|recipm1_)?(?:alphas|betas)[a-z_0-9]*|posterior_.*|sqrt_.*|log_one_minus.*"
    r"|.*\.position_ids|.*logit_scale|.*\.attn_mask|first_stage_model\.(?:loss|model_ema)\..*|model_sampling\..*"
    r"|lvlb_weights"
)
"""Keys without effect on a prediction: averaged weights, constants of the noise schedule and of the loss."""


@dataclass(frozen=True)
class SingleFile:
    """A single-file checkpoint.

    Attributes:
        path: The file.
        keys: Keys of each component, after the start that all of them have, such as ``model.diffusion_model.``.
        styles: Style of each component.
        has_average: Whether it also holds weights that were averaged over the training (EMA), which are not read.
    """

    path: Path
    keys: Mapping[str, tuple[str, tuple[str, ...]]]
    styles: Mapping[str, Style] = field(default_factory=dict)
    has_average: bool = False

    @property
    def parts(self) -> frozenset[str]:
        """Names of the components that it holds."""
        return frozenset(self.keys)


def open_single_file(path: Path, index: Mapping[str, Any], autoencoder: str = "vae") -> SingleFile:
    """Find the components that a single file holds.

    Args:
        path: Safetensors file.
        index: ``model_index.json`` of a pipeline of the same kind: library and class by component.
        autoencoder: Name of the autoencoder in the pipeline.

    Returns:
        The file, of which nothing but the header has been read.

    Raises:
        TargetError: It is no checkpoint, damaged, quantised, or has keys that belong to no component.
    """
    if path.suffix.lower() != ".safetensors":
        raise TargetError(explain(path, "a single-file checkpoint (.safetensors)"))
    check_file(path)
    entries = read_header(path)[0] or {}
    if has_adapter(path) or not (starts_a_network(entries) or any(key.startswith(CHECKPOINT_KEYS) for key in entries)):
        raise TargetError(explain(path, "a single-file checkpoint (.safetensors)"))
    if kind := quantised(entries):
        raise TargetError(
            f"cannot load {path}: its weights are quantised ({kind}), which rounds away the small differences that an "
            "audit measures; pass the checkpoint with its original weights"
        )
    denoiser = "unet" if "unet" in index else "transformer"
    keys, styles = _parts(entries, index, {"autoencoder": autoencoder}, denoiser)
    if denoiser not in keys:
        raise TargetError(f"expected the weights of a {denoiser} in {path}, found none; pass a whole checkpoint")
    return SingleFile(
        path,
        keys,
        styles,
        any(key.startswith(AVERAGED) for key in entries),
    )


def _parts(
    entries: Iterable[str], index: Mapping[str, Any], names: dict[str, str], denoiser: str
) -> tuple[dict[str, tuple[str, tuple[str, ...]]], dict[str, Style]]:
    t5 = next((name for name, entry in index.items() if isinstance(entry, list) and entry[-1] == "T5EncoderModel"), "")
    names["t5"] = t5
    remaining = [key for key in entries if not IRRELEVANT.fullmatch(key)]
    keys: dict[str, tuple[str, tuple[str, ...]]] = {}
    styles: dict[str, Style] = {}
    for start, (part, style) in PARTS.items():
        own_keys = tuple(key for key in remaining if key.startswith(start))
        name = names.get(part, part)
        if own_keys and index.get(name):
            keys[name], styles[name] = (start, own_keys), style
            remaining = [key for key in remaining if not key.startswith(start)]
    start = next((each for each in NETWORKS if any(key.startswith(each) for key in remaining)), "")
    own_keys = tuple(key for key in remaining if key.startswith(start))
    if own_keys:
        keys[denoiser], styles[denoiser] = (start, own_keys), "original"
    # What belongs to no component of the pipeline stays with the denoiser's, whose loading names it.
    rest = tuple(key for key in remaining if not key.startswith(start))
    if rest:
        raise TargetError(
            f"expected keys of the components of {index.get('_class_name')}, but {len(rest)} belong to none of them, "
            f"among them {rest[0]}; pass --config-from with a pipeline of the kind of the file"
        )
    return keys, styles
