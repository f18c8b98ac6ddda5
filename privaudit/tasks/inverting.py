"""`run_inversion` inverts the decoder for a set of images and writes the latents and their accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Unpack

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.data import Sample, SampleSet, read_set
from privaudit.data.listing import set_exists
from privaudit.errors import DataError
from privaudit.escape import csv_text, encodable
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.inversion import Inversion, Solver, require_any_finite
from privaudit.loading import load_decoder_target
from privaudit.model.target import TargetInfo
from privaudit.storage.files import locked, replacing, write_text
from privaudit.storage.shards import write_shard
from privaudit.tasks.inversion_stage import inversion_stage
from privaudit.tasks.invert_options import InvertChoices, InvertOptions

RESULTS = ("latents.safetensors", "inversion.csv", "residuals.png")
"""Files in the output folder of an inversion."""


@dataclass(frozen=True)
class InvertedSet:
    """The inversion of a set of images.

    Attributes:
        info: Description of the target.
        dtype: Precision of the autoencoder.
        solver: Inversion solver.
        images: Images that were read, and files that were skipped.
        inversion: Inversion of all images, in their order, on the CPU.
        seconds: Duration of the inversion.
        folder: Output folder.
    """

    info: TargetInfo
    dtype: torch.dtype
    solver: Solver
    images: SampleSet
    inversion: Inversion
    seconds: float
    folder: Path

    @property
    def table(self) -> pd.DataFrame:
        """One row per image: id, path, outcome, residual, pixel_residual, evaluations, nmse, cocoercivity."""
        inversion = self.inversion
        columns = {
            "id": [sample.id for sample in self.images.samples],
            "path": [encodable(str(sample.path)) for sample in self.images.samples],
            "outcome": inversion.outcomes,
            "residual": inversion.residual.tolist(),
            "pixel_residual": inversion.pixel_residual.tolist(),
            "evaluations": inversion.evaluations.tolist(),
        }
        for name in ("nmse", "cocoercivity"):
            values = getattr(inversion, name)
            columns |= {} if values is None else {name: values.tolist()}
        return pd.DataFrame(columns)


def run_inversion(options: InvertOptions, on_progress: OnProgress | None = None) -> InvertedSet:
    """Invert a folder of images and write the result.

    The output folder gets ``latents.safetensors`` (latents by sample id, float32, in the denoiser's scaled units) and
    ``inversion.csv`` (one row per image). Each file is written at the end, complete or not at all.

    Args:
        options: Images, target and solver.
        on_progress: Called with (stage, images done, all images).

    Returns:
        Latents, and the accuracy of each.

    Raises:
        ConfigError: The folder cannot be written, or an input would be overwritten.
        DataError: The images or the true latents cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model returns NaN or infinity; the message names the images.
    """
    progress = on_progress or no_progress
    if not set_exists(options.images):
        raise DataError(f"expected images at {options.images}, but it does not exist")
    inputs = [source for source in (options.images, options.truth) if source is not None]
    with locked(options.out), replacing(options.out, RESULTS, inputs):
        return _run(options, progress)


def invert(
    target: str | Path,
    images: str | Path,
    out: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    **choices: Unpack[InvertChoices],
) -> InvertedSet:
    """Recover latents that decode to images, without backpropagation.

    Does the same as `privaudit invert`, except that no figure is drawn.

    Args:
        target: Diffusers folder or hub id.
        images: Folder or manifest of images.
        out: Folder to write; by default that of the command line, below ``privaudit-runs``.
        on_progress: Called with (stage, images done, all images).
        choices: Any other field of `InvertOptions`, parsed or as text.

    Returns:
        Latents, and the accuracy of each.

    Raises:
        ConfigError: Options are wrong, the folder cannot be written, or an input would be overwritten.
        DataError: The images or the true latents cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model returns NaN or infinity; the message names the images.
    """
    return run_inversion(InvertOptions.parse(target=target, images=images, out=out, **choices), on_progress)


def _run(options: InvertOptions, progress: OnProgress) -> InvertedSet:
    """Run the inversion, once the output folder is locked and free of earlier results."""
    source = options.source(device=options.device, dtype=options.dtype, upcast=options.dtype == "auto")
    target = load_decoder_target(source)
    images = read_set(
        options.images,
        target.info.image_size,
        strict=options.strict,
        on_image=lambda done, total: progress("images", done, total),
        budget=pixel_budget(),
        reading=options.reading,
    )
    truth = None if options.truth is None else read_latents(options.truth, images.samples, target.info.latent_shape)
    solver = options.solver
    batcher = Batcher.of(options.batch_size, target.info.image_size, target.device)
    engine = Engine(images.samples, progress)
    stage = inversion_stage(target, batcher, solver, with_cocoercivity=options.cocoercivity)
    inversion = engine.run(stage, inputs={} if truth is None else {"truth": {"latents": truth}})
    ids = [sample.id for sample in images.samples]
    require_any_finite(inversion.residual, ids)  # before any file is written
    seconds = engine.seconds[stage.name]
    inverted = InvertedSet(target.info, target.dtype, solver, images, inversion, seconds, options.out)
    write_shard(options.out / "latents.safetensors", dict(zip(ids, inversion.latents, strict=True)))
    write_text(options.out / "inversion.csv", csv_text(inverted.table))
    return inverted


def read_latents(path: Path, samples: Sequence[Sample], shape: Sequence[int]) -> Tensor:
    """Read one latent per image from a safetensors file.

    Args:
        path: File whose keys are sample ids, ids of the manifest, or stems of the image files.
        samples: Samples of the images.
        shape: Shape of one latent.

    Returns:
        ``(n, *latent)``, float32, in the order of the images.

    Raises:
        DataError: The file cannot be read, lacks an image, or holds another shape.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"expected latents by sample id in the safetensors file {path}: {error}") from error
    latents, missing = [], []
    stems = Counter(sample.path.stem for sample in samples)
    for sample in samples:
        # In this order, because a stem is the weakest key: files in different folders may have the same one.
        stem = sample.path.stem if stems[sample.path.stem] == 1 else None
        keys = [key for key in (sample.id, sample.label, stem) if key in stored]
        if not keys:
            missing.append(f"{sample.id} ({sample.path.name})")
            continue
        latent = stored[str(keys[0])].float()
        if latent.shape != tuple(shape):
            raise DataError(f"expected latents of shape {tuple(shape)} in {path}, got {tuple(latent.shape)}")
        latents.append(latent)
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise DataError(
            f"expected a latent in {path} for every image, by sample id, manifest id or a file stem that no other "
            f"image has, got none for {shown}"
        )
    return torch.stack(latents)


def describe_solver(solver: Solver) -> str:
    """Return the name and the parameters of a solver, such as ``anderson (memory 5, rho 1, ...)``."""
    parts = ", ".join(
        f"{name} {str(value).lower() if isinstance(value, bool) else format(value, 'g')}"
        for name, value in asdict(solver).items()
    )
    return f"{solver.name} ({parts})"
