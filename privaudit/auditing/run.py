"""`run_audit` and `audit`: run an audit from its options to the files of its run folder."""

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
from typing import Unpack

import pandas as pd
import torch

import privaudit
from privaudit.attacks import make_plan
from privaudit.auditing.assess import Assessment, Split, assess, exemplars, influence_report, most_exposed, split_images
from privaudit.auditing.assess.attack_scores import report_lines
from privaudit.auditing.assess.model_checks import model_file_checks, placeholder_checks, reference_checks
from privaudit.auditing.assess.set_checks import set_checks
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Sources
from privaudit.auditing.earlier_results import clear_results, discard_earlier
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import NO_REFERENCE, AuditChoices, AuditOptions
from privaudit.auditing.run_stages import measure, measure_fit
from privaudit.auditing.set_reports import set_reports
from privaudit.auditing.sources import design_of, list_sources, read_sources
from privaudit.decoder_geometry.mask import mask_names
from privaudit.errors import ConfigError
from privaudit.escape import csv_text, encodable
from privaudit.evaluation import Check
from privaudit.evaluation.reading_checks import fit_checks
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
from privaudit.results.data_report import DataReport, SetReport, SkippedReport
from privaudit.results.exemplars import save_exemplars
from privaudit.scorers import Methods
from privaudit.storage.exact_json import encode
from privaudit.storage.files import locked, write_text

STAGE_FOLDERS = ("fit", "pixels", "latents", "influence", "scores")
"""Folders of a run folder that hold the cache of the stages."""
LEARNS_FROM_MEMBERS = "learns from images of known membership, and the membership of suspects is unknown"


def run_audit(options: AuditOptions, on_progress: OnProgress | None = None) -> AuditResult:
    """Audit a target: load it, invert images, measure the geometry, run the attacks, evaluate, write the run folder.

    The run folder contains ``run.json``, the shards of each stage, ``scores/scores.parquet``, ``samples.parquet``,
    ``exposed.json``, ``report.json`` and, for suspects, ``suspects.csv``. The same call again resumes from the shards;
    after an option has changed, shards that do not depend on it are reused. The report of an earlier audit is moved to
    ``previous/`` and deleted when this one has finished, so that an error does not destroy it.

    Args:
        options: Options of the audit.
        on_progress: Called with (stage, done, total).

    Returns:
        The result, as written to ``report.json``.

    Raises:
        ConfigError: No attack can run on the target, the reference does not match it, or another run writes to the
            folder.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model returns NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    sources = list_sources(options)
    with locked(options.out):
        clear_results(options.out, options.sources)
        result = _run(options, sources, progress)
        discard_earlier(options.out)
        return result


def _run(options: AuditOptions, sources: Sources, progress: OnProgress) -> AuditResult:
    """Run an audit in a folder that has been prepared."""
    started = time.perf_counter()
    target = load_target(options.model)
    loaded = time.perf_counter()
    reference = load_reference(options, target)
    data = read_sources(sources, options, target, progress)
    methods, refused = choose_methods(options, target, [sample.caption for sample in data.samples])
    split = split_images(data, methods, options)  # before the long part, since it refuses sets that are too small
    names = mask_names(options.drops)
    passes = {
        line: make_plan(attacks, target, names).total("forward")
        for line, attacks in report_lines(methods.attacks).items()
    }
    read = time.perf_counter()
    delete_cache(options)  # not before model and images have proved usable
    write_text(options.out / "run.json", _run_record(options, target, data))
    sets = set_reports(data, target)
    reading = (
        *_reading_checks(target, reference, data, options, progress),
        *set_checks(sets, options.caption_choices, data.classes, takes_captions=target.takes_captions),
    )
    fitted = time.perf_counter()
    measured = measure(target, data.samples, methods, options, progress, reference=reference)
    compared = reference and reference_checks(reference.info, target.info, measured.tables, measured.references)
    evaluation_started = time.perf_counter()
    assessment = assess(measured, data, split, methods, options, target.schedule, passes, reading, progress)
    exposed = most_exposed(data, assessment.scores, assessment.attacks, assessment.verdict)
    seconds = {
        "loading": loaded - started,
        "images": read - loaded,
        "model fit": fitted - read,
        **measured.seconds,
        "evaluation": time.perf_counter() - evaluation_started,
    }
    result = AuditResult(
        schema_version=SCHEMA_VERSION,
        privaudit_version=privaudit.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=_describe_target(target),
        data=_describe_data(data, len(split.pairs), sets),
        config=options.texts(),
        hardware=_describe_hardware(target),
        timing={stage: round(value, 3) for stage, value in seconds.items()},
        attacks=assessment.attacks,
        refused=refused,
        blind=assessment.blind,
        checks=(*assessment.checks, *model_checks(target, data), *(compared or ())),
        verdict=assessment.verdict,
        suspects=assessment.judgement.suspects,
        canaries=assessment.judgement.canaries,
        influence=influence_report(measured, exposed),
        folders=local_models(options),
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
    """Audit a target; the same as the command `privaudit scan`.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: Run folder; by default that of the command line, below ``privaudit-runs``.
        suspects: Folder or manifest of images of unknown membership; without ``members``, they are compared with the
            non-members.
        canaries: Output of `privaudit canaries make`, instead of members and nonmembers.
        on_progress: Called with (stage, done, total).
        choices: Any other field of `AuditOptions`, as text or parsed: ``attacks=("sima",)``, ``drop=0.6``.

    Returns:
        The result, as written to ``report.json``.

    Raises:
        ConfigError: An option, attack or gate is wrong, and all problems are named; or another run writes to the
            folder.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model returns NaN or infinity; names the images.
    """
    sets = {"members": members, "nonmembers": nonmembers, "suspects": suspects, "canaries": canaries}
    return run_audit(AuditOptions.parse(target=target, out=out, **sets, **choices), on_progress)


def load_reference(options: AuditOptions, target: Target) -> Target | None:
    """Load the reference model.

    Args:
        options: Options of the audit.
        target: The audited model.

    Returns:
        The reference, on which the attacks run at the latents of the target; None without one.

    Raises:
        ConfigError: Its latents, family or noise levels differ from those of the target.
        TargetError: It cannot be loaded.
    """
    if options.reference_model is None:
        return None
    reference = load_target(options.reference_model)
    problems = [
        f"expected a reference with the target's {what}, got {actual} instead of {expected}; "
        "pass the model it was tuned from"
        for what, actual, expected in (
            ("latent shape", reference.info.latent_shape, target.info.latent_shape),
            ("family", reference.info.family, target.info.family),
            ("noise levels", _noise_levels(reference), _noise_levels(target)),
        )
        if actual != expected
    ]
    if problems:
        raise ConfigError(problems)
    return reference


def model_checks(target: Target, data: AuditData) -> tuple[Check, ...]:
    """Check that the whole model was audited: no file was left out, and no word lacks its embedding.

    Args:
        target: The audited model.
        data: The image sets, whose captions it may read.

    Returns:
        One check for each of the two that noticed something.
    """
    captions = [sample.caption for sample in data.samples] if target.takes_captions else []
    known = target.info.known_words | target.info.files.embeddings.keys()
    return (*model_file_checks(target.info.files), *placeholder_checks(captions, known))


def _reading_checks(
    target: Target, reference: Target | None, data: AuditData, options: AuditOptions, progress: OnProgress
) -> tuple[Check, ...]:
    """Check how the models were read; a reference that is read wrongly spoils only what is subtracted."""
    checks = fit_checks(measure_fit(target, data.samples, options, progress))
    if reference is None:
        return checks
    of_reference = fit_checks(measure_fit(reference, data.samples, options, progress))
    return checks + tuple(
        replace(check, name=f"{check.name}, reference", status="warn" if check.status == "fail" else check.status)
        for check in of_reference
    )


def _noise_levels(target: Target) -> tuple[int, float]:
    """Last level, and log SNR halfway: enough to tell noise schedules apart."""
    return target.schedule.last, round(target.schedule.log_snr(target.schedule.last // 2), 4)


def choose_methods(
    options: AuditOptions, target: Target, captions: Sequence[str | None]
) -> tuple[Methods, tuple[RefusedReport, ...]]:
    """Configure the attacks for a target, and leave out those that cannot run on it.

    Args:
        options: Options of the audit.
        target: The audited model.
        captions: Caption of each image, or None.

    Returns:
        Attacks and scorers to run, and refused ones with the reasons.

    Raises:
        ConfigError: No attack can run, or a noise level does not exist.
    """
    methods = options.attacks
    design = design_of(options)
    membership_unknown = not design.facts().membership_known
    without_caption = sum(not caption for caption in captions)
    running, refused = [], []
    for attack in methods.attacks:
        reason = attack.unsupported_reason(target)
        if reason is None and attack.learned and membership_unknown:
            reason = LEARNS_FROM_MEMBERS
        if reason is None and "captions" in attack.needs and without_caption:
            reason = f"needs a caption for every image, and {without_caption} have none; name them in the manifests"
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
    if not membership_unknown:
        return Methods(tuple(running), methods.scorers), tuple(refused)
    refused += [RefusedReport(scorer.label, LEARNS_FROM_MEMBERS) for scorer in methods.scorers]
    return Methods(tuple(running), ()), tuple(refused)


def delete_cache(options: AuditOptions) -> None:
    """Delete the shards of an earlier run if ``options.fresh`` asks for it.

    Raises:
        ConfigError: They cannot be deleted.
    """
    if not options.fresh:
        return
    try:
        for stage in STAGE_FOLDERS:  # only files that a run writes, since users may keep others in the folder
            for shard in (options.out / stage).glob("*.safetensors"):
                shard.unlink()
    except OSError as error:
        raise ConfigError([f"expected a run folder that can be written, got {options.out}: {error}"]) from error


def _run_record(options: AuditOptions, target: Target, data: AuditData) -> str:
    """Content of ``run.json``, which is written before the long part of a run."""
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
    """Hash the options, independently of the file that they were read from."""
    decides = {name: value for name, value in options.texts().items() if name != "config_file"}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def local_models(options: AuditOptions) -> tuple[Model, ...]:
    """Name the models that are folders or files; later, a name such as ``clinic/model`` could be a hub id."""
    models: tuple[tuple[Model, str | None], ...] = (
        ("target", options.target),
        ("reference", None if options.reference == NO_REFERENCE else options.reference),
        ("config_from", options.config_from),
    )
    return tuple(name for name, source in models if source is not None and Path(source).expanduser().exists())


def _describe_target(target: Target) -> TargetReport:
    info = target.info
    settings = {name: str(value) for name, value in info.settings.items()}
    return TargetReport(
        info.id,
        info.hash,
        info.family,
        info.prediction_type,
        info.latent_shape,
        dict(info.components),
        settings,
        info.files,
    )


def _describe_data(data: AuditData, near_duplicates: int, sets: tuple[SetReport, ...]) -> DataReport:
    skipped = [file for part in data.sets for file in part.skipped]
    return DataReport(
        design=data.design.code,
        positives=len(data.positives),
        nonmembers=len(data.nonmembers),
        suspects=data.labels.count("suspect"),
        # a shared image was removed from both sets
        duplicates_removed=sum(part.duplicates for part in data.sets) + 2 * len(data.shared),
        shared=len(data.shared),
        near_duplicates=near_duplicates,
        groups=len({sample.group for sample in data.samples if sample.group is not None}),
        split_hash=data.split_hash,
        skipped=tuple(SkippedReport(str(file.path), file.reason) for file in skipped),
        sets=sets,
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
    """Write ``samples.parquet``, ``scores.parquet`` and the tables of the design."""
    samples = data.samples
    table = pd.DataFrame({
        "id": [s.id for s in samples],
        "path": [encodable(str(s.path)) for s in samples],
        "set": data.labels,
        "label": [encodable(s.label) for s in samples],
        "group": [encodable(s.group) for s in samples],
        "unit": list(split.units),
        # suspects next to known members are in no fold
        "fold": pd.array([*split.folds.tolist(), *[None] * (len(samples) - len(split.folds))], dtype="Int64"),
        "caption": [encodable(s.caption) for s in samples],
        "distortion": measured.geometry.distortion,
        "residual": measured.convergence.residual,
        "evaluations": measured.convergence.evaluations,
        "diverged": measured.convergence.diverged,
    })
    (out / "scores").mkdir(parents=True, exist_ok=True)
    for path, frame in ((out / "scores" / "scores.parquet", assessment.scores), (out / "samples.parquet", table)):
        # written aside and renamed, so that an interrupted run leaves no partial table
        temporary = path.with_name(f".{path.name}.tmp")
        frame.to_parquet(temporary, index=False)
        os.replace(temporary, path)
    for name, addition in assessment.judgement.tables.items():
        write_text(out / name, csv_text(addition))
