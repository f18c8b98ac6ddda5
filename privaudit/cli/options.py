"""The options that commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privaudit.cli.texts import batch_size, checked, counted_as, formats, shares

SETS, HOW, GATES, REPORTS, RUNNING = (
    "Images",
    "Attacks and masks",
    "Gates and exit code",
    "Run folder and reports",
    "Machine and configuration",
)
"""Headings of --help."""


Members = Annotated[
    Path | None, typer.Option(rich_help_panel=SETS, help="Folder or manifest of images the model was trained on.")
]
Nonmembers = Annotated[
    Path | None, typer.Option(rich_help_panel=SETS, help="Folder or manifest of images it was not trained on.")
]
Suspects = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SETS,
        help="Folder or manifest of images that it may have been trained on, compared with --nonmembers.",
    ),
]
Canaries = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SETS,
        help="What privaudit canaries make wrote: both sets, drawn by lot before the training.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", rich_help_panel=SETS, help="Stop at an unreadable image instead of skipping it."),
]
Attacks = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        metavar="SPEC",
        rich_help_panel=HOW,
        help="Attack, repeatable: sima, a preset pian@eq, with parameters sima:order=2:levels=50,100, with values to "
        "choose among sima:order=2,4, or all. "
        "privaudit attacks lists them. Default: sima, pia, loss, mirror, combined.",
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        rich_help_panel=HOW,
        help="Model whose errors are subtracted, at the same noise: of a fine-tune its base. Adds NAME-reference.",
    ),
]
Drop = Annotated[float, typer.Option(rich_help_panel=HOW, help="Share of latent dimensions that the hard masks drop.")]
Drops = Annotated[
    str,
    typer.Option(
        "--drop",
        metavar="SHARES",
        callback=checked(shares),
        rich_help_panel=HOW,
        help="Share of latent dimensions that the hard masks drop; of several, 0.2,0.4,0.6, one is chosen by "
        "cross-fitting.",
    ),
]
Gamma = Annotated[
    float, typer.Option(rich_help_panel=HOW, help="Power of the influence in the soft weights; 0 is no mask.")
]
MaskScope = Annotated[
    str,
    typer.Option(
        metavar="image|set",
        rich_help_panel=HOW,
        help="Masks from the influence of each image, or one for the whole set.",
    ),
]
Influence = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        rich_help_panel=HOW,
        help="Estimator of the decoder's influence, with parameters if wanted: separable:probes=4, exact. "
        "privaudit estimators lists them.",
    ),
]
GeometryLatents = Annotated[
    str,
    typer.Option(
        metavar="WHERE", rich_help_panel=HOW, help="Where the decoder's influence is taken: inversion or encoder."
    ),
]
AttackLatents = Annotated[
    str,
    typer.Option(
        metavar="WHERE", rich_help_panel=HOW, help="Where the attack's statistic is taken: encoder or inversion."
    ),
]
Solver = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        rich_help_panel=HOW,
        help="Inversion solver, with parameters if wanted: anderson:evaluations=10:tolerance=0.001. "
        "privaudit solvers lists them.",
    ),
]
Seed = Annotated[int, typer.Option(rich_help_panel=HOW, help="Of noise, probes, masks, folds and resampling.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GATE",
        rich_help_panel=GATES,
        help="Gate, repeatable, on all attacks under all masks: 'auroc>0.6', 'tpr@1%fpr>0.05', 'advantage>0.2', "
        "'epsilon>1'.",
    ),
]
GateBound = Annotated[
    str,
    typer.Option(
        metavar="lower|upper",
        rich_help_panel=GATES,
        help="lower: a gate fails if leakage beyond it is shown. upper: unless leakage beyond it is ruled out.",
    ),
]
Inconclusive = Annotated[
    str,
    typer.Option(
        metavar="pass|fail|error",
        callback=checked(counted_as),
        rich_help_panel=GATES,
        help="What an inconclusive gate exits as: pass (0), fail (1) or error (3).",
    ),
]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", rich_help_panel=GATES, help="Exit 0 whatever the gates say; errors still exit 2."),
]
Out = Annotated[
    Path | None,
    typer.Option(rich_help_panel=REPORTS, help="Run folder. The same command again resumes what is in it."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", rich_help_panel=REPORTS, help="Forget what an earlier run left in the run folder.")
]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAMES",
        callback=checked(formats),
        rich_help_panel=REPORTS,
        help="Reports to write, with commas: json, html, md, junit, sarif, card, csv, parquet. json always is.",
    ),
]
IncludeImages = Annotated[
    bool,
    typer.Option(
        "--include-images",
        rich_help_panel=REPORTS,
        help="Show thumbnails of the most exposed images in the page; without it, no report holds an image.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=REPORTS, help="Print report.json to standard output, and nothing else there."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        rich_help_panel=RUNNING,
        help="Print what would be run, what is shared and how long it takes; then stop.",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cuda|cpu", rich_help_panel=RUNNING, help="Where to run.")]
Dtype = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=RUNNING, help="auto, float32, bfloat16 or float16, of the denoiser."),
]
BatchSize = Annotated[
    str,
    typer.Option(metavar="auto|N", callback=checked(batch_size), rich_help_panel=RUNNING, help="Images a pass."),
]
Memory = Annotated[
    float | None,
    typer.Option(rich_help_panel=RUNNING, help="GiB that the geometry may take; half of what is free by default."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        envvar="PRIVAUDIT_QUIET",  # for commands without a configuration, too
        show_envvar=False,
        rich_help_panel=RUNNING,
        help="No progress on standard error.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        is_eager=True,
        rich_help_panel=RUNNING,
        help="TOML file with options; otherwise privaudit.toml and \\[tool.privaudit] of pyproject.toml are read. "
        "privaudit config shows what applies.",
    ),
]
