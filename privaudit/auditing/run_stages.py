"""`measure`: runs the stages of an audit over all images, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.auditing.measurements import Convergence, GeometrySummary, Measurements, PixelFeatures
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.size_runs import Size, SizeRuns
from privaudit.auditing.stages import MaskSettings
from privaudit.data import Sample
from privaudit.decoder_geometry import (
    DECILES,
    MaskRule,
    channel_shares,
    distortion_bound,
    influence_maps,
    mask_names,
    pooled_influence,
    same_shape,
)
from privaudit.evaluation.reading_checks import FACTORS, FIT_IMAGES, FIT_LOG_SNRS, FIT_OFFSETS, ModelFit, needs_factors
from privaudit.execution.batching import Tensors
from privaudit.execution.progress import OnProgress
from privaudit.inversion import Solver
from privaudit.loading.heads import alternatives
from privaudit.model.schedule import FlowSchedule
from privaudit.model.target import Target
from privaudit.scorers import ErrorTable, Methods

MAX_MAP_SIDE = 32
"""Maximum height and width of the influence map of an image; larger latents are averaged over patches."""


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
    """Run the stages over all images; results that an earlier run stored in ``options.out`` are reused.

    Args:
        target: The audited model.
        samples: All images.
        methods: Attacks that can run on the target, with its noise levels, and scorers.
        options: Options of the audit.
        on_progress: Called with (stage, done, total) after each shard.
        reference: Reference model of the same latent shape and schedule, on which the attacks are run, too.
        rules: Custom masks by name, each scored with its control (see `rule_masks` of the geometry). Their scores are
            neither read from ``options.out`` nor stored there, because a name does not determine what a function does.

    Returns:
        Scores, convergence, geometry and pixel features of all images.
    """
    runs = SizeRuns.of(target, samples, options, on_progress, options.out)
    models = {"scores": runs.at_sizes(target)}
    if reference is not None:
        models["reference"] = runs.at_sizes(reference)
    pixels = runs.run(lambda run: run.stages.pixels)
    latents = runs.run(lambda run: run.stages.latents, keep=_without_latents)
    geometry, masks = _geometry(runs, options, rules or {})
    tables = [
        _tables(methods.attacks, _scores(runs, name, models[name], methods.attacks, masks), masks, options.drops)
        for name in models
    ]
    return Measurements(
        tables=tables[0],
        references=tables[1] if len(tables) > 1 else (),
        pixels=PixelFeatures(pixels["features"].double().numpy(), pixels["traces"].double().numpy()),
        convergence=_convergence(latents, len(samples), runs.runs[0].stages.latents.solver),
        geometry=geometry,
        seconds=runs.seconds,
    )


def measure_unmasked(
    target: Target,
    samples: Sequence[Sample],
    attacks: Sequence[Attack],
    options: AuditOptions,
    on_progress: OnProgress,
) -> tuple[ErrorTable, ...]:
    """Score attacks without a mask, so that no geometry of the decoder is computed.

    Args:
        target: The audited model.
        samples: All images.
        attacks: Attacks that can run on the target, with its noise levels.
        options: Options of the audit.
        on_progress: Called with (stage, done, total) after each shard.

    Returns:
        Scores of each attack, under the mask ``none`` alone.
    """
    runs = SizeRuns.of(target, samples, options, on_progress, options.out)
    runs.run(lambda run: run.stages.latents, keep=_without_latents)
    results = runs.run_each(lambda run: run.stages.scoring("scores", run.target, attacks, None))
    scores = _comparable(runs, results, attacks, options.drops)
    return tuple(
        ErrorTable(a.label, a.axis, a.candidates, {"none": scores[f"{a.label}/none"].numpy()}, a.scale, a.learned)
        for a in attacks
    )


def measure_fit(target: Target, samples: Sequence[Sample], options: AuditOptions, on_progress: OnProgress) -> ModelFit:
    """Measure how well a model, as it was read, predicts noise; other scales of the latents are tried if in doubt.

    Args:
        target: The audited model.
        samples: All images; the first by id are used, whatever their membership.
        options: Options of the audit.
        on_progress: Called after each batch.

    Returns:
        Errors of the predicted noise.
    """
    chosen = sorted(samples, key=lambda sample: sample.id)[:FIT_IMAGES]
    runs = SizeRuns.of(target, chosen, options, on_progress, options.out)
    fit = _model_fit(runs.run(lambda run: run.stages.noise_prediction(run.target)), target, chosen)
    if not needs_factors(fit):
        return fit
    return _model_fit(runs.run(lambda run: run.stages.noise_prediction(run.target, FACTORS)), target, chosen)


def _model_fit(tensors: Tensors, target: Target, samples: Sequence[Sample]) -> ModelFit:
    values = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    levels = [target.schedule.nearest(value) for value in FIT_LOG_SNRS]
    flow = isinstance(target.schedule, FlowSchedule)
    heads = alternatives(target.info.prediction_type, flow=flow)
    offsets = FIT_OFFSETS[: values["times"].shape[-1]]
    tried = FACTORS[: values["factors"].shape[-1]]
    reads = target.info.family != "unconditional"
    return ModelFit(
        power=values["power"],
        recorded=values["recorded"],
        null=values["null"],
        heads={head: values["heads"][..., column] for column, head in enumerate(heads)},
        times={offset: values["times"][..., column] for column, offset in enumerate(offsets)},
        factors={factor: values["factors"][..., column] for column, factor in enumerate(tried)},
        scales=[target.alpha_sigma(level) for level in levels],
        prediction_type=target.info.prediction_type,
        prompted=reads and any(sample.prompt.caption or sample.prompt.class_label is not None for sample in samples),
    )


def _convergence(latents: Tensors, count: int, solver: Solver | None) -> Convergence:
    """Convergence of the inversion; NaN and 0 for all images without one."""
    if solver is None:
        nan = float("nan")
        return Convergence(np.full(count, nan), np.zeros(count, np.int64), np.zeros(count, np.bool_), nan)
    residual, evaluations = latents["residual"].double().numpy(), latents["evaluations"].numpy()
    return Convergence(residual, evaluations, latents["diverged"].numpy(), solver.tolerance)


def _without_latents(tensors: Tensors) -> Tensors:
    """Keep everything but the latents, which stay on disk, so that memory does not grow with them."""
    return {name: values for name, values in tensors.items() if name not in ("encoded", "inverted")}


def _geometry(
    runs: SizeRuns, options: AuditOptions, rules: Mapping[str, MaskRule]
) -> tuple[GeometrySummary, Mapping[Size, MaskSettings]]:
    """Compute the influence, and from it the masks of each size; the mean influence of the set is that of a size."""
    axis = runs.runs[0].target.channel_axis
    parts = runs.run_each(lambda run: run.stages.influence, keep=partial(_summary, channel_axis=axis))
    masks = {}
    for run, part in zip(runs.runs, parts, strict=True):
        pooled = part.pop("pooled_sum").sum(dim=0, keepdim=True) / len(run.positions)  # summed over shards
        shared = pooled if options.mask_scope == "set" else None
        masks[run.size] = MaskSettings(options.drops, options.gamma, shared, rules)
    maps = same_shape([part["maps"] for part in parts])
    influence = runs.join([part | {"maps": resampled} for part, resampled in zip(parts, maps, strict=True)])
    return GeometrySummary(**{name: values.numpy() for name, values in influence.items()}), masks


def _summary(tensors: Tensors, channel_axis: int) -> Tensors:
    """Reduce the influence of one shard to what is kept in memory."""
    influence = tensors["values"]
    return {
        "distortion": distortion_bound(influence),
        "pooled_sum": len(influence) * pooled_influence(influence),
        "maps": influence_maps(influence, channel_axis, MAX_MAP_SIDE),
        "channels": channel_shares(influence, channel_axis),
    }


def _scores(
    runs: SizeRuns,
    name: str,
    models: Mapping[Size, Target],
    attacks: Sequence[Attack],
    masks: Mapping[Size, MaskSettings],
) -> Tensors:
    results = runs.run_each(lambda run: run.stages.scoring(name, models[run.size], attacks, masks[run.size]))
    return _comparable(runs, results, attacks, next(iter(masks.values())).drops)


def _comparable(
    runs: SizeRuns, results: Sequence[Tensors], attacks: Sequence[Attack], drops: tuple[float, ...]
) -> Tensors:
    """Join the scores of all sizes in units in which they can be compared.

    An error that is a sum over the dimensions that a mask keeps is smaller for a smaller latent, whatever the model
    knows: it is scaled to as many dimensions as the model's own size has. Weights that sum to one need no scale, and
    custom masks see the shape themselves.

    Returns:
        Scores of all images, by ``label/mask``.
    """
    masks = [mask for mask in (*mask_names(drops), *DECILES) if mask != "weighted"]
    sums = {f"{a.label}/{mask}" for a in attacks if a.additive and not a.learned for mask in masks}
    scaled = [
        {name: values * runs.dimensions(run) if name in sums else values for name, values in scores.items()}
        for run, scores in zip(runs.runs, results, strict=True)
    ]
    return runs.join(scaled)


def _tables(
    attacks: Sequence[Attack], scores: Tensors, masks: Mapping[Size, MaskSettings], drops: tuple[float, ...]
) -> tuple[ErrorTable, ...]:
    """Collect the scores of each attack by mask, including influence deciles if it has them."""
    named = (*next(iter(masks.values())).names, *DECILES)  # the same names for every size

    def by_mask(attack: Attack) -> dict[str, NDArray[np.float64]]:
        names = [name for name in named if f"{attack.label}/{name}" in scores]
        return {name: scores[f"{attack.label}/{name}"].numpy() for name in names}

    several = drops if len(drops) > 1 else ()
    return tuple(ErrorTable(a.label, a.axis, a.candidates, by_mask(a), a.scale, a.learned, several) for a in attacks)
