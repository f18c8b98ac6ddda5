"""The options that commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli.config import use_config_file
from privaudit.errors import ConfigError

Members = Annotated[Path | None, typer.Option(help="Folder or manifest of images the model was trained on.")]
Nonmembers = Annotated[Path | None, typer.Option(help="Folder or manifest of images it was not trained on.")]
Suspects = Annotated[
    Path | None,
    typer.Option(help="Folder or manifest of images that it may have been trained on, compared with --nonmembers."),
]
Canaries = Annotated[
    Path | None,
    typer.Option(help="What privaudit canaries make wrote: both sets, drawn by lot before the training."),
]
Out = Annotated[
    Path | None,
    typer.Option(envvar="PRIVAUDIT_OUT", help="Run folder. The same command again resumes what is in it."),
]
Attacks = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        envvar="PRIVAUDIT_ATTACK",
        help="Attack, repeatable: sima, a preset pian@eq, with parameters sima:order=2:levels=50,100, with values to "
        "choose among sima:order=2,4, or all. "
        "privaudit attacks lists them. Default: sima, pia, loss, mirror, combined.",
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        envvar="PRIVAUDIT_REFERENCE",
        help="Model whose errors are subtracted, at the same noise: of a fine-tune its base. Adds NAME-reference.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be run, what is shared and how long it takes; then stop.")
]
Drop = Annotated[
    float, typer.Option(envvar="PRIVAUDIT_DROP", help="Share of latent dimensions that the hard masks drop.")
]
Drops = Annotated[
    str,
    typer.Option(
        "--drop",
        envvar="PRIVAUDIT_DROP",
        help="Share of latent dimensions that the hard masks drop; of several, 0.2,0.4,0.6, one is chosen by "
        "cross-fitting.",
    ),
]
Gamma = Annotated[
    float, typer.Option(envvar="PRIVAUDIT_GAMMA", help="Power of the influence in the soft weights; 0 is no mask.")
]
MaskScope = Annotated[
    str,
    typer.Option(
        envvar="PRIVAUDIT_MASK_SCOPE", help="Masks from the influence of each image, or one for the whole set: set."
    ),
]
Influence = Annotated[
    str | None,
    typer.Option(
        envvar="PRIVAUDIT_INFLUENCE",
        help="Estimator of the decoder's influence, with parameters if wanted: separable:probes=4, exact. "
        "privaudit estimators lists them.",
    ),
]
GeometryLatents = Annotated[
    str,
    typer.Option(
        envvar="PRIVAUDIT_GEOMETRY_LATENTS", help="Where the decoder's influence is taken: inversion or encoder."
    ),
]
AttackLatents = Annotated[
    str,
    typer.Option(
        envvar="PRIVAUDIT_ATTACK_LATENTS", help="Where the attack's statistic is taken: encoder or inversion."
    ),
]
Device = Annotated[str, typer.Option(envvar="PRIVAUDIT_DEVICE", help="auto, cuda or cpu.")]
Dtype = Annotated[
    str, typer.Option(envvar="PRIVAUDIT_DTYPE", help="auto, float32, bfloat16 or float16, of the denoiser.")
]
BatchSize = Annotated[str, typer.Option(envvar="PRIVAUDIT_BATCH_SIZE", help="Images a pass, or auto.")]
Memory = Annotated[
    float | None,
    typer.Option(envvar="PRIVAUDIT_MEMORY", help="GiB that the geometry may take; half of what is free by default."),
]
Solver = Annotated[
    str | None,
    typer.Option(
        envvar="PRIVAUDIT_SOLVER",
        help="Inversion solver, with parameters if wanted: anderson:evaluations=10:tolerance=0.001. "
        "privaudit solvers lists them.",
    ),
]
Seed = Annotated[int, typer.Option(envvar="PRIVAUDIT_SEED", help="Of noise, probes, masks, folds and resampling.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        envvar="PRIVAUDIT_FAIL_ON",
        help="Gate, repeatable: 'auroc>0.6', 'tpr@1%fpr>0.05', 'advantage>0.2', 'epsilon>1'.",
    ),
]
GateBound = Annotated[
    str,
    typer.Option(
        envvar="PRIVAUDIT_GATE_BOUND",
        help="lower: a gate fails if leakage beyond it is shown. upper: unless leakage beyond it is ruled out.",
    ),
]
Inconclusive = Annotated[
    str,
    typer.Option(
        envvar="PRIVAUDIT_INCONCLUSIVE", help="What an inconclusive gate exits as: pass (0), fail (1) or error (3)."
    ),
]
ExitZero = Annotated[
    bool,
    typer.Option(
        "--exit-zero", envvar="PRIVAUDIT_EXIT_ZERO", help="Exit 0 whatever the gates say; errors still exit 2."
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", envvar="PRIVAUDIT_STRICT", help="Stop at an unreadable image instead of skipping it."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what an earlier run left in the run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print report.json to standard output, and nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", envvar="PRIVAUDIT_QUIET", help="No progress on standard error.")]
Config = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with options; otherwise privaudit.toml or \\[tool.privaudit] in pyproject.toml is read.",
        callback=use_config_file,
        is_eager=True,
    ),
]


def shares(text: str) -> float | tuple[float, ...]:
    """Read ``--drop``.

    Args:
        text: A number, or several with commas between them.

    Returns:
        The number, or all of them.

    Raises:
        ConfigError: It is something else.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError([f"expected --drop as a number, or as several such as 0.2,0.4,0.6, got {text}"]) from error
    return found if len(found) > 1 else found[0]


def batch_size(text: str) -> int | None:
    """Read ``--batch-size``.

    Args:
        text: ``auto`` or a number.

    Returns:
        The number; None for ``auto``.

    Raises:
        ConfigError: It is neither.
    """
    if text != "auto" and not text.isdigit():
        raise ConfigError([f"expected --batch-size auto or a number, got {text}"])
    return int(text) if text.isdigit() else None
