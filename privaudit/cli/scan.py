"""`privaudit scan`: audit a model folder with two image sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from privaudit.cli import options
from privaudit.cli.progress import StageProgress
from privaudit.errors import ConfigError


def scan(
    target: Annotated[str, typer.Argument(help="Diffusers folder of a latent diffusion model, or a hub id.")],
    members: Annotated[Path, typer.Option(help="Folder or manifest of images the model was trained on.")],
    nonmembers: Annotated[Path, typer.Option(help="Folder or manifest of images it was not trained on.")],
    out: options.Out = None,
    attack: options.Attacks = None,
    drop: options.Drop = 0.4,
    geometry_latents: options.GeometryLatents = "inversion",
    attack_latents: options.AttackLatents = "encoder",
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    batch_size: options.BatchSize = "auto",
    seed: options.Seed = 0,
    fail_on: options.FailOn = None,
    inconclusive: options.Inconclusive = "error",
    exit_zero: options.ExitZero = False,
    strict: options.Strict = False,
    fresh: options.Fresh = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    config: options.Config = None,
) -> None:
    """Audit a model: can its members be told from images that it never saw?"""
    del config  # its callback has turned the file into defaults
    run_scan(
        {
            "target": target,
            "members": members,
            "nonmembers": nonmembers,
            "out": out or Path("privaudit-runs") / Path(target).name,
            "attacks": tuple(attack or ()),
            "drop": drop,
            "geometry_latents": geometry_latents,
            "attack_latents": attack_latents,
            "device": device,
            "dtype": dtype,
            "batch_size": batch_size,
            "seed": seed,
            "fail_on": tuple(fail_on or ()),
            "strict": strict,
            "fresh": fresh,
        },
        inconclusive=inconclusive,
        exit_zero=exit_zero,
        as_json=as_json,
        quiet=quiet,
    )


def run_scan(values: dict[str, Any], *, inconclusive: str, exit_zero: bool, as_json: bool, quiet: bool) -> None:
    """Run the audit, print its report, and exit with the verdict's code.

    Args:
        values: Fields of `AuditOptions`, ``batch_size`` as text.
        inconclusive: What an inconclusive gate exits as.
        exit_zero: Exit 0 whatever the gates say.
        as_json: Print the JSON report instead of the summary.
        quiet: No progress.

    Raises:
        ConfigError: ``inconclusive`` or ``batch_size`` is not known.
        typer.Exit: Always, with the code.
    """
    if inconclusive not in ("pass", "fail", "error"):
        raise ConfigError([f"expected --inconclusive pass, fail or error, got {inconclusive}"])
    size = str(values["batch_size"])
    if size != "auto" and not size.isdigit():
        raise ConfigError([f"expected --batch-size auto or a number, got {size}"])

    from privaudit.auditing import run_audit
    from privaudit.evaluation.verdict import exit_code
    from privaudit.options import AuditOptions
    from privaudit.report.terminal import print_report

    chosen = AuditOptions(**{**values, "batch_size": None if size == "auto" else int(size)})
    with StageProgress(quiet=quiet) as progress:
        result = run_audit(chosen, progress)
    if as_json:
        typer.echo(result.to_json(), nl=False)
    else:
        print_report(result, chosen.out)
    counted_as = cast("Literal['pass', 'fail', 'error']", inconclusive)  # checked above
    raise typer.Exit(exit_code(result.verdict, inconclusive=counted_as, exit_zero=exit_zero))
