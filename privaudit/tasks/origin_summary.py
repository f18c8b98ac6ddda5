"""Terminal summary of an origin test."""

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
"""Significance level for a single image: one in twenty own generations has a smaller p-value."""
MAX_LISTED = 10
"""Maximum number of images that are listed."""
LABELS = {
    "remaining": "error that remains",
    "inverted": "error, inverted",
    "encoder": "error, encoder",
    "residual": "latent residual",
}
"""Label of each statistic of `privaudit.tasks.origin_test.scores`."""


def print_origin(result: OriginResult, console: Console | None = None) -> None:
    """Print the conclusion, the separation by every statistic, and the images that are most like own generations."""
    out = console or standard_output()
    count, unlike = len(result.images), int((result.p_values < SIGNIFICANCE).sum())
    generated = len(result.generations.encoder)
    out.print(Panel(Text(_conclusion(count, unlike, generated)), title="privaudit origin"))
    if result.metrics:
        out.print()
        out.print(_statistics(result))
    out.print()
    rows = result.table.sort_values("remaining").head(MAX_LISTED)
    out.print(Text("Most like the model's own generations (all images in origin.csv)", style="italic"))
    listed = [f"{row.remaining:9.3f}  {row.p_own:.3f}  {row.path}" for row in rows.itertuples()]
    out.print(Text("\n".join(["remaining  p      image", *listed])), soft_wrap=True)
    out.print()
    images = result.images
    lines = (
        f"target  {result.info.id}",
        f"images  {count} distinct, {images.duplicates} copies dropped, {len(images.skipped)} unreadable",
        f"against {generated} generations of the target",
        f"solver  {describe_solver(result.solver)}",
        f"files   {result.folder / 'origin.csv'}",
    )
    out.print(Text("\n".join(lines)), soft_wrap=True)


def _conclusion(count: int, unlike: int, generated: int) -> str:
    subject = "image does" if count == 1 else "images do"
    consistent = count - unlike
    return (
        f"{unlike} of {count} {subject} not look like generations of this model (p < {SIGNIFICANCE:g}); "
        f"{consistent} {'is' if consistent == 1 else 'are'} consistent with it. With {generated} generations p is at "
        f"least {1 / (generated + 1):.2g}, and {SIGNIFICANCE:.0%} of true generations fall below {SIGNIFICANCE:g} by "
        "chance.\n"
        "Consistency is not proof: another model with the same autoencoder explains an image equally well, and nearly "
        "uniform images are consistent with any model. A true generation that was edited, resized or saved as JPEG may "
        "be rejected."
    )


def _statistics(result: OriginResult) -> Group:
    table = Table(
        "statistic",
        "generations,\nmedian",
        "images,\nmedian",
        "AUROC",
        "TPR@1%FPR",
        **TABLE,
    )
    for name, label in LABELS.items():
        metrics = result.metrics[name]
        of_generations, of_images = (
            float(np.median(getattr(traces, name))) for traces in (result.generations, result.traces)
        )
        cells = (COMPACT.estimate(metrics.auroc), COMPACT.estimate(metrics.tpr_at_fpr["0.01"]))
        style = None if name == "remaining" else "dim"
        table.add_row(label, f"{of_generations:.4g}", f"{of_images:.4g}", *cells, style=style)
    title = "Generations against the images (AUROC 1: separated, .5: alike; p: first row)"
    return section(title, table)
