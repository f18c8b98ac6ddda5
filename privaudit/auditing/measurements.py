"""What an audit measures about every image: the stages in their order, and what is held of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.stages import AuditStages, MaskSettings
from privaudit.data import Sample
from privaudit.execution.batching import Tensors
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress
from privaudit.geometry import (
    DECILES,
    MaskRule,
    channel_shares,
    distortion_bound,
    influence_maps,
    pooled_influence,
)
from privaudit.inversion import Solver
from privaudit.model.target import Target
from privaudit.scorers import ErrorTable, Methods

MAP = 32
"""Longest side of an influence map that is kept of every image; larger latents are averaged over patches."""


@dataclass(frozen=True)
class PerImage:
    """Base of arrays whose first axis is the images, in the order of the samples."""

    def rows(self, positions: NDArray[np.integer] | slice) -> Self:
        """Return the rows of some images, in the order of their positions."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{k: values[positions] for k, values in arrays.items() if isinstance(values, np.ndarray)})


@dataclass(frozen=True)
class PixelFeatures(PerImage):
    """What the blind baseline looks at.

    Attributes:
        statistics: ``(n, d)``, what the images look like.
        traces: ``(n, d)``, what editing and compression left in them.
    """

    statistics: NDArray[np.float64]
    traces: NDArray[np.float64]


@dataclass(frozen=True)
class Convergence(PerImage):
    """How well the decoder was inverted.

    Attributes:
        residual: ``(n,)``, relative residual; NaN where no inversion was run.
        evaluations: ``(n,)``, evaluations of E(D(z)); 0 where none was run.
        diverged: ``(n,)``, bool, whether the inversion diverged and kept its best iterate.
        tolerance: Residual at which an inversion counts as converged; NaN where none was run.
    """

    residual: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    tolerance: float


@dataclass(frozen=True)
class GeometrySummary(PerImage):
    """Where the decoder's influence lies.

    Attributes:
        distortion: ``(n,)``, Hadamard's bound of log sqrt(det G).
        maps: ``(n, height, width)``, where each image's influence lies (see `privaudit.geometry.influence_maps`).
        channels: ``(n, channels)``, which channels it falls to.
    """

    distortion: NDArray[np.float64]
    maps: NDArray[np.float32]
    channels: NDArray[np.float32]


@dataclass(frozen=True)
class Measurements:
    """What the stages of an audit say about every image, in the order of the samples.

    Attributes:
        tables: Scores of each attack, under every mask.
        references: The same on the reference model; empty without one.
        pixels: What the blind baseline looks at.
        convergence: How well the decoder was inverted.
        geometry: Where the decoder's influence lies.
        seconds: Time by stage.
    """

    tables: tuple[ErrorTable, ...]
    references: tuple[ErrorTable, ...]
    pixels: PixelFeatures
    convergence: Convergence
    geometry: GeometrySummary
    seconds: dict[str, float]

    def rows(self, positions: NDArray[np.integer] | slice) -> Measurements:
        """Return the rows of some images, in the order of their positions."""
        tables, references = (
            tuple(
                replace(table, by_mask={mask: values[positions] for mask, values in table.by_mask.items()})
                for table in tables
            )
            for tables in (self.tables, self.references)
        )
        return Measurements(
            tables,
            references,
            self.pixels.rows(positions),
            self.convergence.rows(positions),
            self.geometry.rows(positions),
            self.seconds,
        )


def measure(
    target: Target,
    samples: Sequence[Sample],
    methods: Methods,
    options: AuditOptions,
    on_progress: OnProgress,
    *,
    reference: Target | None = None,
    rules: Mapping[str, MaskRule] | None = None,
) -> Measurements:
    """Run the stages over all images; what an earlier run left in ``options.out`` is not run again.

    Args:
        target: The audited model.
        samples: All images.
        methods: Attacks that can run on the target, with its levels, and the scorers.
        options: Options of the audit.
        on_progress: Called after each shard.
        reference: A model of the same latent shape and schedule that is asked the same.
        rules: Further masks under which every attack is scored, each with its control (see
            `privaudit.geometry.rule_masks`). What a function does is not known from its name, so that these scores
            are neither read from ``options.out`` nor kept there.

    Returns:
        Scores and what goes with them.
    """
    stages = AuditStages(target, options)
    engine = Engine(samples, on_progress, options.out)
    pixels = engine.run(stages.pixels)
    latents = engine.run(stages.latents, keep=_without_latents)
    influence = engine.run(stages.influence, keep=partial(_summary, channel_axis=target.channel_axis))
    shares = influence["shares"].sum(dim=0, keepdim=True) / len(samples)
    masks = MaskSettings(options.drops, options.gamma, shares if options.mask_scope == "set" else None, rules or {})
    tables = [
        _tables(methods.attacks, engine.run(stages.scoring(name, asked, methods.attacks, masks)), masks, options.drops)
        for name, asked in (("scores", target), ("reference", reference))
        if asked is not None
    ]
    return Measurements(
        tables=tables[0],
        references=tables[1] if len(tables) > 1 else (),
        pixels=PixelFeatures(pixels["features"].double().numpy(), pixels["traces"].double().numpy()),
        convergence=_convergence(latents, len(samples), stages.latents.solver),
        geometry=GeometrySummary(**{name: values.numpy() for name, values in influence.items() if name != "shares"}),
        seconds=engine.seconds,
    )


def _convergence(latents: Tensors, count: int, solver: Solver | None) -> Convergence:
    if solver is None:
        nan = float("nan")
        return Convergence(np.full(count, nan), np.zeros(count, np.int64), np.zeros(count, np.bool_), nan)
    residual, evaluations = latents["residual"].double().numpy(), latents["evaluations"].numpy()
    return Convergence(residual, evaluations, latents["diverged"].numpy(), solver.tolerance)


def _without_latents(tensors: Tensors) -> Tensors:
    """Return what is held for all images at once; latents stay on the disk, so that memory does not grow with them."""
    return {name: values for name, values in tensors.items() if name not in ("encoded", "inverted")}


def _summary(tensors: Tensors, channel_axis: int) -> Tensors:
    influence = tensors["values"]
    return {
        "distortion": distortion_bound(influence),
        "shares": len(influence) * pooled_influence(influence),
        "maps": influence_maps(influence, channel_axis, MAP),
        "channels": channel_shares(influence, channel_axis),
    }


def _tables(
    attacks: Sequence[Attack], scores: Tensors, masks: MaskSettings, drops: tuple[float, ...]
) -> tuple[ErrorTable, ...]:
    def by_mask(attack: Attack) -> dict[str, NDArray[np.float64]]:
        names = [name for name in (*masks.names, *DECILES) if f"{attack.label}/{name}" in scores]
        return {name: scores[f"{attack.label}/{name}"].numpy() for name in names}

    several = drops if len(drops) > 1 else ()
    return tuple(ErrorTable(a.label, a.axis, a.candidates, by_mask(a), a.scale, a.learned, several) for a in attacks)
