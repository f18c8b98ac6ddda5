"""`run_audit`: the one place where the parts meet."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import privaudit
from privaudit.assess import assess, fold_images
from privaudit.attacks import make_plan
from privaudit.codec import encode
from privaudit.data import AuditData, read_set, separate
from privaudit.errors import ConfigError, DataError
from privaudit.evaluation import Check
from privaudit.geometry import MASKS
from privaudit.loading import load_target
from privaudit.measure import Measured, OnProgress, measure
from privaudit.options import AuditOptions
from privaudit.result import SCHEMA_VERSION, AuditResult, DataReport, RefusedReport, SkippedReport, TargetReport
from privaudit.scorers import Methods, parse_methods
from privaudit.shards import make_folder, write_text
from privaudit.target import Target

STAGES = ("latents", "influence", "scores")
"""Folders of a run that hold its cache."""
RESULTS = ("report.json", "samples.parquet", "scores/scores.parquet")


def run_audit(options: AuditOptions, on_progress: OnProgress | None = None) -> AuditResult:
    """Audit a target: load, invert, measure the geometry, attack, evaluate, write the run folder.

    The run folder gets ``run.json``, the shards of each stage, ``scores/scores.parquet``,
    ``samples.parquet`` and ``report.json``. The same call again resumes from the shards; what a changed
    option does not touch is reused.

    Args:
        options: What to audit and how.
        on_progress: Called with (stage, done, total).

    Returns:
        The result, as written to ``report.json``.

    Raises:
        ConfigError: An option, attack or gate is wrong; all are named at once.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or (lambda stage, done, total: None)
    check_paths(options)
    prepare_folder(options, RESULTS)
    started = time.perf_counter()
    target = load_target(options.target, device=options.device, dtype=options.dtype)
    loaded = time.perf_counter()
    reference = load_reference(options, target)
    data = read_images(options, target, progress)
    fold_images(data, options)  # too few images or groups for cross-fitting: better now than after hours
    methods, refused = choose_methods(options, target, [sample.caption for sample in data.samples])
    plan = make_plan(methods.attacks, target, MASKS)
    read = time.perf_counter()
    write_text(options.out / "run.json", _run_record(options, target, data))
    budget = None if options.memory is None else int(options.memory * 2**30)
    measured = measure(target, data.samples, methods, options, progress, reference=reference, budget=budget)
    begun = time.perf_counter()
    assessment = assess(
        measured,
        data,
        methods,
        options,
        target.schedule,
        {step.title: step.alone["forward"] for step in plan.steps},
        progress,
    )
    seconds = {
        "loading": loaded - started,
        "images": read - loaded,
        **measured.seconds,
        "evaluation": time.perf_counter() - begun,
    }
    result = AuditResult(
        schema_version=SCHEMA_VERSION,
        privaudit_version=privaudit.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=_describe_target(target),
        data=_describe_data(data),
        config=_describe_options(options),
        hardware=_describe_hardware(target),
        timing={stage: round(value, 3) for stage, value in seconds.items()},
        attacks=assessment.attacks,
        refused=refused,
        blind=assessment.blind,
        checks=(*assessment.checks, *_check_reference(reference, target)),
        verdict=assessment.verdict,
    )
    _write_tables(options.out, data, measured, assessment.scores)
    write_text(options.out / "report.json", result.to_json())
    return result


def audit(
    target: str | Path, members: str | Path, nonmembers: str | Path, out: str | Path, **choices: object
) -> AuditResult:
    """Audit a target from Python; the same as `privaudit scan`.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: The run folder.
        choices: Any other field of `AuditOptions`, such as ``attacks=("sima",)`` or ``drop=0.6``.

    Returns:
        The result (see `run_audit` for what raises).
    """
    options = AuditOptions(target=str(target), members=Path(members), nonmembers=Path(nonmembers), out=Path(out))
    return run_audit(replace(options, **choices))  # type: ignore[arg-type]


def check_paths(options: AuditOptions) -> None:
    """Check that the images are there, before a model of gigabytes is loaded; raises `DataError`."""
    problems = [
        f"expected {name} at {source}, but it does not exist"
        for name, source in (("members", options.members), ("nonmembers", options.nonmembers))
        if not source.exists()
    ]
    if problems:
        raise DataError("; ".join(problems))


def load_reference(options: AuditOptions, target: Target) -> Target | None:
    """Load the reference model, if there is one.

    Args:
        options: Name it.
        target: Has been loaded.

    Returns:
        The reference; it is asked at the target's latents.

    Raises:
        ConfigError: Its latents or noise levels are others than the target's.
        TargetError: It cannot be loaded.
    """
    if options.reference is None:
        return None
    reference = load_target(options.reference, device=options.device, dtype=options.dtype)
    problems = [
        f"expected a reference with the target's {what}, got {found} and not {wanted}; pass the model it was tuned from"
        for what, found, wanted in (
            ("latent shape", reference.info.latent_shape, target.info.latent_shape),
            ("family", reference.info.family, target.info.family),
            ("noise levels", _noise_levels(reference), _noise_levels(target)),
        )
        if found != wanted
    ]
    if problems:
        raise ConfigError(problems)
    return reference


def _check_reference(reference: Target | None, target: Target) -> tuple[Check, ...]:
    if reference is None:
        return ()
    name, same = "reference", reference.info.autoencoder_hash == target.info.autoencoder_hash
    if reference.info.hash == target.info.hash:
        return (Check(name, "warn", "the reference is the target itself, so that every difference is 0"),)
    if same:
        return (Check(name, "ok", f"{reference.info.id} has the target's autoencoder"),)
    detail = (
        "has another autoencoder; it was asked at the target's latents, so that the two should share a latent space"
    )
    return (Check(name, "warn", f"{reference.info.id} {detail}"),)


def _noise_levels(target: Target) -> tuple[int, float]:
    return target.schedule.last, round(target.schedule.log_snr(target.schedule.last // 2), 4)


def choose_methods(
    options: AuditOptions, target: Target, captions: Sequence[str | None]
) -> tuple[Methods, tuple[RefusedReport, ...]]:
    """Give the attacks levels of the target, and leave out those that cannot run on it.

    Args:
        options: Name the attacks.
        target: The audited model.
        captions: Of all images.

    Returns:
        What will be run, and what will not.

    Raises:
        ConfigError: None can run, or a level does not exist.
    """
    methods = parse_methods(options.attacks)
    without = sum(not caption for caption in captions)
    running, refused = [], []
    for attack in methods.attacks:
        reason = attack.refusal(target)
        if reason is None and "captions" in attack.needs and without:
            reason = f"needs a caption for every image, and {without} have none; name them in the manifests"
        if reason is None:
            running.append(attack.at(target))
        else:
            refused.append(RefusedReport(attack.title, reason))
    if not running:
        raise ConfigError([f"expected an attack that can run: {item.name} {item.reason}" for item in refused])
    return Methods(tuple(running), methods.scorers), tuple(refused)


def read_images(options: AuditOptions, target: Target, progress: OnProgress) -> AuditData:
    """Read both sets, without pictures that are in both.

    Args:
        options: Name them.
        target: Gives the size of the images.
        progress: Called with ("members" or "nonmembers", done, total).

    Returns:
        The images.
    """
    parts = {}
    for name, source in (("members", options.members), ("nonmembers", options.nonmembers)):

        def on_image(done: int, total: int, name: str = name) -> None:
            progress(name, done, total)

        parts[name] = read_set(source, target.info.image_size, strict=options.strict, on_image=on_image)
    return separate(parts["members"], parts["nonmembers"])


def prepare_folder(options: AuditOptions, results: Sequence[str]) -> None:
    """Make the run folder, without the results of an earlier run: a failed one must not leave its report behind.

    Args:
        options: Name the folder, and whether the shards in it are forgotten.
        results: Names of the files that will be written.

    Raises:
        ConfigError: It cannot be written.
    """
    make_folder(options.out, results, (options.members, options.nonmembers))
    try:
        if options.fresh:  # only what a run has written: the folder may hold files of the user's
            for stage in STAGES:
                for shard in (options.out / stage).glob("*.safetensors"):
                    shard.unlink()
    except OSError as error:
        raise ConfigError([f"expected a run folder that can be written, got {options.out}: {error}"]) from error


def _run_record(options: AuditOptions, target: Target, data: AuditData) -> str:
    record = {
        "privaudit_version": privaudit.__version__,
        "config": _describe_options(options),
        "config_hash": hashlib.sha256(json.dumps(_describe_options(options), sort_keys=True).encode()).hexdigest()[:16],
        "target": encode(_describe_target(target)),
        "split_hash": data.split_hash,
        "hardware": _describe_hardware(target),
    }
    return json.dumps(record, indent=2) + "\n"


def _describe_options(options: AuditOptions) -> dict[str, object]:
    return dict(encode(options))


def _describe_target(target: Target) -> TargetReport:
    info = target.info
    return TargetReport(info.id, info.hash, info.family, info.prediction_type, info.latent_shape)


def _describe_data(data: AuditData) -> DataReport:
    skipped = (*data.members.skipped, *data.nonmembers.skipped)
    return DataReport(
        members=len(data.members),
        nonmembers=len(data.nonmembers),
        duplicates_removed=data.members.duplicates + data.nonmembers.duplicates + 2 * len(data.shared),
        shared=len(data.shared),
        split_hash=data.split_hash,
        skipped=tuple(SkippedReport(str(file.path), file.reason) for file in skipped),
    )


def _describe_hardware(target: Target) -> dict[str, object]:
    from importlib.metadata import version

    device = torch.cuda.get_device_name(target.device) if target.device.type == "cuda" else platform.processor()
    packages = ("torch", "diffusers", "transformers", "numpy", "scikit-learn")
    return {
        "device": target.device.type,
        "name": device or platform.machine(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _write_tables(out: Path, data: AuditData, measured: Measured, scores: pd.DataFrame) -> None:
    samples = data.samples
    table = pd.DataFrame({
        "id": [s.id for s in samples],
        "path": [str(s.path) for s in samples],
        "set": np.where(np.arange(len(samples)) < len(data.members), "member", "nonmember"),
        "label": [s.label for s in samples],
        "group": [s.group for s in samples],
        "caption": [s.caption for s in samples],
        "distortion": measured.distortion,
        "residual": measured.residual,
        "evaluations": measured.evaluations,
        "diverged": measured.diverged,
    })
    (out / "scores").mkdir(parents=True, exist_ok=True)
    for path, frame in ((out / "scores" / "scores.parquet", scores), (out / "samples.parquet", table)):
        temporary = path.with_name(f".{path.name}.tmp")
        frame.to_parquet(temporary, index=False)
        os.replace(temporary, path)
