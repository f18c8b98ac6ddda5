"""`run_geometry`: sets of images become influence and distortion of the decoder around them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from privaudit.data import Sample, load_images
from privaudit.data.listing import Entry, list_entries
from privaudit.errors import DataError
from privaudit.escape import csv_text
from privaudit.execution.batching import Batcher, auto_batch_size
from privaudit.geometry import (
    ESTIMATORS,
    Distortion,
    Influence,
    distortion_bound,
    estimate_influence,
    images_at_once,
    measure_distortion,
)
from privaudit.inversion import SOLVERS, Inversion, require_any_finite
from privaudit.loading import ModelSource, load_target
from privaudit.model.target import Target, require_finite
from privaudit.storage.files import locked, make_folder, write_text
from privaudit.storage.shards import write_shard
from privaudit.tasks.geometry_maps.geometry_map import EXTREMES, GeometryMap
from privaudit.tasks.geometry_maps.image_sets import read_sets
from privaudit.tasks.geometry_maps.map_options import BOUND_LEFT_OUT, GeometryOptions, distortion_method
from privaudit.tasks.inverting import invert_samples

OnProgress = Callable[[str, int, int], None]
"""Called with (stage, images done, images in all)."""
T = TypeVar("T")
MAPS = "maps"
"""Subfolder of the maps of single images."""
RESULTS = ("influence.safetensors", "influence_error.safetensors", "geometry.csv", "distortion.png", "extremes.png")
"""Files of a geometry's folder, beside those in `MAPS`."""


def run_geometry(options: GeometryOptions, on_progress: OnProgress | None = None) -> GeometryMap:
    """Measure influence and distortion around every image and write them.

    The folder gets ``influence.safetensors`` and ``influence_error.safetensors`` (sample id to influence, and to its
    standard error, float32) and ``geometry.csv`` (one row an image), at the end. What `privaudit.report` draws goes
    beside them.

    Args:
        options: Whose geometry, and how.
        on_progress: Called with (stage, done, total).

    Returns:
        Everything that was found.

    Raises:
        ConfigError: An option is wrong, or the folder cannot be written.
        DataError: The images cannot be used.
        TargetError: The model cannot be loaded or does not round-trip its shapes.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or (lambda stage, done, total: None)
    entries = _listed(options)
    with locked(options.out):
        _prepare(options, entries)
        return _run(options, [len(part) for part in entries], progress)


def _run(options: GeometryOptions, counts: Sequence[int], progress: OnProgress) -> GeometryMap:
    """Measure in a folder that is ready."""
    target = load_target(ModelSource(options.target, options.device, options.dtype, upcast=options.dtype == "auto"))
    sets = read_sets(
        options.images,
        target.info.image_size,
        counts,
        strict=options.strict,
        on_image=lambda done, total: progress("images", done, total),
    )
    samples = [sample for part in sets for sample in part.images.samples]
    run = _Run(target, samples, options, progress)
    inversion = run.invert() if options.geometry_latents == "inversion" else None
    latents = run.encode() if inversion is None else inversion.latents
    influence = run.influence(latents)
    distortion = run.distortion(latents, influence)
    wanted = len(samples) if options.maps is None else max(options.maps, 2 * EXTREMES)
    shown = choose_shown(distortion.values.numpy(), wanted)
    decoded = run.decode(latents, shown)
    found = GeometryMap(
        options=options,
        info=target.info,
        dtype=target.dtype,
        sets=sets,
        latents=latents,
        inversion=inversion,
        influence=influence,
        distortion=distortion,
        shown=shown,
        decoded=decoded,
        seconds=run.seconds,
    )
    ids = [sample.id for sample in samples]
    write_shard(options.out / RESULTS[0], dict(zip(ids, influence.values.float(), strict=True)))
    write_shard(options.out / RESULTS[1], dict(zip(ids, influence.standard_error.float(), strict=True)))
    write_text(options.out / RESULTS[2], csv_text(found.table))
    return found


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


def _listed(options: GeometryOptions) -> list[list[Entry]]:
    """The files or rows of each set."""
    entries = []
    for source in options.images:
        if not source.exists():
            raise DataError(f"expected images at {source}, but it does not exist")
        entries.append(list_entries(source))
    return entries


def _prepare(options: GeometryOptions, entries: Sequence[Sequence[Entry]]) -> None:
    """Make the folder, rid of what an earlier run left in it."""
    stale = [f"{MAPS}/{path.name}" for path in (options.out / MAPS).glob("*.png") if re.match(r"\d+-", path.name)]
    inputs = [*options.images, *(entry.path for part in entries for entry in part)]
    make_folder(options.out, [*RESULTS, *stale], inputs)


class _Run:
    """The stages that need the model, each over all images in batches."""

    def __init__(
        self, target: Target, samples: Sequence[Sample], options: GeometryOptions, on_progress: OnProgress
    ) -> None:
        self.target, self.samples, self.options, self.on_progress = target, samples, options, on_progress
        self.seconds: dict[str, float] = {}
        self.batch_size = options.batch_size or auto_batch_size(target.info.image_size, target.device.type)

    def invert(self) -> Inversion:
        """Latents that decode to the images."""
        self.on_progress("inversion", 0, len(self.samples))
        started = time.perf_counter()
        found = invert_samples(
            self.target,
            self.samples,
            SOLVERS.build(self.options.solver),
            batch_size=self.options.batch_size,
            on_batch=lambda done: self.on_progress("inversion", done, len(self.samples)),
        )
        self.seconds["inversion"] = time.perf_counter() - started
        require_any_finite(found.residual, self._ids(range(len(self.samples))))
        return found

    def encode(self) -> Tensor:
        """E(x)."""

        def compute(rows: range) -> Tensor:
            pixels = load_images([self.samples[row] for row in rows], self.target.info.image_size)
            with torch.no_grad():
                encoded = self.target.encode(torch.from_numpy(pixels))
            return require_finite(encoded, "encoder output", self._ids(rows)).cpu()

        return torch.cat(self._over("encoding", compute))

    def influence(self, latents: Tensor) -> Influence:
        """G_ii at the latents."""
        estimator = ESTIMATORS.build(self.options.influence)

        def compute(rows: range) -> Influence:
            points = latents[list(rows)].to(self.target.device)
            return estimate_influence(
                self.target.decode,
                points,
                self._ids(rows),
                estimator,
                seed=self.options.seed,
                channel_axis=self.target.channel_axis,
                at_once=size,
                check=False,
            ).to("cpu")

        first = latents[:2].to(self.target.device)
        size = images_at_once(self.target.decode, first, self._ids(range(len(first))), estimator, self.batch_size)
        return Influence.join(self._over("influence", compute, size))

    def distortion(self, latents: Tensor, influence: Influence) -> Distortion:
        """Of the latents; the bound takes nothing but the influence."""
        method, count = distortion_method(self.options.distortion), len(self.samples)
        if method is None:
            unknown = torch.full((count,), torch.nan, dtype=torch.float64)
            free = torch.zeros(count, dtype=torch.int64)
            return Distortion(distortion_bound(influence.values), unknown, free, BOUND_LEFT_OUT)

        def compute(rows: range) -> Distortion:
            points = latents[list(rows)].to(self.target.device)
            return measure_distortion(
                self.target.decode,
                points,
                self._ids(rows),
                method,
                seed=self.options.seed,
                channel_axis=self.target.channel_axis,
            ).to("cpu")

        return Distortion.join(self._over("distortion", compute))

    def decode(self, latents: Tensor, shown: Sequence[int]) -> NDArray[np.uint8]:
        """D(z) of some images, as a file would hold them."""

        def compute(rows: Sequence[int]) -> Tensor:
            with torch.no_grad():
                images = self.target.decode(latents[list(rows)].to(self.target.device))
            return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()

        pictures: NDArray[np.uint8] = torch.cat(Batcher(self.batch_size).parts(shown, compute)).numpy()
        return pictures

    def _over(self, stage: str, compute: Callable[[range], T], size: int | None = None) -> list[T]:
        """Compute a stage batch by batch, and keep its time."""
        rows = range(len(self.samples))
        self.on_progress(stage, 0, len(rows))
        started = time.perf_counter()
        batcher = Batcher(size or self.batch_size)  # of its own, since each stage needs other memory
        found = batcher.parts(rows, compute, lambda done: self.on_progress(stage, done, len(rows)))
        self.seconds[stage] = time.perf_counter() - started
        return found

    def _ids(self, rows: Sequence[int]) -> list[str]:
        return [self.samples[row].id for row in rows]
