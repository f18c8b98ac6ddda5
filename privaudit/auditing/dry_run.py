"""`privaudit scan --dry-run`: what an audit would run, what attacks share, and how long it takes on this device."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Unpack

import torch

from privaudit.attacks import Plan, make_plan
from privaudit.attacks.gsa import differentiable
from privaudit.attacks.plan import WORK, Step
from privaudit.auditing.expected_sizes import images_by_size, pixels_of, relative_images, size_text
from privaudit.auditing.options import AuditChoices, AuditOptions
from privaudit.auditing.reference_option import reference_text
from privaudit.auditing.run import choose_methods, load_reference
from privaudit.auditing.sources import list_sources, number_classes, require_class_labels
from privaudit.auditing.stages import AT, AuditStages
from privaudit.data import Sample, decode_image, load_images, sample_id
from privaudit.data.listed import ListedImage
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.decoder_geometry.mask import mask_names
from privaudit.errors import DataError
from privaudit.evaluation.reading_checks import FIT_IMAGES
from privaudit.execution.batching import auto_batch_size
from privaudit.execution.live_memory import LiveMemory
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.execution.stage import Rows
from privaudit.loading import load_target
from privaudit.loading.image_sizes import SOME_PROMPT, at_size, try_size
from privaudit.loading.residence import parameter_bytes
from privaudit.model.target import Target
from privaudit.results.audit_result import RefusedReport
from privaudit.storage.exact_json import encode

REPEATS = 3
"""Number of timings of each kind of work after a warm-up; the shortest counts."""
LONG_SECONDS = 2.0
"""Duration above which the warm-up is the only timing, since its overhead is then negligible."""


@dataclass(frozen=True)
class Forecast:
    """Plan of an audit, with its expected duration.

    Attributes:
        target: Folder or hub id.
        sets: Number of files or rows of each set, including duplicates.
        device: Device of the audit.
        batch_size: Images per pass.
        steps: Passes per image, one entry per attack, in the order in which they run.
        scorers: Names of the scorers, which combine the scores of attacks without further passes.
        refused: Attacks that cannot run, and why.
        models: Number of models: 2 with a reference model, which takes the same passes again.
        weights: Bytes of the weights of each component of the target.
        batch_bytes: Bytes that a batch adds while it is encoded, decoded or shown to the denoiser, without derivatives.
        seconds_per_image: Measured duration of each kind of work.
        seconds: Expected duration of each stage for all images, without the evaluation.
        reference: The reference model, by name or in words; None without one.
        sizes: Number of images by size in pixels, height first (``512x768``); several with aspect-ratio buckets.
        timed: Size of the images that were timed, the most frequent one; the time of others is in proportion to their
            pixels.
    """

    target: str
    sets: Mapping[str, int]
    device: str
    batch_size: int
    steps: tuple[Step, ...]
    scorers: tuple[str, ...]
    refused: tuple[RefusedReport, ...]
    models: int
    weights: Mapping[str, int]
    batch_bytes: int
    seconds_per_image: Mapping[str, float]
    seconds: Mapping[str, float]
    reference: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    timed: str = ""

    @property
    def images(self) -> int:
        """Number of images of all sets."""
        return sum(self.sets.values())

    @property
    def peak_bytes(self) -> tuple[int, int]:
        """Memory that the target needs on its device: with all components there, and with ``--offload``.

        Text encoders leave the device after their work, so they never meet a batch.
        """
        texts = self.weights.get("text encoders", 0)
        largest = max((size for name, size in self.weights.items() if name != "text encoders"), default=0)
        together = sum(self.weights.values()) - texts
        return together + max(texts, self.batch_bytes), max(texts, largest + self.batch_bytes)

    @property
    def seconds_by_size(self) -> dict[str, float]:
        """Expected duration of all stages for the images of each size."""
        work = {size: count * pixels_of(size) for size, count in self.sizes.items()}
        return {size: sum(self.seconds.values()) * share / sum(work.values()) for size, share in work.items()}

    def cost(self, step: Step) -> float:
        """Return the seconds that an attack adds, for all images and models."""
        return (
            relative_images(self.sizes, self.timed, self.images)
            * self.models
            * sum(step.added[work] * self.seconds_per_image[work] for work in WORK)
        )

    def to_json(self) -> str:
        """Return the forecast as JSON."""
        # the published name of the label of a step is "title"
        record = dict(encode(self))
        record["steps"] = [
            {"title" if key == "label" else key: value for key, value in step.items()} for step in record["steps"]
        ]
        return json.dumps(record, indent=2, allow_nan=False) + "\n"


def plan_audit(options: AuditOptions, on_progress: OnProgress | None = None) -> Forecast:
    """Plan an audit, and time one batch of each kind of work; nothing is written.

    Args:
        options: Options of the audit.
        on_progress: Called with ("calibration", done, total).

    Returns:
        The forecast.

    Raises:
        ConfigError: No attack can run on the target, or the reference does not match it.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded, or its decoder cannot be used.
        NonFiniteError: The decoder returns NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    listed_sources = list_sources(options)
    target = load_target(options.model)
    sources, _ = number_classes(listed_sources, target)
    require_class_labels(target, sources.entries)
    reference = load_reference(options, target)
    methods, refused = choose_methods(options, target, [entry.caption for entry in sources.entries])
    plan = make_plan(methods.attacks, target, mask_names(options.drops))
    by_size = images_by_size(sources.entries, target.info.image_size, options.reading)
    for size in by_size:
        try_size(target, size)
    timed = max(by_size, key=lambda size: len(by_size[size]))
    model = at_size(target, timed)
    batch = options.batch_size or auto_batch_size(timed, target.device.type)
    samples = first_readable(by_size[timed], batch, target, options.reading)
    seconds_per_image = calibrate(model, samples, options, plan, progress)
    sizes = {size_text(size): len(images) for size, images in by_size.items()}
    count = relative_images(sizes, size_text(timed), len(sources.entries))
    models = 1 + (reference is not None)
    scores = sum(plan.total(work) * seconds_per_image[work] for work in WORK)
    components = {} if target.residence is None else target.residence.components
    checked, passes = min(count, FIT_IMAGES), AuditStages(model, options).noise_prediction(model).passes
    return Forecast(
        target=options.target,
        sets={listed.name: len(listed.entries) for listed in sources.sets},
        device=str(target.device),
        batch_size=batch,
        steps=plan.steps,
        scorers=tuple(scorer.label for scorer in methods.scorers),
        refused=refused,
        models=models,
        weights={name: parameter_bytes(modules) for name, modules in components.items() if modules},
        batch_bytes=batch_bytes(model, samples),
        seconds_per_image=seconds_per_image,
        seconds={
            "model fit": checked * (seconds_per_image["encode"] + passes * seconds_per_image["forward"]),
            "latents": count * seconds_per_image["latents"],
            "influence": count * seconds_per_image["influence"],
            "scores": count * models * scores,
        },
        reference=reference_text(options.texts()),
        sizes=sizes,
        timed=size_text(timed),
    )


def plan(
    target: str | Path,
    members: str | Path | None = None,
    nonmembers: str | Path | None = None,
    *,
    suspects: str | Path | None = None,
    canaries: str | Path | None = None,
    on_progress: OnProgress | None = None,
    **choices: Unpack[AuditChoices],
) -> Forecast:
    """Plan an audit, and estimate how long it would take; the same as `privaudit scan --dry-run`.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        suspects: Folder or manifest of images of unknown membership.
        canaries: Output of `privaudit canaries make`, instead of members and nonmembers.
        on_progress: Called with ("calibration", done, total).
        choices: Any other field of `AuditOptions`, as for `privaudit.audit`.

    Returns:
        The forecast. Nothing is written.

    Raises:
        ConfigError: An option or attack is wrong; all problems are named.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded, or its decoder cannot be used.
        NonFiniteError: The decoder returns NaN or infinity; names the images.
    """
    sets = {"members": members, "nonmembers": nonmembers, "suspects": suspects, "canaries": canaries}
    return plan_audit(AuditOptions.parse(target=target, **sets, **choices), on_progress)


def first_readable(
    images: Iterable[ListedImage], count: int, target: Target, reading: ImageReading = AUTOMATIC
) -> list[Sample]:
    """Read images until there are enough for a batch, and skip unreadable ones, as an audit does.

    Args:
        images: Images that have been listed, of one size.
        count: Maximum number of images.
        target: The audited model, whose image size is that of the images or the base of their buckets.
        reading: How pixels are read.

    Returns:
        One or more samples.

    Raises:
        DataError: No image can be read.
    """
    samples = []
    for image in images:
        with suppress(DataError):
            pixels = decode_image(image, target.info.image_size, reading).pixels
            samples.append(Sample(sample_id(pixels), image.path, pixels=pixels))
        if len(samples) == count:
            break
    if not samples:
        raise DataError("expected an image that can be read, got none; check the image sets")
    return samples


def calibrate(
    target: Target, samples: Sequence[Sample], options: AuditOptions, plan: Plan, on_progress: OnProgress
) -> dict[str, float]:
    """Time one batch of each kind of work in a plan.

    Args:
        target: The audited model.
        samples: Images of the batch.
        options: Options of the audit.
        plan: Plan of the attacks.
        on_progress: Called with ("calibration", done, total).

    Returns:
        Seconds per image by kind of work.
    """
    images = torch.from_numpy(load_images(samples, target.info.image_size)).to(target.device)
    condition = target.condition([SOME_PROMPT] * len(samples))
    with torch.no_grad():
        latents = target.encode(images)
    level = target.schedule.last // 5
    stages = AuditStages(target, replace(options, batch_size=len(samples)))
    rows = Rows(samples, {"latents": dict.fromkeys(AT.values(), latents)})
    stages.influence.prepare(rows)
    influence_batch = stages.influence.batcher.size

    def forward() -> None:
        with torch.no_grad():
            target.predict_noise(latents, level, condition)

    def forward_and_backward() -> None:
        with differentiable(target.denoiser.module) as weights:
            loss = target.predict_noise(latents, level, condition).square().mean()
            torch.autograd.grad(loss, weights, allow_unused=True)

    def without_gradients(function: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                function(inputs)

        return run

    kinds: dict[str, Callable[[], object]] = {
        "forward": forward,
        "encode": without_gradients(target.encode, images),
        "decode": without_gradients(target.decode, latents),
        "influence": lambda: stages.influence.compute(rows[:influence_batch]),
        "latents": lambda: stages.latents.compute(rows),
    }
    if plan.total("backward"):
        kinds["backward"] = forward_and_backward
    seconds: dict[str, float] = {work: 0.0 for work in WORK}
    for done, (name, run) in enumerate(kinds.items(), start=1):
        batch = influence_batch if name == "influence" else len(samples)
        seconds[name] = _seconds(run, target.device) / batch
        on_progress("calibration", done, len(kinds))
    # only a forward and a backward pass together can be timed
    seconds["backward"] = max(0.0, seconds["backward"] - seconds["forward"])
    return seconds


def batch_bytes(target: Target, samples: Sequence[Sample]) -> int:
    """Measure the tensors that are alive at once while a batch is encoded, decoded or shown to the denoiser."""
    images = torch.from_numpy(load_images(samples, target.info.image_size)).to(target.device)
    condition, peaks = target.condition([SOME_PROMPT] * len(samples)), []
    with torch.no_grad():
        latents = target.encode(images)
        for run in (
            lambda: target.encode(images),
            lambda: target.decode(latents),
            lambda: target.predict_noise(latents, target.schedule.last // 5, condition),
        ):
            memory = LiveMemory()
            with memory:
                run()  # type: ignore[no-untyped-call]  # a lambda
            peaks.append(memory.peak)
    return int(max(peaks))


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """Shortest duration of a few runs; the first one is a warm-up, and counts only if it is long."""
    best = float("inf")
    for number in range(1 + REPEATS):
        _wait(device)
        started = time.perf_counter()
        run()
        _wait(device)
        seconds = time.perf_counter() - started
        if seconds > LONG_SECONDS:
            return seconds
        best = min(best, seconds) if number else best
    return best


def _wait(device: torch.device) -> None:
    """Wait for queued kernels, which a clock would miss."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
