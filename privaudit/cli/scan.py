"""`privaudit scan`: audit a model folder with two image sets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from privaudit.cli import options
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.options import AuditOptions


def scan(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    members: options.Members = None,
    nonmembers: options.Nonmembers = None,
    suspects: options.Suspects = None,
    canaries: options.Canaries = None,
    out: options.Out = None,
    attack: options.Attacks = None,
    reference: options.Reference = None,
    drop: options.Drops = "0.4",
    gamma: options.Gamma = 1.0,
    mask_scope: options.MaskScope = "image",
    influence: options.Influence = None,
    geometry_latents: options.GeometryLatents = "inversion",
    attack_latents: options.AttackLatents = "encoder",
    solver: options.Solver = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    batch_size: options.BatchSize = "auto",
    memory: options.Memory = None,
    seed: options.Seed = 0,
    fail_on: options.FailOn = None,
    gate_bound: options.GateBound = "lower",
    inconclusive: options.Inconclusive = "error",
    exit_zero: options.ExitZero = False,
    strict: options.Strict = False,
    fresh: options.Fresh = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Audit a model: can its members be told from images that it never saw?"""
    del config  # its callback has turned the file into defaults
    problems = []
    if inconclusive not in ("pass", "fail", "error"):
        problems.append(f"expected --inconclusive pass, fail or error, got {inconclusive}")
    try:
        images_a_pass = options.batch_size(batch_size)
    except ConfigError as error:
        images_a_pass = None
        problems.extend(error.problems)
    shares: float | tuple[float, ...] = 0.4
    try:
        shares = options.shares(drop)
    except ConfigError as error:
        problems.extend(error.problems)

    from privaudit.auditing import run_audit
    from privaudit.evaluation.verdict import exit_code
    from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
    from privaudit.inversion import DEFAULT
    from privaudit.options import AuditOptions, LatentSource, default_folder
    from privaudit.report.terminal import print_report

    try:
        chosen = AuditOptions(
            target=target,
            members=members,
            nonmembers=nonmembers,
            suspects=suspects,
            canaries=canaries,
            out=out or default_folder(target),
            attacks=tuple(attack or ()),
            reference=reference,
            drop=shares,
            gamma=gamma,
            mask_scope=cast("Literal['image', 'set']", mask_scope),  # AuditOptions checks it
            influence=influence or DEFAULT_ESTIMATOR,
            geometry_latents=cast("LatentSource", geometry_latents),  # AuditOptions checks it
            attack_latents=cast("LatentSource", attack_latents),
            solver=solver or DEFAULT,
            device=device,
            dtype=dtype,
            batch_size=images_a_pass,
            memory=memory,
            seed=seed,
            fail_on=tuple(fail_on or ()),
            gate_bound=cast("Literal['lower', 'upper']", gate_bound),
            strict=strict,
            fresh=fresh,
        )
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from error
    if problems:
        raise ConfigError(problems)
    if dry_run:
        _show_plan(chosen, as_json=as_json, quiet=quiet)
        return
    with StageProgress(quiet=quiet) as progress:
        result = run_audit(chosen, progress)
    with to_reader():
        if as_json:
            sys.stdout.write(result.to_json())
        else:
            print_report(result, chosen.out)
    counted_as = cast("Literal['pass', 'fail', 'error']", inconclusive)  # checked above
    raise typer.Exit(exit_code(result.verdict, inconclusive=counted_as, exit_zero=exit_zero))


def _show_plan(chosen: AuditOptions, *, as_json: bool, quiet: bool) -> None:
    """Print the plan of an audit and how long it will take here; nothing is written."""
    from privaudit.planning import plan_audit
    from privaudit.report.plan import print_plan

    with StageProgress(quiet=quiet) as progress:
        forecast = plan_audit(chosen, progress)
    with to_reader():
        if as_json:
            sys.stdout.write(forecast.to_json())
        else:
            print_plan(forecast)
