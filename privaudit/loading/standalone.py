"""Loads an autoencoder without its denoiser, which is all that inversion and geometry need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.autoencoder.layouts import AUTOENCODERS, UNREADABLE
from privaudit.loading.components import PipelineFolder, read_json
from privaudit.loading.model_source import ModelSource
from privaudit.loading.recognise import explain, no_index
from privaudit.loading.repository import find_folder

NAMES = ("vae", "vqvae", "movq", "vqgan")
"""Names of the autoencoder in pipelines."""
EXPECTED = "the folder of a diffusers pipeline or autoencoder"
CONTINUOUS = "movq"
"""Name of a VQ model whose latents are neither scaled nor quantised: that of Kandinsky."""
FILES = ("model_index.json", "config.json", "diffusion_pytorch_model*.json", "diffusion_pytorch_model*.safetensors")


def load_autoencoder(source: ModelSource | str | Path) -> DiffusersAutoencoder:
    """Load an autoencoder of a class in `AUTOENCODERS`, from a pipeline or on its own.

    From a pipeline (a folder with ``model_index.json``), only the autoencoder is read (see `NAMES`); an autoencoder of
    videos in a pipeline of images reads each image as a video of one frame. Any other folder must have been written by
    ``save_pretrained`` of the autoencoder. Only safetensors weights are loaded, and no code
    from the folder runs. A hub id is downloaded by huggingface_hub; a folder needs no network.

    Args:
        source: Model to load, with its options. Its ``dtype`` takes effect only with ``upcast=False``; otherwise the
            autoencoder runs in float32. A path or hub id alone is loaded with the defaults of `ModelSource`.

    Returns:
        The autoencoder, in eval mode, frozen; it encodes and decodes float32 in the denoiser's scaled units.

    Raises:
        TargetError: The folder is missing or holds no supported autoencoder.
        ConfigError: The source requests an option that is not available (see `ModelSource.resolve`).
    """
    source = ModelSource.of(source)
    device, dtype = source.resolve()
    path = find_folder(source, NAMES, FILES)
    index: Mapping[str, Any]
    if (path / "model_index.json").is_file():
        index = read_json(path / "model_index.json")
        component = autoencoder_name(index)
        if component not in index:
            raise TargetError(
                f"expected an autoencoder in {path} ({' or '.join(NAMES)} in model_index.json), got a pipeline without "
                f"one, {index.get('_class_name')}; pass a latent diffusion model, or an autoencoder"
            )
    elif (path / "config.json").is_file():
        # A folder with an autoencoder alone is read as a component of its parent folder.
        kind = str(read_json(path / "config.json").get("_class_name"))
        if kind not in AUTOENCODERS and kind not in UNREADABLE:
            raise TargetError(explain(path, EXPECTED))
        path = path.resolve()
        path, component = path.parent, path.name
        index = {component: ["diffusers", kind]}
    else:
        local = Path(source.path).expanduser().is_dir()
        raise TargetError(explain(path, EXPECTED) if local else no_index(source.id))
    overrides = {
        key.replace("vae.", f"{component}.", 1): value for key, value in source.overrides.items() if key[:4] == "vae."
    }
    folder = PipelineFolder(path, index, source.variant, overrides)
    name = str(folder.class_name(component))
    if name in UNREADABLE:
        raise TargetError(f"cannot read {component} of {folder}: {name} {UNREADABLE[name]}")
    folder.check_class(component, AUTOENCODERS)
    folder.require_variant(component)
    module, continuous = folder.load(component), component == CONTINUOUS
    still = _makes_images(str(index.get("_class_name")))
    return wrap_autoencoder(module, device, dtype, upcast=source.upcast, still=still, continuous=continuous)


def _makes_images(pipeline: str) -> bool:
    from privaudit.loading.families.contract import FAMILIES  # which imports this module

    return any(kind.still and pipeline in (kind.pipeline, *kind.variants) for kind in FAMILIES.values())


def autoencoder_name(index: Mapping[str, Any]) -> str:
    """Name the autoencoder among the components of ``model_index.json``: ``vae``, ``vqvae`` or ``movq``."""
    return next((name for name in NAMES if name in index), NAMES[0])
