"""`run_origin`: did these images come out of this model?

An image that the decoder made has an exact latent, so inversion takes almost all of the encoder's error away; for
any other image most of it stays. The model's own generations, made on the spot, say how much is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.auditing.stages import ids_of
from privaudit.data import Sample, SampleSet, load_images, read_set
from privaudit.errors import ConfigError, DataError
from privaudit.escape import csv_text, encodable
from privaudit.evaluation import Metrics, assign_folds, evaluate
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.execution.stage import FunctionStage, Rows
from privaudit.inversion import Solver, require_any_finite
from privaudit.loading import load_target
from privaudit.model.target import TargetInfo
from privaudit.storage.files import locked, make_folder, write_text
from privaudit.tasks.origin_options import OriginChoices, OriginOptions
from privaudit.tasks.origin_traces import Traces, generate, trace


@dataclass(frozen=True)
class OriginResult:
    """The comparison of images with a model's own generations.

    Attributes:
        info: Description of the target.
        solver: Solver that was run.
        images: Images that were read, and files that were skipped.
        traces: Traces of the images.
        own: Traces of the model's generations.
        p_values: ``(n,)``: how often an own generation keeps as much of its error, or more (conformal p-value):
            a small one speaks against this model.
        metrics: Own generations (positive) against the images, by the names of `scores`; empty for a single image.
        folder: Folder that everything was written to.
    """

    info: TargetInfo
    solver: Solver
    images: SampleSet
    traces: Traces
    own: Traces
    p_values: NDArray[np.float64]
    metrics: dict[str, Metrics]
    folder: Path

    @property
    def table(self) -> pd.DataFrame:
        """One row per image: id, path, error_encoder, error_inverted, remaining, residual, p_own."""
        return pd.DataFrame({
            "id": [sample.id for sample in self.images.samples],
            "path": [encodable(str(sample.path)) for sample in self.images.samples],
            "error_encoder": self.traces.encoder,
            "error_inverted": self.traces.inverted,
            "remaining": self.traces.remaining,
            "residual": self.traces.residual,
            "p_own": self.p_values,
        })


def run_origin(options: OriginOptions, on_progress: OnProgress | None = None) -> OriginResult:
    """Compare images with a model's own generations by what inversion leaves of their error.

    The folder gets ``origin.csv``, one row per image.

    Args:
        options: What to compare.
        on_progress: Called with (stage, images done, images in all).

    Returns:
        Everything that was measured.

    Raises:
        ConfigError: An option is wrong, or the folder cannot be written.
        DataError: The images cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    if not options.images.exists():
        raise DataError(f"expected images at {options.images}, but it does not exist")
    with locked(options.out):
        make_folder(options.out, ["origin.csv"], [options.images])
        return _run(options, progress)


def origin(
    target: str | Path,
    images: str | Path,
    out: str | Path | None = None,
    *,
    on_progress: OnProgress | None = None,
    **choices: Unpack[OriginChoices],
) -> OriginResult:
    """Test whether images came out of a model; the same as `privaudit origin`.

    Args:
        target: A diffusers folder or hub id.
        images: Folder or manifest of the images in question.
        out: Folder to write; by default that of the command line, below ``privaudit-runs``.
        on_progress: Called with (stage, images done, images in all).
        choices: Any other field of `OriginOptions`, parsed or as text.

    Returns:
        Everything that was measured (see `run_origin` for what raises).
    """
    return run_origin(OriginOptions.parse(target=target, images=images, out=out, **choices), on_progress)


def _run(options: OriginOptions, progress: OnProgress) -> OriginResult:
    """Trace in a folder that is ready."""
    target = load_target(options.source(device=options.device, dtype=options.dtype))
    if options.prompt is not None and not target.takes_captions:
        raise ConfigError([f"expected a text-to-image target for --prompt, got {options.target}; leave it out"])
    images = read_set(
        options.images,
        target.info.image_size,
        strict=options.strict,
        on_image=lambda done, total: progress("images", done, total),
        budget=pixel_budget(),
    )
    solver = options.solver
    size = target.info.image_size
    keys = [f"own generation {number}" for number in range(options.generated)]

    def trace_own(batch: Rows[str]) -> Traces:
        images = generate(target, batch.items, options.steps, options.prompt, options.seed)
        return trace(target, images, solver, batch.items)

    def trace_given(batch: Rows[Sample]) -> Traces:
        return trace(target, torch.from_numpy(load_images(batch.items, size)), solver, ids_of(batch))

    batcher = Batcher.of(options.batch_size, size, target.device)
    own = Engine(keys, progress).run(FunctionStage("generations", batcher, trace_own, Traces.join))
    given = Engine(images.samples, progress).run(FunctionStage("traces", batcher, trace_given, Traces.join))
    for traces, ids in ((own, keys), (given, [sample.id for sample in images.samples])):
        require_any_finite(torch.from_numpy(traces.residual), ids)
    origin = OriginResult(
        info=target.info,
        solver=solver,
        images=images,
        traces=given,
        own=own,
        p_values=conformal_p_values(given.remaining, own.remaining),
        metrics=_compare(own, given, [*keys, *(sample.id for sample in images.samples)], options),
        folder=options.out,
    )
    write_text(options.out / "origin.csv", csv_text(origin.table))
    return origin


def scores(traces: Traces) -> dict[str, NDArray[np.float64]]:
    """Scores of origin, higher = more likely generated by the model.

    Returns:
        ``remaining`` (the one that counts), and for comparison ``inverted`` and ``encoder``, the errors alone, and
        ``residual``, that of the fixed point; each ``(n,)``.
    """
    return {name: -getattr(traces, name) for name in ("remaining", "inverted", "encoder", "residual")}


def conformal_p_values(values: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conformal p-values: p = (1 + #{own >= value}) / (1 + #own).

    Valid if the image is one more generation like the others.

    Args:
        values: ``(n,)``, large speaks against the model.
        own: ``(m,)``, of its generations.

    Returns:
        ``(n,)``.
    """
    larger = len(own) - np.searchsorted(np.sort(own), values, side="left")
    p_values: NDArray[np.float64] = (1 + larger) / (1 + len(own))
    return p_values


def _compare(own: Traces, given: Traces, ids: Sequence[str], options: OriginOptions) -> dict[str, Metrics]:
    if len(given.encoder) < 2:
        return {}
    is_own = np.arange(len(ids)) < options.generated
    both = {name: np.concatenate([values, scores(given)[name]]) for name, values in scores(own).items()}
    folds = assign_folds(ids, is_own, seed=options.seed)
    return evaluate(both, is_own, folds, confidence=options.confidence, seed=options.seed).metrics
