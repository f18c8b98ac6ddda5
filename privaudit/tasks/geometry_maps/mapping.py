"""`run_geometry` measures influence and local distortion of the decoder around sets of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from privaudit.auditing.stages import AT, DecoderInfluence, Latents, ids_of
from privaudit.data import Sample
from privaudit.data.listed import ListedImage
from privaudit.data.listing import list_entries, set_exists
from privaudit.decoder_geometry import Distortion, Influence, Method, distortion_bound, measure_distortion
from privaudit.errors import DataError
from privaudit.escape import csv_text
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.execution.stage import FunctionStage, Rows
from privaudit.inversion import require_any_finite
from privaudit.loading import load_decoder_target
from privaudit.model.target import Target
from privaudit.storage.files import PREVIOUS, locked, replacing, write_text
from privaudit.storage.shards import write_shard
from privaudit.tasks.geometry_maps.geometry_map import EXTREMES, GeometryMap
from privaudit.tasks.geometry_maps.image_sets import read_sets
from privaudit.tasks.geometry_options import BOUND_LEFT_OUT, GeometryChoices, GeometryOptions
from privaudit.tasks.inversion_stage import inversion_stage

MAPS = "maps"
"""Subfolder of the maps of single images."""
RESULTS = ("influence.safetensors", "influence_error.safetensors", "geometry.csv", "distortion.png", "extremes.png")
"""Files in the output folder of a geometry, in addition to those in `MAPS`."""


def run_geometry(options: GeometryOptions, on_progress: OnProgress | None = None) -> GeometryMap:
    """Measure influence and distortion around every image, and write them.

    At the end, the output folder gets ``influence.safetensors`` and ``influence_error.safetensors`` (influence and its
    standard error by sample id, float32) and ``geometry.csv`` (one row per image). Figures are drawn by
    `privaudit.tasks.geometry_maps.map_plots.plot_geometry`.

    Args:
        options: Target, image sets, and methods.
        on_progress: Called with (stage, images done, all images).

    Returns:
        Influence and distortion of every image.

    Raises:
        ConfigError: The folder cannot be written, or an input would be overwritten.
        DataError: The images cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model returns NaN or infinity; the message names the images.
    """
    progress = on_progress or no_progress
    entries = _listed(options)
    inputs = [*options.images, *(entry.path for part in entries for entry in part)]
    with locked(options.out), replacing(options.out, _results(options.out), inputs):
        return _run(options, [len(part) for part in entries], progress)


def geometry(
    target: str | Path,
    images: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    **choices: Unpack[GeometryChoices],
) -> GeometryMap:
    """Measure influence and distortion of the decoder around images.

    Does the same as `privaudit geometry`, except that no figures are drawn.

    Args:
        target: Diffusers folder or hub id.
        images: Folder or manifest of images, or a sequence with one per set.
        out: Folder to write; by default that of the command line, below ``privaudit-runs``.
        on_progress: Called with (stage, images done, all images).
        choices: Any other field of `GeometryOptions`, parsed or as text.

    Returns:
        Influence and distortion of every image.

    Raises:
        ConfigError: Options are wrong, the folder cannot be written, or an input would be overwritten.
        DataError: The images cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model returns NaN or infinity; the message names the images.
    """
    return run_geometry(GeometryOptions.parse(target=target, images=_sets(images), out=out, **choices), on_progress)


def _sets(images: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    return (Path(images),) if isinstance(images, (str, Path)) else tuple(map(Path, images))


def _run(options: GeometryOptions, counts: Sequence[int], progress: OnProgress) -> GeometryMap:
    """Run the measurement, once the output folder is locked and free of earlier results."""
    source = options.source(device=options.device, dtype=options.dtype, upcast=options.dtype == "auto")
    target = load_decoder_target(source)
    sets = read_sets(
        options.images,
        target.info.image_size,
        counts,
        strict=options.strict,
        on_image=lambda done, total: progress("images", done, total),
        reading=options.reading,
    )
    samples = [sample for part in sets for sample in part.images.samples]
    ids = [sample.id for sample in samples]
    engine = Engine(samples, progress)

    def batcher() -> Batcher:  # one per stage, because a batch that does not fit into memory halves its size for good
        return Batcher.of(options.batch_size, target.info.image_size, target.device)

    encoding = Latents(target, batcher(), None, name="encoding")
    inversion = None
    if options.geometry_latents == "inversion":
        inversion = engine.run(inversion_stage(target, batcher(), options.solver))
        require_any_finite(inversion.residual, ids)
    latents = engine.run(encoding)["encoded"] if inversion is None else inversion.latents
    at, estimator = AT[options.geometry_latents], options.influence
    inputs = {"latents": {at: latents}}
    influencing = DecoderInfluence(target, batcher(), encoding, at, estimator, options.seed, errors=True)
    influence = Influence(**engine.run(influencing, inputs=inputs))
    method = options.distortion
    if method is None:
        distortion = _bound(influence)
    else:
        distortion = engine.run(_distortion_stage(target, batcher(), at, method, options.seed), inputs=inputs)
    # The plot of the extremes needs decoded latents even if fewer maps are requested.
    count = len(samples) if options.maps is None else max(options.maps, 2 * EXTREMES)
    shown = choose_shown(distortion.values.numpy(), count)
    result = GeometryMap(
        options=options,
        info=target.info,
        dtype=target.dtype,
        sets=sets,
        latents=latents,
        inversion=inversion,
        influence=influence,
        distortion=distortion,
        shown=shown,
        decoded=_decode(target, latents[list(shown)], batcher()),
        seconds=engine.seconds,
    )
    write_shard(options.out / RESULTS[0], dict(zip(ids, influence.values.float(), strict=True)))
    write_shard(options.out / RESULTS[1], dict(zip(ids, influence.standard_error.float(), strict=True)))
    write_text(options.out / RESULTS[2], csv_text(result.table))
    return result


def choose_shown(distortion: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Choose images to show: the most and the least distorted in turn, then others evenly spaced by rank.

    Args:
        distortion: ``(n,)``.
        count: Number of images to choose; all images if there are fewer.

    Returns:
        Distinct indices of images, the extremes first.
    """
    order = np.argsort(-distortion, kind="stable").tolist()
    if count <= 2 * EXTREMES or len(order) <= 2 * EXTREMES:
        # Even positions take from the most distorted end, odd ones from the least distorted end.
        chosen = min(count, len(order))
        return tuple(order[place // 2] if place % 2 == 0 else order[-1 - place // 2] for place in range(chosen))
    extremes = choose_shown(distortion, 2 * EXTREMES)
    middle = order[EXTREMES:-EXTREMES]
    remaining = min(count - 2 * EXTREMES, len(middle))
    places = np.linspace(0, len(middle) - 1, remaining) if remaining > 1 else np.array([(len(middle) - 1) / 2])
    # Rounded half up: places are at least 1 apart, so no image is chosen twice. round() rounds half to even.
    return *extremes, *(middle[int(place + 0.5)] for place in places)


def _listed(options: GeometryOptions) -> list[list[ListedImage]]:
    """List the files or manifest rows of each set, before anything is loaded or written."""
    entries = []
    for source in options.images:
        if not set_exists(source):
            raise DataError(f"expected images at {source}, but it does not exist")
        entries.append(list_entries(source))
    return entries


def _results(folder: Path) -> list[str]:
    """Names of the results that earlier runs have left in a folder, or kept aside, next to the usual ones."""
    # Only names that start with a rank: other files in the folder belong to the user.
    maps = [path.name for place in (folder, folder / PREVIOUS) for path in (place / MAPS).glob("*.png")]
    return [*RESULTS, *(f"{MAPS}/{name}" for name in dict.fromkeys(maps) if re.match(r"\d+-", name))]


def _bound(influence: Influence) -> Distortion:
    """Hadamard's bound on the distortion, which is computed from the influence and needs no further products."""
    bound = distortion_bound(influence.values)
    standard_error = torch.full((len(bound),), torch.nan, dtype=torch.float64)
    products = torch.zeros(len(bound), dtype=torch.int64)
    return Distortion(bound, standard_error, products, BOUND_LEFT_OUT)


def _distortion_stage(
    target: Target, batcher: Batcher, at: str, method: Method, seed: int
) -> FunctionStage[Sample, Distortion]:
    """Make the stage that measures the distortion at the latents ``inputs["latents"][at]``."""

    def compute(batch: Rows[Sample]) -> Distortion:
        latents, axis = batch.inputs["latents"][at].to(target.device), target.channel_axis
        distortion = measure_distortion(target.decode, latents, ids_of(batch), method, seed=seed, channel_axis=axis)
        return distortion.to("cpu")

    return FunctionStage("distortion", batcher, compute, Distortion.join)


def _decode(target: Target, latents: Tensor, batcher: Batcher) -> NDArray[np.uint8]:
    """Decode latents and round them as in a file, ``(n, height, width, 3)``, uint8."""

    def compute(batch: Tensor) -> Tensor:
        with torch.no_grad():
            images = target.decode(batch.to(target.device))
        return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()

    decoded: NDArray[np.uint8] = torch.cat(batcher.parts(latents, compute)).numpy()
    return decoded
