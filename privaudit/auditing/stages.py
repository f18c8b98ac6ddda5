"""The stages that need the model: latents, decoder influence, attack scores, each cached in shards.

Images are taken in runs of `SHARD` whatever the batch size, so a resumed run may use another one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from privaudit.attacks import Attack, Batch, PassCache, make_plan, score_batch
from privaudit.auditing.options import AuditOptions
from privaudit.data import Sample, load_images
from privaudit.evaluation.blind import compression_traces, image_features
from privaudit.execution.batching import Batcher, OnBatch, Tensors, auto_batch_size
from privaudit.geometry import (
    DECILES,
    ESTIMATORS,
    MaskRule,
    build_masks,
    channel_shares,
    control_of,
    decile_masks,
    distortion_bound,
    estimate_influence,
    images_at_once,
    influence_maps,
    mask_names,
    pooled_influence,
    rule_masks,
)
from privaudit.inversion import SOLVERS, invert
from privaudit.model.target import Target, require_finite
from privaudit.scorers import ErrorTable, Methods
from privaudit.storage.shards import read_shard, shard_key, write_shard

SHARD = 256
"""Images a shard."""
MAP = 32
"""Longest side of an influence map that is kept of every image; larger latents are averaged over patches."""
OnProgress = Callable[[str, int, int], None]
"""Called with (stage, images done, images in all)."""


@dataclass(frozen=True)
class Measured:
    """What the model said about every image, in the order of the samples.

    Attributes:
        tables: What each attack found, under every mask.
        references: The same on the reference model; empty without one.
        distortion: ``(n,)``, Hadamard's bound of log sqrt(det G).
        maps: ``(n, height, width)``, where each image's influence lies (see `privaudit.geometry.influence_maps`).
        channels: ``(n, channels)``, which channels it falls to.
        residual: ``(n,)``, relative residual of the inversion; NaN where none was run.
        evaluations: ``(n,)``, evaluations of E(D(z)) that the inversion took; 0 where none was run.
        diverged: ``(n,)``, bool, whether the inversion diverged and kept its best iterate.
        tolerance: Residual at which an inversion counts as converged; NaN where none was run.
        features: ``(n, d)``, what the images look like, for the blind baseline.
        traces: ``(n, d)``, what editing and compression left in them, for the blind baseline.
        seconds: Time by stage.
    """

    tables: tuple[ErrorTable, ...]
    references: tuple[ErrorTable, ...]
    distortion: NDArray[np.float64]
    maps: NDArray[np.float32]
    channels: NDArray[np.float32]
    residual: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    tolerance: float
    features: NDArray[np.float64]
    traces: NDArray[np.float64]
    seconds: dict[str, float]

    def rows(self, positions: NDArray[np.integer] | slice) -> Measured:
        """Return what was found for some of the images, in the order of their positions."""

        def taken(tables: tuple[ErrorTable, ...]) -> tuple[ErrorTable, ...]:
            return tuple(
                replace(table, by_mask={mask: values[positions] for mask, values in table.by_mask.items()})
                for table in tables
            )

        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        arrays = {name: values[positions] for name, values in arrays.items() if isinstance(values, np.ndarray)}
        return replace(self, tables=taken(self.tables), references=taken(self.references), **arrays)


def measure(
    target: Target,
    samples: Sequence[Sample],
    methods: Methods,
    options: AuditOptions,
    on_progress: OnProgress,
    *,
    reference: Target | None = None,
    budget: int | None = None,
    rules: Mapping[str, MaskRule] | None = None,
) -> Measured:
    """Run the stages over all images; what an earlier run left in ``options.out`` is not run again.

    Args:
        target: The audited model.
        samples: All images.
        methods: Attacks that can run on the target, with its levels, and the scorers.
        options: Of the audit.
        on_progress: Called after each shard.
        reference: A model of the same latent shape and schedule that is asked the same.
        budget: Bytes that the geometry may take on the target's device; half of what is free by default.
        rules: Further masks under which every attack is scored, each with its control (see
            `privaudit.geometry.rule_masks`). What a function does is not known from its name, so that these scores
            are neither read from ``options.out`` nor kept there.

    Returns:
        Scores and what goes with them.
    """
    stages = _Stages(target, options, methods, budget, rules)
    seconds: dict[str, float] = {}
    parts: dict[str, list[Tensors]] = {}
    order = {"latents": stages.latents, "influence": stages.influence, "scores": stages.scores}
    if reference is not None:
        order["reference"] = partial(stages.scores, asked=reference)
    for name, stage in order.items():
        started, done = time.perf_counter(), 0
        on_progress(name, 0, len(samples))
        parts[name] = []
        for run in _runs(samples):
            part = stage(run, partial(_advance, on_progress, name, done, len(samples)))
            parts[name].append(_keep(name, part, target.channel_axis))
            done += len(run)
            on_progress(name, done, len(samples))
        seconds[name] = time.perf_counter() - started
        if name == "influence" and options.mask_scope == "set":
            stages.pooled = torch.cat([part["shares"] for part in parts[name]]).sum(dim=0, keepdim=True) / len(samples)
    joined = {name: {key: torch.cat([p[key] for p in run]) for key in run[0]} for name, run in parts.items()}
    latents, influence = joined["latents"], joined["influence"]
    count = len(samples)
    return Measured(
        tables=_tables(methods.attacks, joined["scores"], stages.names, options.drops),
        references=_tables(methods.attacks, joined.get("reference"), stages.names, options.drops),
        distortion=influence["distortion"].numpy(),
        maps=influence["maps"].numpy(),
        channels=influence["channels"].numpy(),
        residual=latents["residual"].double().numpy() if options.inverts else np.full(count, np.nan),
        evaluations=latents["evaluations"].numpy() if options.inverts else np.zeros(count, np.int64),
        diverged=latents["diverged"].numpy() if options.inverts else np.zeros(count, np.bool_),
        tolerance=stages.solver.tolerance if options.inverts else float("nan"),
        features=latents["features"].double().numpy(),
        traces=latents["traces"].double().numpy(),
        seconds=seconds,
    )


def _runs(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    for start in range(0, len(samples), SHARD):
        yield samples[start : start + SHARD]


def _advance(on_progress: OnProgress, stage: str, before: int, total: int, done: int) -> None:
    """Report progress inside a run; its end is reported once, by the loop over runs."""
    if before + done < total:
        on_progress(stage, before + done, total)


def _keep(stage: str, tensors: Tensors, channel_axis: int) -> Tensors:
    """What is held for all images at once; the rest stays on disk, so memory does not grow with latents."""
    if stage == "influence":
        influence = tensors["influence"]
        return {
            "distortion": distortion_bound(influence),
            "shares": len(influence) * pooled_influence(influence),
            "maps": influence_maps(influence, channel_axis, MAP),
            "channels": channel_shares(influence, channel_axis),
        }
    return {name: values for name, values in tensors.items() if name not in ("encoded", "inverted")}


def _tables(
    attacks: Sequence[Attack], scores: Tensors | None, under: Sequence[str], drops: tuple[float, ...]
) -> tuple[ErrorTable, ...]:
    if scores is None:
        return ()

    def masks(attack: Attack) -> dict[str, NDArray[np.float64]]:
        names = [name for name in (*under, *DECILES) if f"{attack.label}/{name}" in scores]
        return {name: scores[f"{attack.label}/{name}"].numpy() for name in names}

    several = drops if len(drops) > 1 else ()
    return tuple(ErrorTable(a.label, a.axis, a.candidates, masks(a), a.scale, a.learned, several) for a in attacks)


def _silent(_: int) -> None:
    """Report nothing."""


def _nothing() -> None:
    """Prepare nothing."""


class _Stages:
    """The three stages of one run of images; each reads the shard of the one before."""

    def __init__(
        self,
        target: Target,
        options: AuditOptions,
        methods: Methods,
        budget: int | None = None,
        rules: Mapping[str, MaskRule] | None = None,
    ) -> None:
        self.target, self.options, self.methods, self.budget = target, options, methods, budget
        self.rules = rules or {}
        self.names = (*mask_names(options.drops), *(name for own in self.rules for name in (own, control_of(own))))
        self.solver, self.estimator = SOLVERS.build(options.solver), ESTIMATORS.build(options.influence)
        self.pooled: Tensor | None = None
        size = options.batch_size or auto_batch_size(target.info.image_size, target.device.type)
        self.batchers = {stage: Batcher(size) for stage in ("latents", "influence", "scores")}
        self.tried = False

    def latents(self, run: Sequence[Sample], on_batch: OnBatch = _silent) -> Tensors:
        """E(x), if needed D^-1(x) and its residuals, and what the blind baseline looks at."""

        def compute(batch: Sequence[Sample]) -> Tensors:
            pixels = load_images(batch, self.target.info.image_size)
            images = torch.from_numpy(pixels).to(self.target.device)
            found = {
                "features": torch.from_numpy(image_features(pixels)),
                "traces": torch.from_numpy(compression_traces(pixels)),
            }
            if self.options.inverts:
                inversion = invert(self.target, images, self.solver, clip=True, sample_ids=_ids(batch))
                found |= {"encoded": inversion.encoded, "inverted": inversion.latents, "residual": inversion.residual}
                found |= {"evaluations": inversion.evaluations, "diverged": inversion.diverged}
            else:
                with torch.no_grad():
                    found["encoded"] = require_finite(self.target.encode(images), "encoder output", _ids(batch))
            return found

        return self._cached("latents", run, self._latents_config(), compute, on_batch)

    def influence(self, run: Sequence[Sample], on_batch: OnBatch = _silent) -> Tensors:
        """G_ii at the latents that the options choose."""
        latents = self._latents_at(run, self.options.geometry_latents)
        place = {sample.id: row for row, sample in enumerate(run)}

        def compute(batch: Sequence[Sample]) -> Tensors:
            points = latents[[place[sample.id] for sample in batch]].to(self.target.device)
            found = estimate_influence(
                self.target.decode,
                points,
                _ids(batch),
                self.estimator,
                seed=self.options.seed,
                channel_axis=self.target.channel_axis,
                at_once=self.batchers["influence"].size,
                check=False,
            )
            return {"influence": found.values}

        return self._cached(
            "influence", run, self._influence_config(), compute, on_batch, lambda: self._try_decoder(latents, run)
        )

    def _try_decoder(self, latents: Tensor, run: Sequence[Sample]) -> None:
        """Once, before the first batch: check the decoder, and choose a batch that fits into the budget."""
        if not self.tried:
            batcher = self.batchers["influence"]
            batcher.size = images_at_once(
                self.target.decode,
                latents[:2].to(self.target.device),
                _ids(run[:2]),
                self.estimator,
                batcher.size,
                latent_shape=self.target.info.latent_shape,
                budget=self.budget,
            )
            self.tried = True

    def scores(self, run: Sequence[Sample], on_batch: OnBatch = _silent, asked: Target | None = None) -> Tensors:
        """Scores of every attack under every mask, one shard an attack; only missing ones are computed.

        Args:
            run: Some images.
            on_batch: Progress.
            asked: The model that is attacked; the target unless it is a reference.

        Returns:
            ``title/mask`` to ``(n, columns)``.
        """
        model = asked or self.target
        latents, influence = self._latents_at(run, self.options.attack_latents), self.influence(run)["influence"]
        paths = {
            attack.label: self._path(f"scores/{attack.label}", run, self._scores_config(attack, model))
            for attack in self.methods.attacks
        }
        stored = {title: None if self.rules else read_shard(path) for title, path in paths.items()}
        missing = [attack for attack in self.methods.attacks if stored[attack.label] is None]
        place = {sample.id: row for row, sample in enumerate(run)}
        expected = make_plan(missing, model).expected if missing else {}
        sees_images = any("images" in attack.needs for attack in missing)

        def compute(batch: Sequence[Sample]) -> Tensors:
            rows, ids = [place[sample.id] for sample in batch], _ids(batch)
            pixels = load_images(batch, self.target.info.image_size) if sees_images else None
            found = Batch(
                model,
                latents[rows].to(model.device),
                ids,
                [sample.prompt for sample in batch],
                self.options.seed,
                images=None if pixels is None else torch.from_numpy(pixels).to(model.device),
                cache=PassCache(expected=expected),
            )
            own = influence[rows] if self.pooled is None else self.pooled.expand(len(rows), *self.pooled.shape[1:])
            masks = self._masks(own, ids)
            scores: Tensors = {}
            for by_decile in (True, False):  # by influence decile where a scorer can use that: it costs no pass
                attacks = [attack for attack in missing if (attack.scale != "other") == by_decile]
                chosen = masks if by_decile else {name: masks[name] for name in self.names}
                scores |= {f"{title}/{mask}": v for (title, mask), v in score_batch(attacks, found, chosen).items()}
            return scores

        computed = self.batchers["scores"].run(run, compute, on_batch) if missing else {}
        for attack in missing:
            own = {key: values for key, values in computed.items() if key.startswith(f"{attack.label}/")}
            stored[attack.label] = own
            if not self.rules:
                write_shard(paths[attack.label], own)
        return {key: values for tensors in stored.values() if tensors is not None for key, values in tensors.items()}

    def _masks(self, influence: Tensor, ids: list[str]) -> Tensors:
        drawn_by = ids if self.pooled is None else ["the whole set"] * len(ids)  # the random control has one too
        masks = build_masks(influence, drawn_by, self.options.drops, self.options.seed, self.options.gamma)
        masks |= decile_masks(influence) | rule_masks(self.rules, influence, drawn_by, self.options.seed)
        return {name: mask.to(self.target.device) for name, mask in masks.items()}

    def _latents_at(self, run: Sequence[Sample], source: str) -> Tensor:
        return self.latents(run)["encoded" if source == "encoder" else "inverted"]

    def _latents_config(self, source: str | None = None) -> dict[str, object]:
        """Of the stage, or of one of its two latents alone."""
        inverted = self.options.inverts if source is None else source == "inversion"
        solver = {"name": self.solver.name, **asdict(self.solver)} if inverted else None
        return {
            "autoencoder": self.target.info.autoencoder_hash,
            "autoencoder_dtype": str(self.target.dtype),
            "solver": solver,
        }

    def _influence_config(self) -> dict[str, object]:
        at = self.options.geometry_latents
        return {
            "latents": {"at": at, **self._latents_config(at)},
            "estimator": {"name": self.estimator.name, **asdict(self.estimator)},
            "seed": self.options.seed,
        }

    def _scores_config(self, attack: Attack, model: Target) -> dict[str, object]:
        at = self.options.attack_latents
        return {
            "influence": self._influence_config(),
            "latents": {"at": at, **self._latents_config(at)},
            "target": model.info.hash,
            "denoiser_dtype": self.options.dtype,
            "attack": {"name": attack.name, **asdict(replace(attack, variant="", candidate_of=""))},
            "drop": self.options.drop,
            "gamma": self.options.gamma,
            "seed": self.options.seed,
            "pooled": None if self.pooled is None else hashlib.sha256(self.pooled.numpy().tobytes()).hexdigest(),
        }

    def _path(self, stage: str, run: Sequence[Sample], config: dict[str, object]) -> Path:
        keyed = [f"{sample.id} {sample.prompt}" for sample in run] if stage.startswith("scores") else _ids(run)
        name, _, prefix = stage.partition("/")
        key = shard_key(config, keyed)
        return self.options.out / name / f"{prefix.replace(':', '-')}-{key}.safetensors".lstrip("-")

    def _cached(
        self,
        stage: str,
        run: Sequence[Sample],
        config: dict[str, object],
        compute: Callable[[Sequence[Sample]], Tensors],
        on_batch: OnBatch,
        prepare: Callable[[], None] = _nothing,
    ) -> Tensors:
        path = self._path(stage, run, config)
        stored = read_shard(path)
        if stored is None:
            prepare()
            stored = self.batchers[stage].run(run, compute, on_batch)
            write_shard(path, stored)
        return stored


def _ids(samples: Sequence[Sample]) -> list[str]:
    return [sample.id for sample in samples]
