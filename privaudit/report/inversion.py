"""The summary of an inversion on the terminal."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from torch import Tensor

from privaudit.inversion import OUTCOMES, Inversion
from privaudit.inverting import InvertedSet, describe_solver
from privaudit.report.terminal import TABLE

WORST = 5
"""Images that are named because their residual is largest."""
ADVICE = {
    "budget spent": "more evaluations would lower the residual",
    "stalled": "the residual no longer falls: for an image that the decoder cannot make there is no exact latent",
    "at rounding floor": "16-bit rounding hides anything smaller; --dtype float32 goes on",
    "diverged": "the residual grew; the best iterate was kept; try a smaller step or the anderson solver",
}


def print_inversion(found: InvertedSet, files: list[Path], console: Console | None = None) -> None:
    """Print outcomes, quantiles of every diagnostic, the worst images and the files.

    Args:
        found: The inversion.
        files: What was written.
        console: Standard output by default.
    """
    out = console or Console(highlight=False)
    inversion, count = found.inversion, len(found.images)
    out.print(Text(f"{count} images inverted by {describe_solver(found.solver)}", style="bold"))
    out.print(_outcomes(inversion))
    out.print()
    out.print(_quantiles(inversion))
    unfinished = ~inversion.converged
    if bool(unfinished.any()):
        out.print()
        out.print(_worst(found))
    out.print()
    shape = "x".join(map(str, found.info.latent_shape))
    skipped = f", {len(found.images.skipped)} unreadable files skipped" if found.images.skipped else ""
    lines = [
        f"target  {escape(found.info.id)}, latents {shape}, autoencoder in {str(found.dtype).removeprefix('torch.')}",
        f"images  {count} distinct, {found.images.duplicates} copies dropped{skipped}; {found.seconds:.1f} s",
        f"files   {', '.join(str(path) for path in files)}",
    ]
    out.print(Text("\n".join(lines)))


def _outcomes(inversion: Inversion) -> Text:
    reached = f"relative residual of {inversion.tolerance:g} reached"
    counts = {name: inversion.outcomes.count(name) for name in OUTCOMES}
    lines = [f"{number:>6}  {name}: {ADVICE.get(name, reached)}" for name, number in counts.items() if number]
    if counts["at rounding floor"]:
        floor = inversion.floor[inversion.at_floor].median()
        lines.append(f"        estimated effect of rounding on the residual: {float(floor):.2g} (median)")
    return Text("\n".join(lines))


def _quantiles(inversion: Inversion) -> Table:
    table = Table("", "best", "median", "90 %", "worst", **TABLE)
    rows: list[tuple[str, Tensor | None, bool]] = [
        ("relative residual ‖E(D(z))-E(x)‖/‖E(x)‖", inversion.residual, False),
        ("at the encoder's latent", inversion.residuals[:, 0], False),
        ("relative pixel error ‖D(z)-x‖/‖x‖", inversion.pixel_residual, False),
        ("at the encoder's latent", inversion.pixel_residuals[:, 0], False),
        ("evaluations of E(D(z))", inversion.evaluations.float(), False),
        ("NMSE to the truth, dB", inversion.nmse, False),
        ("cocoercivity", inversion.cocoercivity, True),
    ]
    for label, values, large_is_good in rows:
        if values is None or bool(values.isnan().all()):
            continue
        known = values[~values.isnan()].double()
        quantiles = torch.quantile(-known if large_is_good else known, torch.tensor([0, 0.5, 0.9, 1]).double())
        cells = [float(-value if large_is_good else value) for value in quantiles]
        indent = "  " if label.startswith("at ") else ""
        table.add_row(indent + label, *(f"{value:.4g}" for value in cells), style="dim" if indent else None)
    return table


def _worst(found: InvertedSet) -> Text:
    table = found.table
    rows = table[table["outcome"] != "converged"].sort_values("residual", ascending=False).head(WORST)
    lines = [f"{row.residual:10.4g}  {row.outcome:<17} {row.id}  {row.path}" for row in rows.itertuples()]
    title = Text("Largest residuals (all in inversion.csv)\n", style="italic")
    return title + Text("\n".join(lines))
