"""The summary of an origin test on the terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from privaudit.report.numbers import COMPACT
from privaudit.report.terminal.console import TABLE, section, standard_output
from privaudit.tasks.inverting import describe_solver
from privaudit.tasks.origin_test import OriginResult

SIGNIFICANCE = 0.05
"""Of single images: one in twenty own generations falls below."""
SHOWN = 10
"""Images that are listed."""
LABELS = {
    "remaining": "error that remains",
    "inverted": "error, inverted",
    "encoder": "error, encoder",
    "residual": "latent residual",
}


def print_origin(found: OriginResult, console: Console | None = None) -> None:
    """Print the answer, the separation by every statistic, and the least likely images."""
    out = console or standard_output()
    count, unlike = len(found.images), int((found.p_values < SIGNIFICANCE).sum())
    out.print(Panel(Text(_answer(count, unlike, len(found.own.encoder))), title="privaudit origin"))
    if found.metrics:
        out.print()
        out.print(_statistics(found))
    out.print()
    rows = found.table.sort_values("remaining").head(SHOWN)
    out.print(Text("Most like the model's own generations (all in origin.csv)", style="italic"))
    listed = [f"{row.remaining:9.3f}  {row.p_own:.3f}  {row.path}" for row in rows.itertuples()]
    out.print(Text("\n".join(["remaining  p      image", *listed])), soft_wrap=True)
    out.print()
    images = found.images
    lines = (
        f"target  {found.info.id}",
        f"images  {count} distinct, {images.duplicates} copies dropped, {len(images.skipped)} unreadable",
        f"own     {len(found.own.encoder)} generations",
        f"how     {describe_solver(found.solver)}",
        f"files   {found.folder / 'origin.csv'}",
    )
    out.print(Text("\n".join(lines)), soft_wrap=True)


def _answer(count: int, unlike: int, generations: int) -> str:
    subject = "image does" if count == 1 else "images do"
    least = 1 / (generations + 1)
    return (
        f"{unlike} of {count} {subject} not look like generations of this model (p < {SIGNIFICANCE:g}); "
        f"{count - unlike} consistent with it. With {generations} generations p is at least {least:.2g}, and "
        f"{SIGNIFICANCE:.0%} of true generations fall below {SIGNIFICANCE:g} by chance.\n"
        "Consistent is not proof: a model with the same autoencoder explains an image as well, and nearly flat images "
        "suit any. Editing, resizing or JPEG after the generation make a true one look foreign."
    )


def _statistics(found: OriginResult) -> Group:
    table = Table(
        "statistic",
        "own, median",
        "images, median",
        "AUROC",
        "TPR@1%FPR",
        **TABLE,
    )
    for name, label in LABELS.items():
        metrics = found.metrics[name]
        own, given = (float(np.median(getattr(part, name))) for part in (found.own, found.traces))
        cells = (COMPACT.estimate(metrics.auroc), COMPACT.estimate(metrics.tpr_at_fpr["0.01"]))
        table.add_row(label, f"{own:.4g}", f"{given:.4g}", *cells, style=None if name == "remaining" else "dim")
    title = "Own generations against the images (AUROC 1: told apart, .5: alike; first row decides)"
    return section(title, table)
