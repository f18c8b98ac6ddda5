"""Loads an autoencoder without its denoiser, which is all that inversion and geometry need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.autoencoder.layouts import AUTOENCODERS, UNREADABLE
from privaudit.loading.components import PipelineFolder
from privaudit.loading.json_files import read_json
from privaudit.loading.model_source import ModelSource
from privaudit.loading.recognise import explain, no_index
from privaudit.loading.replacements import place_replacements
from privaudit.loading.repository import find_folder
from privaudit.loading.single_file import open_single_file

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
    folder, component = find_autoencoder(source)
    return wrap_autoencoder(
        folder.load(component),
        device,
        dtype,
        upcast=source.upcast,
        still=_makes_images(folder.pipeline_class),
        continuous=component == CONTINUOUS,
    )


def find_autoencoder(source: ModelSource, files: Sequence[str] = FILES) -> tuple[PipelineFolder, str]:
    """Find the autoencoder of a pipeline, or one that lies alone in a folder, without loading it.

    Args:
        source: Model to load, with its options.
        files: Patterns of the files that are downloaded from a hub repository in addition to the autoencoder's.

    Returns:
        The folder of the pipeline and the component name of the autoencoder; of an autoencoder alone its parent folder
        and its own name.

    Raises:
        TargetError: The folder is missing or holds no supported autoencoder.
    """
    path = find_folder(source, NAMES, files)
    if (path / "model_index.json").is_file():
        folder = pipeline_folder(source, path)
        refuse_exported(folder)
        index = folder.index
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
        folder = PipelineFolder(
            path, {component: ["diffusers", kind]}, source.variant, named_overrides(source, component)
        )
    else:
        local = Path(source.path).expanduser().is_dir()
        raise TargetError(explain(path, EXPECTED) if local else no_index(source.id))
    name = str(folder.class_name(component))
    if name in UNREADABLE:
        raise TargetError(f"cannot read {component} of {folder}: {name} {UNREADABLE[name]}")
    folder.check_class(component, AUTOENCODERS)
    folder.require_variant(component)
    return folder, component


def pipeline_folder(source: ModelSource, path: Path) -> PipelineFolder:
    """Describe a folder with a ``model_index.json``, and what a source reads from elsewhere.

    Args:
        source: Model to load, with its options.
        path: Folder of the pipeline, or of the configuration of a single file.

    Returns:
        The folder.

    Raises:
        TargetError: A replaced component is not there, or the single file does not fit the configuration.
    """
    index = read_json(path / "model_index.json")
    autoencoder = autoencoder_name(index)
    replaced, index = place_replacements(source.replaced, index, autoencoder)
    single = (
        None if source.config_from is None else open_single_file(Path(source.path).expanduser(), index, autoencoder)
    )
    return PipelineFolder(path, index, source.variant, named_overrides(source, autoencoder), replaced, single)


def named_overrides(source: ModelSource, component: str) -> dict[str, Any]:
    """Return the overrides of a source, in which ``vae`` stands for the autoencoder, by the name of the component."""
    return {
        key.replace("vae.", f"{component}.", 1) if key.startswith("vae.") else key: value
        for key, value in source.overrides.items()
    }


def _makes_images(pipeline: str) -> bool:
    from privaudit.loading.families.contract import FAMILIES  # which imports this module

    return any(kind.still and pipeline in (kind.pipeline, *kind.variants) for kind in FAMILIES.values())


def refuse_exported(folder: PipelineFolder) -> None:
    """Check that no network of a pipeline was exported to ONNX.

    Raises:
        TargetError: One was.
    """
    exported = [part for part in folder.index if folder.class_name(part) == "OnnxRuntimeModel"]
    if exported:
        raise TargetError(
            f"cannot audit {folder}: {' and '.join(exported)} hold networks exported to ONNX, which have no "
            "derivatives; pass the folder that they were exported from"
        )


def autoencoder_name(index: Mapping[str, Any]) -> str:
    """Name the autoencoder among the components of ``model_index.json``: ``vae``, ``vqvae`` or ``movq``."""
    return next((name for name in NAMES if name in index), NAMES[0])
