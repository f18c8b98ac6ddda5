"""Terminal summary of a geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from privaudit.auditing.assess.run_checks import MIN_CONVERGED
from privaudit.report.plots.canvas import shorten
from privaudit.report.terminal.console import TABLE, standard_output
from privaudit.tasks.geometry_maps import EXTREMES, GeometryMap

DISTORTION = (
    "how much the decoder stretches space around the image, on a logarithmic scale;\n"
    "training images of high distortion leak more (Rao, Qu and Moyer 2026)"
)
"""Explanation of the distortion below the title."""
MAX_NAME, MAX_SET = 34, 17
"""Maximum number of characters of an image's name and of a set's label, so that the table fits into 80 columns."""


def print_geometry(geometry: GeometryMap, files: list[Path], console: Console | None = None) -> None:
    """Print the distortion of each set, the most and least distorted images, how it was measured, and the files."""
    out = console or standard_output()
    table = geometry.table
    count = len(table)
    out.print(Text(f"Decoder geometry around {count} image{'s' if count != 1 else ''}", style="bold"))
    out.print(Text(DISTORTION, style="dim"))
    out.print()
    out.print(_sets(geometry, table))
    out.print()
    out.print(_extremes(geometry, table))
    out.print()
    out.print(Text("\n".join(_how(geometry, table))), soft_wrap=True)
    if warnings := _warnings(geometry, table):
        out.print()
        for line in warnings:
            out.print(Text.assemble(("warn ", "yellow"), line), soft_wrap=True)
    out.print()
    file_lines = [f"{'files' if number == 0 else '':<12}{path}" for number, path in enumerate(files)]
    out.print(Text("\n".join(file_lines)), soft_wrap=True)


def _sets(geometry: GeometryMap, table: pd.DataFrame) -> Table:
    method = geometry.options.distortion_spec.split(":")[0]
    summary = Table("set", title=f"Distortion by set (log sqrt det G: {method})", **TABLE)
    # With a single set, a quarter of its images would always be in the highest quarter.
    with_quarters = len(geometry.sets) > 1 and bool(table["quartile"].notna().all())
    names = ["images", "lowest", "25 %", "median", "75 %", "highest"] + ["in highest quarter"] * with_quarters
    for name in names:
        summary.add_column(name, justify="right")
    for part in geometry.sets:
        in_set = table[np.array(geometry.labels) == part.label]
        # -inf is a legal distortion, and linear interpolation next to it gives NaN; inverted_cdf only returns values of
        # the sample.
        method_of_quantile: Literal["linear", "inverted_cdf"] = (
            "linear" if np.isfinite(in_set["distortion"]).all() else "inverted_cdf"
        )
        quantiles = np.quantile(in_set["distortion"], [0, 0.25, 0.5, 0.75, 1], method=method_of_quantile)
        cells = [str(len(in_set)), *(f"{value:.1f}" for value in quantiles)]
        if with_quarters:
            cells.append(f"{float((in_set['quartile'] == 4).mean()):.0%}")
        summary.add_row(Text(shorten(part.label, MAX_SET)), *cells)
    return summary


def _extremes(geometry: GeometryMap, table: pd.DataFrame) -> Table:
    count = min(EXTREMES, len(table) // 2)
    extremes = Table(title="Most and least distorted images" if count else "The image", **TABLE)
    extremes.add_column("rank", justify="right")
    extremes.add_column("distortion", justify="right")
    residuals = "residual" in table
    if residuals:
        extremes.add_column("residual", justify="right")
    extremes.add_column("set")
    extremes.add_column("image")
    ordered = table.assign(rank=geometry.rank).sort_values("rank")
    listed = pd.concat([ordered.head(max(count, 1)), ordered.tail(count)])
    for number, (_, row) in enumerate(listed.iterrows()):
        if number == count > 0:
            extremes.add_row()  # separates the most from the least distorted images
        cells = [str(row["rank"]), f"{row['distortion']:.1f}"]
        cells += [f"{row['residual']:.2g}"] if residuals else []
        extremes.add_row(*cells, Text(shorten(row["set"], MAX_SET)), Text(shorten(Path(row["path"]).name, MAX_NAME)))
    return extremes


def _how(geometry: GeometryMap, table: pd.DataFrame) -> list[str]:
    options = geometry.options
    shape = "x".join(map(str, geometry.info.latent_shape))
    at = "the encoder's latents E(x)"
    if geometry.inversion is not None:
        at = f"latents found by inversion ({options.solver.spec}), median residual {table['residual'].median():.2g}"
    skipped = sum(len(part.images.skipped) for part in geometry.sets)
    copies = sum(part.images.duplicates for part in geometry.sets)
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in geometry.seconds.items())
    drawn = f"{len(geometry.drawn)} of {len(table)} images"
    if len(geometry.drawn) < len(table):
        drawn += ", the most and the least distorted first; --maps all draws every one"
    median_error = float(geometry.distortion.standard_error.nanmedian())
    # False also for NaN, which means that the error is unknown.
    error = f", standard error {median_error:.2g} (median)" if median_error > 0 else ""
    return [
        f"half of all influence is in {table['half_share'].median():.0%} of the latent dimensions (median image)",
        "",
        f"target      {geometry.info.id}, latents {shape}, autoencoder in {str(geometry.dtype).removeprefix('torch.')}",
        f"images      {len(table)} distinct, {copies} copies dropped, {skipped} unreadable",
        f"at          {at}",
        f"influence   {options.influence.spec}, {_cost(geometry.influence.products)}; a mask that drops "
        f"{options.drop:.0%} agrees with the exact one in about {table['kept_agreement'].median():.0%} of what it "
        "keeps",
        f"distortion  {options.distortion_spec}, {_cost(geometry.distortion.products)}{error}; leaves out "
        f"{geometry.distortion.left_out}",
        f"time        {times}",
        f"maps        {drawn}",
    ]


def _cost(products: Tensor) -> str:
    return f"{products.double().mean():.3g} products with the Jacobian per image"


def _warnings(geometry: GeometryMap, table: pd.DataFrame) -> list[str]:
    lines = [
        f"{part.shared} images of {part.label} are also in an earlier set, and are counted there"
        for part in geometry.sets
        if part.shared
    ]
    if geometry.inversion is not None and geometry.inversion.tolerance > 0:
        converged = float(geometry.inversion.converged.double().mean())
        if converged < MIN_CONVERGED:
            lines.append(
                f"only {converged:.0%} of the inversions reached a residual of {geometry.inversion.tolerance:g}: for "
                "the other images, the geometry is that of a latent nearby, not of the exact one"
            )
    if infinite := int((~np.isfinite(table["distortion"])).sum()):
        lines.append(f"{infinite} distortions are not finite: some directions of the latent do not change the image")
    return lines
