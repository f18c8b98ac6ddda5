"""The summary of a geometry on the terminal."""

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
NAME = 34
"""Letters of an image's name, and half as many of its set's, that fit into 80 columns."""


def print_geometry(found: GeometryMap, files: list[Path], console: Console | None = None) -> None:
    """Print what was measured and how, distortion by set, the extremes and the files."""
    out = console or standard_output()
    table = found.table
    count = len(table)
    out.print(Text(f"Decoder geometry around {count} image{'s' if count != 1 else ''}", style="bold"))
    out.print(Text(DISTORTION, style="dim"))
    out.print()
    out.print(_sets(found, table))
    out.print()
    out.print(_extremes(found, table))
    out.print()
    out.print(Text("\n".join(_how(found, table))), soft_wrap=True)
    if warnings := _warnings(found, table):
        out.print()
        for line in warnings:
            out.print(Text.assemble(("warn ", "yellow"), line), soft_wrap=True)
    out.print()
    out.print(
        Text("\n".join(f"{'files' if place == 0 else '':<12}{path}" for place, path in enumerate(files))),
        soft_wrap=True,
    )


def _sets(found: GeometryMap, table: pd.DataFrame) -> Table:
    method = found.options.distortion_spec.split(":")[0]
    shown = Table("set", title=f"Distortion by set (log sqrt det G: {method})", **TABLE)
    compares = len(found.sets) > 1 and bool(table["quartile"].notna().all())
    names = ["images", "lowest", "25 %", "median", "75 %", "highest"] + ["in highest quarter"] * compares
    for name in names:
        shown.add_column(name, justify="right")
    for part in found.sets:
        own = table[table["set"] == part.label]
        # between two values, except from -inf, which is legal and from which nothing can be interpolated
        between: Literal["linear", "inverted_cdf"] = (
            "linear" if np.isfinite(own["distortion"]).all() else "inverted_cdf"
        )
        cells = np.quantile(own["distortion"], [0, 0.25, 0.5, 0.75, 1], method=between)
        texts = [str(len(own)), *(f"{value:.1f}" for value in cells)]
        if compares:
            texts.append(f"{float((own['quartile'] == 4).mean()):.0%}")
        shown.add_row(Text(shorten(part.label, NAME // 2)), *texts)
    return shown


def _extremes(found: GeometryMap, table: pd.DataFrame) -> Table:
    count = min(EXTREMES, len(table) // 2)
    shown = Table(title="Most and least distorted images" if count else "The image", **TABLE)
    shown.add_column("rank", justify="right")
    shown.add_column("distortion", justify="right")
    residuals = "residual" in table
    if residuals:
        shown.add_column("residual", justify="right")
    shown.add_column("set")
    shown.add_column("image")
    ordered = table.assign(rank=found.rank).sort_values("rank")
    for place, (_, row) in enumerate(pd.concat([ordered.head(max(count, 1)), ordered.tail(count)]).iterrows()):
        if place == count > 0:
            shown.add_row()
        cells = [str(row["rank"]), f"{row['distortion']:.1f}"]
        cells += [f"{row['residual']:.2g}"] if residuals else []
        shown.add_row(*cells, Text(shorten(row["set"], NAME // 2)), Text(shorten(Path(row["path"]).name, NAME)))
    return shown


def _how(found: GeometryMap, table: pd.DataFrame) -> list[str]:
    options = found.options
    shape = "x".join(map(str, found.info.latent_shape))
    at = "the encoder's latents E(x)"
    if found.inversion is not None:
        at = f"latents found by inversion ({options.solver.spec}), median residual {table['residual'].median():.2g}"
    skipped = sum(len(part.images.skipped) for part in found.sets)
    copies = sum(part.images.duplicates for part in found.sets)
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in found.seconds.items())
    drawn = f"{len(found.drawn)} of {len(table)} images"
    if len(found.drawn) < len(table):
        drawn += ", the most and the least distorted first; --maps all draws every one"
    spread = float(found.distortion.standard_error.nanmedian())
    error = f", standard error {spread:.2g} (median)" if spread > 0 else ""  # NaN, not known, is no more than 0
    return [
        f"half of all influence sits in {table['half_share'].median():.0%} of the latent's dimensions (median image)",
        "",
        f"target      {found.info.id}, latents {shape}, autoencoder in {str(found.dtype).removeprefix('torch.')}",
        f"images      {len(table)} distinct, {copies} copies dropped, {skipped} unreadable",
        f"at          {at}",
        f"influence   {options.influence.spec}, {_cost(found.influence.products)}; a mask that drops "
        f"{options.drop:.0%} agrees with the exact one in about {table['kept_agreement'].median():.0%} of what it "
        "keeps",
        f"distortion  {options.distortion_spec}, {_cost(found.distortion.products)}{error}; leaves out "
        f"{found.distortion.left_out}",
        f"time        {times}",
        f"maps        {drawn}",
    ]


def _cost(products: Tensor) -> str:
    return f"{products.double().mean():.3g} products with the Jacobian an image"


def _warnings(found: GeometryMap, table: pd.DataFrame) -> list[str]:
    lines = [
        f"{part.shared} pictures of {part.label} are in an earlier set too and count there"
        for part in found.sets
        if part.shared
    ]
    if found.inversion is not None and found.inversion.tolerance > 0:
        share = float(found.inversion.converged.double().mean())
        if share < MIN_CONVERGED:
            lines.append(
                f"only {share:.0%} of the inversions reached a residual of {found.inversion.tolerance:g}: the others' "
                "geometry is that of a latent near the image's own"
            )
    if infinite := int((~np.isfinite(table["distortion"])).sum()):
        lines.append(f"{infinite} distortions are not finite: some directions of the latent do not show in the image")
    return lines
