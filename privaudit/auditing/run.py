"""`run_audit`: the one place where the parts meet."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import pandas as pd
import torch

import privaudit
from privaudit.attacks import make_plan
from privaudit.auditing.assess import Assessment, Split, assess, exemplars, influence_report, most_exposed, split_images
from privaudit.auditing.assess.attack_scores import report_lines
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Sources
from privaudit.auditing.designs.suspect_judgement import TABLE as SUSPECTS
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditChoices, AuditOptions
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import design_of, list_sources, read_sources
from privaudit.decoder_geometry.mask import mask_names
from privaudit.errors import ConfigError
from privaudit.escape import csv_text, encodable
from privaudit.evaluation import Check, fact
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.loading import load_target
from privaudit.model.target import Target
from privaudit.results.audit_result import (
    SCHEMA_VERSION,
    AuditResult,
    Model,
    RefusedReport,
    TargetReport,
)
from privaudit.results.data_report import DataReport, SkippedReport
from privaudit.results.exemplars import FILE as EXPOSED
from privaudit.results.exemplars import save_exemplars
from privaudit.results.report_files import report_files
from privaudit.scorers import Methods
from privaudit.storage.exact_json import encode
from privaudit.storage.files import locked, make_folder, write_text

STAGES = ("pixels", "latents", "influence", "scores")
"""Folders of a run that hold its cache."""
LEARNS_FROM_MEMBERS = "learns from images whose membership is known, and suspects are none"
RESULTS = ("report.json", "samples.parquet", "scores/scores.parquet", SUSPECTS, EXPOSED)


def run_audit(options: AuditOptions, on_progress: OnProgress | None = None) -> AuditResult:
    """Audit a target: load, invert, measure the geometry, attack, evaluate, write the run folder.

    The run folder gets ``run.json``, the shards of each stage, ``scores/scores.parquet``,
    ``samples.parquet``, ``exposed.json``, ``report.json`` and, of suspects, ``suspects.csv``. The same call again
    resumes from the shards; what a changed option does not touch is reused.

    Args:
        options: What to audit and how.
        on_progress: Called with (stage, done, total).

    Returns:
        The result, as written to ``report.json``.

    Raises:
        ConfigError: An option, attack or gate is wrong, all are named at once; or another run writes to the folder.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    sources = list_sources(options)
    with locked(options.out):
        prepare_folder(options, stale_results(options.out))
        return _run(options, sources, progress)


def _run(options: AuditOptions, sources: Sources, progress: OnProgress) -> AuditResult:
    """Audit in a folder that is ready."""
    started = time.perf_counter()
    target = load_target(options.model)
    loaded = time.perf_counter()
    reference = load_reference(options, target)
    data = read_sources(sources, options, target, progress)
    methods, refused = choose_methods(options, target, [sample.caption for sample in data.samples])
    split = split_images(data, methods, options)  # too few images for what is to be chosen: better now than after hours
    names = mask_names(options.drops)
    passes = {
        line: make_plan(attacks, target, names).total("forward")
        for line, attacks in report_lines(methods.attacks).items()
    }
    read = time.perf_counter()
    write_text(options.out / "run.json", _run_record(options, target, data))
    measured = measure(target, data.samples, methods, options, progress, reference=reference)
    begun = time.perf_counter()
    assessment = assess(
        measured,
        data,
        split,
        methods,
        options,
        target.schedule,
        passes,
        progress,
    )
    exposed = most_exposed(data, assessment.scores, assessment.attacks, assessment.verdict)
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
        data=_describe_data(data, len(split.pairs)),
        config=options.texts(),
        hardware=_describe_hardware(target),
        timing={stage: round(value, 3) for stage, value in seconds.items()},
        attacks=assessment.attacks,
        refused=refused,
        blind=assessment.blind,
        checks=(*assessment.checks, *_check_reference(reference, target)),
        verdict=assessment.verdict,
        suspects=assessment.judgement.suspects,
        canaries=assessment.judgement.canaries,
        influence=influence_report(measured, exposed),
        folders=_folders(options),
    )
    _write_tables(options.out, data, measured, assessment, split)
    save_exemplars(options.out, exemplars(data, measured, exposed, target.info.image_size))
    write_text(options.out / "report.json", result.to_json())
    return result


def audit(
    target: str | Path,
    members: str | Path | None = None,
    nonmembers: str | Path | None = None,
    out: str | Path | None = None,
    *,
    suspects: str | Path | None = None,
    canaries: str | Path | None = None,
    on_progress: OnProgress | None = None,
    **choices: Unpack[AuditChoices],
) -> AuditResult:
    """Audit a target from Python; the same as `privaudit scan`.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: The run folder; by default that of the command line, below ``privaudit-runs``.
        suspects: Folder or manifest of images of unknown membership; without ``members``, they are what is compared.
        canaries: What `privaudit canaries make` wrote, instead of members and nonmembers.
        on_progress: Called with (stage, done, total).
        choices: Any other field of `AuditOptions`, parsed or as text: ``attacks=("sima",)``, ``drop=0.6``.

    Returns:
        The result (see `run_audit` for what raises).
    """
    sets = {"members": members, "nonmembers": nonmembers, "suspects": suspects, "canaries": canaries}
    return run_audit(AuditOptions.parse(target=target, out=out, **sets, **choices), on_progress)


def load_reference(options: AuditOptions, target: Target) -> Target | None:
    """Load the reference model, if there is one.

    Returns:
        The reference; it is asked at the target's latents.

    Raises:
        ConfigError: Its latents or noise levels are others than the target's.
        TargetError: It cannot be loaded.
    """
    if options.reference_model is None:
        return None
    reference = load_target(options.reference_model)
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
        return (Check(name, "warn", (fact("reference_is_target"),)),)
    if same:
        return (Check(name, "ok", (fact("reference_shares_autoencoder"),)),)
    return (Check(name, "warn", (fact("reference_has_other_autoencoder"),)),)


def _noise_levels(target: Target) -> tuple[int, float]:
    return target.schedule.last, round(target.schedule.log_snr(target.schedule.last // 2), 4)


def choose_methods(
    options: AuditOptions, target: Target, captions: Sequence[str | None]
) -> tuple[Methods, tuple[RefusedReport, ...]]:
    """Give the attacks levels of the target, and leave out those that cannot run on it.

    Returns:
        What will be run, and what will not.

    Raises:
        ConfigError: None can run, or a level does not exist.
    """
    methods = options.attacks
    design = design_of(options)
    unknown = not design.facts().membership_known
    without = sum(not caption for caption in captions)
    running, refused = [], []
    for attack in methods.attacks:
        reason = attack.unsupported_reason(target)
        if reason is None and attack.learned and unknown:
            reason = LEARNS_FROM_MEMBERS
        if reason is None and "captions" in attack.needs and without:
            reason = f"needs a caption for every image, and {without} have none; name them in the manifests"
        if reason is None:
            running.append(attack.for_target(target))
        else:
            refused.append(RefusedReport(attack.label, reason))
    if not running:
        raise ConfigError([f"expected an attack that can run: {item.name} {item.reason}" for item in refused])
    if design.tested and all(attack.learned for attack in running):
        named = ", ".join(attack.label for attack in running)
        raise ConfigError([
            f"expected an attack that scores {design.tested} without learning from known membership, got {named} "
            "alone; add --attack sima or another one"
        ])
    if not unknown:
        return Methods(tuple(running), methods.scorers), tuple(refused)
    refused += [RefusedReport(scorer.label, LEARNS_FROM_MEMBERS) for scorer in methods.scorers]
    return Methods(tuple(running), ()), tuple(refused)


def stale_results(folder: Path) -> tuple[str, ...]:
    """Name the files that an earlier run may have left in a folder.

    Returns:
        What only a run writes and, in a folder that a run has written to, what was rendered of its report.
    """
    ran = any((folder / name).is_file() for name in ("report.json", "run.json"))
    return (*RESULTS, *report_files()) if ran else RESULTS


def prepare_folder(options: AuditOptions, results: Sequence[str]) -> None:
    """Make the run folder, without the results of an earlier run: a failed one must not leave its report behind.

    Raises:
        ConfigError: It cannot be written.
    """
    make_folder(options.out, results, options.sources)
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
        "config": options.texts(),
        "config_hash": config_hash(options),
        "target": encode(_describe_target(target)),
        "split_hash": data.split_hash,
        "hardware": _describe_hardware(target),
    }
    return json.dumps(record, indent=2) + "\n"


def config_hash(options: AuditOptions) -> str:
    """Hash what was asked for, wherever it was written down."""
    decides = {name: value for name, value in options.texts().items() if name != "config_file"}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _folders(options: AuditOptions) -> tuple[Model, ...]:
    """Which models are folders and no hub ids: afterwards a name such as ``clinic/model`` does not tell."""
    models: tuple[tuple[Model, str | None], ...] = (("target", options.target), ("reference", options.reference))
    return tuple(name for name, source in models if source is not None and Path(source).expanduser().is_dir())


def _describe_target(target: Target) -> TargetReport:
    info = target.info
    return TargetReport(info.id, info.hash, info.family, info.prediction_type, info.latent_shape)


def _describe_data(data: AuditData, near_duplicates: int) -> DataReport:
    skipped = [file for part in data.sets for file in part.skipped]
    return DataReport(
        design=data.design.code,
        positives=len(data.positives),
        nonmembers=len(data.nonmembers),
        suspects=data.labels.count("suspect"),
        duplicates_removed=sum(part.duplicates for part in data.sets) + 2 * len(data.shared),
        shared=len(data.shared),
        near_duplicates=near_duplicates,
        groups=len({sample.group for sample in data.samples if sample.group is not None}),
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


def _write_tables(out: Path, data: AuditData, measured: Measurements, assessment: Assessment, split: Split) -> None:
    samples = data.samples
    table = pd.DataFrame({
        "id": [s.id for s in samples],
        "path": [encodable(str(s.path)) for s in samples],
        "set": data.labels,
        "label": [encodable(s.label) for s in samples],
        "group": [encodable(s.group) for s in samples],
        "unit": list(split.units),
        "fold": pd.array([*split.folds.tolist(), *[None] * (len(samples) - len(split.folds))], dtype="Int64"),
        "caption": [encodable(s.caption) for s in samples],
        "distortion": measured.geometry.distortion,
        "residual": measured.convergence.residual,
        "evaluations": measured.convergence.evaluations,
        "diverged": measured.convergence.diverged,
    })
    (out / "scores").mkdir(parents=True, exist_ok=True)
    for path, frame in ((out / "scores" / "scores.parquet", assessment.scores), (out / "samples.parquet", table)):
        temporary = path.with_name(f".{path.name}.tmp")
        frame.to_parquet(temporary, index=False)
        os.replace(temporary, path)
    for name, addition in assessment.judgement.tables.items():
        write_text(out / name, csv_text(addition))
