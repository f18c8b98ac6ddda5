"""`privaudit scan`: audit a model folder with two image sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from privaudit.cli import options, texts
from privaudit.cli.command import GIVEN, ConfiguredCommand
from privaudit.cli.failure import failure_of, write_failure
from privaudit.cli.given import Given, given, options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.auditing.options import AuditOptions
    from privaudit.report.formats import Format
    from privaudit.results.audit_result import AuditFailure, AuditResult

SETS = ("members", "nonmembers", "suspects", "canaries")
SCORES = (Path("scores") / "scores.parquet", Path("suspects.csv"))
"""What a run folder holds beside reports that a user may want to open."""


class ScanCommand(ConfiguredCommand):
    """A call that is refused leaves the reports of an error, in place of those of an earlier run."""

    def refused(self, ctx: typer.Context, error: ConfigError) -> None:
        """Write them to the run folder, as far as it is known.

        Args:
            ctx: Of the command.
            error: What is wrong.
        """
        known: Given = ctx.meta[GIVEN]
        values = known.values
        if known.only_check or values["dry_run"]:
            return
        target = self.target_of(values)
        sources = [Path(values[name]) for name in SETS if values.get(name) is not None]
        _report_failure(
            failure_of(error, target, known.recorded),
            _known_folder(values["out"], self.folder_of(values)),
            texts.formats(values["format_"]),
            sources,
            as_json=values["as_json"],
        )

    def target_of(self, values: Mapping[str, Any]) -> str:
        """The model, as far as it is known; what was taken for a flag is none."""
        target = str(values["target"])
        return "" if target.startswith("-") else target

    def folder_of(self, values: Mapping[str, Any]) -> Path | None:
        """The run folder where none is chosen."""
        from privaudit.auditing.options import default_folder

        target = self.target_of(values)
        return default_folder(target) if target else None


def scan(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    members: options.Members = None,
    nonmembers: options.Nonmembers = None,
    suspects: options.Suspects = None,
    canaries: options.Canaries = None,
    strict: options.Strict = False,
    attack: options.Attacks = None,
    reference: options.Reference = None,
    drop: options.Drops = "0.4",
    gamma: options.Gamma = 1.0,
    mask_scope: options.MaskScope = "image",
    influence: options.Influence = None,
    geometry_latents: options.GeometryLatents = "inversion",
    attack_latents: options.AttackLatents = "encoder",
    solver: options.Solver = None,
    seed: options.Seed = 0,
    fail_on: options.FailOn = None,
    gate_bound: options.GateBound = "lower",
    inconclusive: options.Inconclusive = "error",
    exit_zero: options.ExitZero = False,
    out: options.Out = None,
    format_: options.Formats = "json,html",
    include_images: options.IncludeImages = False,
    as_json: options.AsJson = False,
    fresh: options.Fresh = False,
    dry_run: options.DryRun = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    batch_size: options.BatchSize = "auto",
    memory: options.Memory = None,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Audit a model: can its members be told from images that it never saw?"""
    del config  # ConfiguredCommand has read it
    from privaudit.auditing.options import AuditOptions, LatentSource, default_folder
    from privaudit.evaluation.verdict import exit_code
    from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
    from privaudit.inversion import DEFAULT
    from privaudit.report.terminal import print_report

    folder = out or default_folder(target)
    formats = texts.formats(format_)
    try:
        with options_together():
            chosen = AuditOptions(
                target=target,
                members=members,
                nonmembers=nonmembers,
                suspects=suspects,
                canaries=canaries,
                out=folder,
                attacks=tuple(attack or ()),
                reference=reference,
                drop=texts.shares(drop),
                gamma=gamma,
                mask_scope=cast("Literal['image', 'set']", mask_scope),  # AuditOptions checks it
                influence=influence or DEFAULT_ESTIMATOR,
                geometry_latents=cast("LatentSource", geometry_latents),  # AuditOptions checks it
                attack_latents=cast("LatentSource", attack_latents),
                solver=solver or DEFAULT,
                device=device,
                dtype=dtype,
                batch_size=texts.batch_size(batch_size),
                memory=memory,
                seed=seed,
                fail_on=tuple(fail_on or ()),
                gate_bound=cast("Literal['lower', 'upper']", gate_bound),
                strict=strict,
                fresh=fresh,
                config_file=next(iter(given().files), None),
            )
    except ConfigError as error:
        sources = [path for path in (members, nonmembers, suspects, canaries) if path is not None]  # as in SETS
        if not (dry_run or given().only_check):
            failure = failure_of(error, target, given().recorded)
            _report_failure(failure, _known_folder(out, folder), formats, sources, as_json=as_json)
        raise
    if dry_run:
        _show_plan(chosen, as_json=as_json, quiet=quiet)
        return
    done = _carry_out(chosen, formats, include_images=include_images, as_json=as_json, quiet=quiet)
    with to_reader():
        if as_json:
            sys.stdout.write(done.result.to_json())
        else:
            print_report(done.result, chosen.out, files=done.files)
    if done.broken is not None:
        raise done.broken
    raise typer.Exit(exit_code(done.result.verdict, inconclusive=texts.counted_as(inconclusive), exit_zero=exit_zero))


@dataclass(frozen=True)
class Done:
    """An audit that came to an end.

    Attributes:
        result: What it found.
        files: What was written.
        broken: Why a report is missing; the result stands.
    """

    result: AuditResult
    files: tuple[Path, ...]
    broken: Exception | None


def _carry_out(
    chosen: AuditOptions, formats: tuple[Format, ...], *, include_images: bool, as_json: bool, quiet: bool
) -> Done:
    """Audit and write the reports; those of a failure if it ends with an error."""
    from privaudit.auditing.run import run_audit
    from privaudit.report.formats import FORMATS, write_reports
    from privaudit.results.exemplars import load_exemplars
    from privaudit.storage.exact_json import encode
    from privaudit.storage.files import locked

    broken: Exception | None = None
    with locked(chosen.out), StageProgress(quiet=quiet) as progress:
        try:
            result = run_audit(chosen, progress)
        except Exception as error:
            failure = failure_of(error, chosen.target, encode(chosen))
            _report_failure(failure, chosen.out, formats, chosen.sources, as_json=as_json)
            raise
        exemplars = load_exemplars(chosen.out) if include_images else ()
        files = [chosen.out / FORMATS["json"].file]  # written by the audit
        rendered = [form for form in formats if form.name != "json"]
        for number, form in enumerate(rendered, start=1):
            try:
                files += write_reports(result, chosen.out, [form], exemplars)
            except Exception as error:  # of one report: the others, and the audit of hours, are worth showing
                broken = broken or error
            progress("reports", number, len(rendered))
    files += [chosen.out / path for path in SCORES if (chosen.out / path).is_file()]
    return Done(result, tuple(files), broken)


def _known_folder(out: Path | None, usual: Path | None) -> Path | None:
    """Where an error is reported: nobody wants a folder for a command that was mistyped."""
    return usual if out is None and usual is not None and usual.is_dir() else out


def _report_failure(
    failure: AuditFailure,
    folder: Path | None,
    formats: Sequence[Format],
    sources: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    if folder is not None:
        write_failure(failure, folder, formats, sources)
    if as_json:
        with to_reader():
            sys.stdout.write(failure.to_json())


def _show_plan(chosen: AuditOptions, *, as_json: bool, quiet: bool) -> None:
    """Print the plan of an audit and how long it will take here; nothing is written."""
    from privaudit.auditing.dry_run import plan_audit
    from privaudit.report.forecast import print_plan

    with StageProgress(quiet=quiet) as progress:
        forecast = plan_audit(chosen, progress)
    with to_reader():
        if as_json:
            sys.stdout.write(forecast.to_json())
        else:
            print_plan(forecast)
