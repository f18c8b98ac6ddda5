"""`privaudit demo`: scan the target that ships with the package."""

from __future__ import annotations

from pathlib import Path

import typer

from privaudit.cli import options
from privaudit.cli.scan import run_scan


def demo(
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
    """Scan the small model that ships with privaudit, whose members are known."""
    del config  # its callback has turned the file into defaults
    from privaudit.lab.demo_target import TARGET, unpack_demo_images

    out = out or Path("privaudit-runs/demo")
    images = unpack_demo_images(out / "images")
    if not quiet:
        typer.echo(f"privaudit scan {TARGET} --members {images.members} --nonmembers {images.nonmembers}", err=True)
    run_scan(
        {
            "target": str(TARGET),
            "members": images.members,
            "nonmembers": images.nonmembers,
            "out": out,
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
