"""`run_geometry`: sets of images become influence and distortion of the decoder around them."""

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
from privaudit.data.listing import ListedImage, list_entries
from privaudit.decoder_geometry import Distortion, Influence, Method, distortion_bound, measure_distortion
from privaudit.errors import DataError
from privaudit.escape import csv_text
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.execution.stage import FunctionStage, Rows
from privaudit.inversion import require_any_finite
from privaudit.loading import load_target
from privaudit.model.target import Target
from privaudit.storage.files import locked, make_folder, write_text
from privaudit.storage.shards import write_shard
from privaudit.tasks.geometry_maps.geometry_map import EXTREMES, GeometryMap
from privaudit.tasks.geometry_maps.image_sets import read_sets
from privaudit.tasks.geometry_options import BOUND_LEFT_OUT, GeometryChoices, GeometryOptions
from privaudit.tasks.inversion_stage import inversion_stage

MAPS = "maps"
"""Subfolder of the maps of single images."""
RESULTS = ("influence.safetensors", "influence_error.safetensors", "geometry.csv", "distortion.png", "extremes.png")
"""Files of a geometry's folder, next to those in `MAPS`."""


def run_geometry(options: GeometryOptions, on_progress: OnProgress | None = None) -> GeometryMap:
    """Measure influence and distortion around every image and write them.

    The folder gets ``influence.safetensors`` and ``influence_error.safetensors`` (sample id to influence, and to its
    standard error, float32) and ``geometry.csv`` (one row per image), at the end. What `privaudit.report` draws goes
    next to them.

    Args:
        options: Whose geometry, and how.
        on_progress: Called with (stage, images done, images in all).

    Returns:
        Influence and distortion of every image.

    Raises:
        ConfigError: An option is wrong, or the folder cannot be written.
        DataError: The images cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    entries = _listed(options)
    with locked(options.out):
        _prepare(options, entries)
        return _run(options, [len(part) for part in entries], progress)


def geometry(
    target: str | Path,
    images: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    **choices: Unpack[GeometryChoices],
) -> GeometryMap:
    """Measure influence and distortion of the decoder around images, as `privaudit geometry` does; draws nothing.

    Args:
        target: A diffusers folder or hub id.
        images: Folder or manifest of images, or one per set.
        out: Folder to write; by default that of the command line, below ``privaudit-runs``.
        on_progress: Called with (stage, images done, images in all).
        choices: Any other field of `GeometryOptions`, parsed or as text.

    Returns:
        Influence and distortion of every image (see `run_geometry` for what raises).
    """
    return run_geometry(GeometryOptions.parse(target=target, images=_sets(images), out=out, **choices), on_progress)


def _sets(images: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    return (Path(images),) if isinstance(images, (str, Path)) else tuple(map(Path, images))


def _run(options: GeometryOptions, counts: Sequence[int], progress: OnProgress) -> GeometryMap:
    """Measure in a folder that is ready."""
    target = load_target(options.source(device=options.device, dtype=options.dtype, upcast=options.dtype == "auto"))
    sets = read_sets(
        options.images,
        target.info.image_size,
        counts,
        strict=options.strict,
        on_image=lambda done, total: progress("images", done, total),
    )
    samples = [sample for part in sets for sample in part.images.samples]
    ids = [sample.id for sample in samples]
    engine = Engine(samples, progress)

    def batcher() -> Batcher:  # one per stage
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
    wanted = len(samples) if options.maps is None else max(options.maps, 2 * EXTREMES)
    shown = choose_shown(distortion.values.numpy(), wanted)
    geometry = GeometryMap(
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
    write_text(options.out / RESULTS[2], csv_text(geometry.table))
    return geometry


def choose_shown(distortion: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Choose images to look at: the most and the least distorted in turn, then the rest evenly over distortion.

    Args:
        distortion: ``(n,)``.
        count: Wanted; all if there are fewer.

    Returns:
        Different positions of images, the extremes first.
    """
    order = np.argsort(-distortion, kind="stable").tolist()
    if count <= 2 * EXTREMES or len(order) <= 2 * EXTREMES:
        ends = min(count, len(order))
        return tuple(order[place // 2] if place % 2 == 0 else order[-1 - place // 2] for place in range(ends))
    extremes = choose_shown(distortion, 2 * EXTREMES)
    middle = order[EXTREMES:-EXTREMES]
    wanted = min(count - 2 * EXTREMES, len(middle))
    places = np.linspace(0, len(middle) - 1, wanted) if wanted > 1 else np.array([(len(middle) - 1) / 2])
    return *extremes, *(middle[int(place + 0.5)] for place in places)


def _listed(options: GeometryOptions) -> list[list[ListedImage]]:
    """The files or rows of each set."""
    entries = []
    for source in options.images:
        if not source.exists():
            raise DataError(f"expected images at {source}, but it does not exist")
        entries.append(list_entries(source))
    return entries


def _prepare(options: GeometryOptions, entries: Sequence[Sequence[ListedImage]]) -> None:
    """Make the folder, rid of what an earlier run left in it."""
    stale = [f"{MAPS}/{path.name}" for path in (options.out / MAPS).glob("*.png") if re.match(r"\d+-", path.name)]
    inputs = [*options.images, *(entry.path for part in entries for entry in part)]
    make_folder(options.out, [*RESULTS, *stale], inputs)


def _bound(influence: Influence) -> Distortion:
    """Hadamard's bound of the distortion, which takes nothing but the influence."""
    bound = distortion_bound(influence.values)
    unknown = torch.full((len(bound),), torch.nan, dtype=torch.float64)
    free = torch.zeros(len(bound), dtype=torch.int64)
    return Distortion(bound, unknown, free, BOUND_LEFT_OUT)


def _distortion_stage(
    target: Target, batcher: Batcher, at: str, method: Method, seed: int
) -> FunctionStage[Sample, Distortion]:
    """The stage that measures the distortion around ``inputs["latents"][at]``."""

    def compute(batch: Rows[Sample]) -> Distortion:
        latents, axis = batch.inputs["latents"][at].to(target.device), target.channel_axis
        found = measure_distortion(target.decode, latents, ids_of(batch), method, seed=seed, channel_axis=axis)
        return found.to("cpu")

    return FunctionStage("distortion", batcher, compute, Distortion.join)


def _decode(target: Target, latents: Tensor, batcher: Batcher) -> NDArray[np.uint8]:
    """D(z) of some images, as a file would hold them."""

    def compute(batch: Tensor) -> Tensor:
        with torch.no_grad():
            images = target.decode(batch.to(target.device))
        return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()

    pictures: NDArray[np.uint8] = torch.cat(batcher.parts(latents, compute)).numpy()
    return pictures
