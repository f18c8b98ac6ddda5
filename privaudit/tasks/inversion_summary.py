"""Terminal summary of an inversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from privaudit.inversion import OUTCOMES, Inversion
from privaudit.report.terminal.console import TABLE, standard_output
from privaudit.tasks.inverting import InvertedSet, describe_solver

MAX_WORST = 5
"""Maximum number of images that are listed because they have the largest residuals."""
ADVICE = {
    "budget spent": "more evaluations would lower the residual",
    "stalled": "no exact latent nearby, as usual for photographs",
    "at rounding floor": "limited by 16-bit rounding; try --dtype float32",
    "diverged": "best iterate returned; a smaller step may help",
}
"""Explanation of each outcome, with the next step where there is one; that of ``converged`` names the tolerance."""


def print_inversion(inverted: InvertedSet, files: list[Path], console: Console | None = None) -> None:
    """Print the outcomes, quantiles of every diagnostic, the images with the largest residuals, and the files."""
    out = console or standard_output()
    inversion, count = inverted.inversion, len(inverted.images)
    out.print(Text(f"{count} images inverted by {describe_solver(inverted.solver)}", style="bold"))
    out.print(_outcomes(inverted), soft_wrap=True)
    out.print()
    out.print(_quantiles(inversion, by_gradient=inverted.solver.by_gradient))
    out.print(Text("latent: ‖E(D(z))-E(x)‖/‖E(x)‖, pixel: ‖D(z)-x‖/‖x‖", style="dim"))
    # With a tolerance of 0 or a single evaluation, an image that has not converged needs no attention.
    if inversion.tolerance > 0 and inverted.solver.evaluations > 1 and not bool(inversion.converged.all()):
        out.print()
        out.print(_worst(inverted))
    out.print()
    shape, skipped = "x".join(map(str, inverted.info.latent_shape)), len(inverted.images.skipped)
    lines = [
        f"target  {inverted.info.id}",
        f"latents {shape}, autoencoder in {str(inverted.dtype).removeprefix('torch.')}",
        f"images  {count} distinct, {inverted.images.duplicates} copies dropped, {skipped} unreadable",
        f"time    {inverted.seconds:.1f} s",
        *(f"{'files' if number == 0 else '':<8}{path}" for number, path in enumerate(files)),
    ]
    out.print(Text("\n".join(lines)), soft_wrap=True)


def _outcomes(inverted: InvertedSet) -> Text:
    inversion = inverted.inversion
    advice = ADVICE | {"converged": f"relative residual of {inversion.tolerance:g} reached"}
    if inverted.solver.evaluations == 1:
        advice["budget spent"] = "evaluated once, not iterated"
    elif inversion.tolerance == 0:
        advice["budget spent"] = "all evaluations used, because the tolerance is 0"
    counts = {name: inversion.outcomes.count(name) for name in OUTCOMES}
    lines = [f"{number:>6}  {name}: {advice[name]}" for name, number in counts.items() if number]
    if counts["at rounding floor"]:
        floor = inversion.floor[inversion.at_floor].median()
        lines.append(f"        estimated effect of rounding on the residual: {float(floor):.2g} (median)")
    return Text("\n".join(lines))


def _quantiles(inversion: Inversion, *, by_gradient: bool) -> Table:
    table = Table("", "best", "median", "90 %", "worst", **TABLE)
    rows: list[tuple[str, Tensor | None, bool]] = [
        ("relative residual, latent", inversion.residual, False),
        ("  latent, encoder alone", None if by_gradient else inversion.residuals[:, 0], False),
        ("relative residual, pixel", inversion.pixel_residual, False),
        ("  pixel, encoder alone", inversion.pixel_residuals[:, 0], False),
        ("evaluations of E(D(z))", inversion.evaluations.float(), False),
        ("NMSE to the truth, dB", inversion.nmse, False),
        ("cocoercivity", inversion.cocoercivity, True),
    ]
    for label, values, large_is_good in rows:
        if values is None or bool(values.isnan().all()):
            continue
        known = values[~values.isnan()].double().numpy() * (-1 if large_is_good else 1)
        # Residuals may be infinite, and interpolation next to an infinity gives NaN; inverted_cdf only returns values
        # of the sample. The sign makes the best value the smallest one.
        cells = np.quantile(known, (0, 0.5, 0.9, 1), method="inverted_cdf") * (-1 if large_is_good else 1)
        table.add_row(label, *(f"{value:.4g}" for value in cells), style="dim" if label.startswith(" ") else None)
    return table


def _worst(inverted: InvertedSet) -> Text:
    table = inverted.table
    rows = table[table["outcome"] != "converged"].sort_values("residual", ascending=False).head(MAX_WORST)
    lines = [f"{row.residual:10.4g}  {row.outcome:<17} {Path(str(row.path)).name}" for row in rows.itertuples()]
    title = Text("Largest residuals (ids, paths and all other images in inversion.csv)\n", style="italic")
    return title + Text("\n".join(lines))
