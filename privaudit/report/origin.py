"""The summary of an origin test on the terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from privaudit.inverting import describe_solver
from privaudit.origin import Origin
from privaudit.report.terminal import TABLE, interval_text

SIGNIFICANCE = 0.05
"""Of single images: one in twenty own generations falls below."""
SHOWN = 10
"""Images that are listed."""
LABELS = {
    "remaining": "share of the encoder's error that remains",
    "inverted": "error in pixels after inversion",
    "encoder": "error in pixels of the encoder alone",
    "residual": "residual of the fixed point",
}


def print_origin(found: Origin, console: Console | None = None) -> None:
    """Print the answer, the separation by every statistic, and the least likely images.

    Args:
        found: The comparison.
        console: Standard output by default.
    """
    out = console or Console(highlight=False)
    count, unlike = len(found.images), int((found.p_values < SIGNIFICANCE).sum())
    out.print(Panel(Text(_answer(count, unlike)), title="privaudit origin"))
    out.print()
    out.print(_statistics(found))
    out.print()
    rows = found.table.sort_values("remaining").head(SHOWN)
    listed = Table(
        "remaining", "p", "image", title="Most like the model's own generations (all in origin.csv)", **TABLE
    )
    for row in rows.itertuples():
        listed.add_row(f"{row.remaining:.3f}", f"{row.p_own:.3f}", str(row.path))
    out.print(listed)
    out.print()
    lines = (
        f"target  {found.info.id}",
        f"images  {count}, compared with {len(found.own.encoder)} generations of the target; "
        f"{len(found.images.skipped)} skipped",
        f"how     {describe_solver(found.solver)}",
        f"files   {found.folder / 'origin.csv'}",
    )
    out.print(Text("\n".join(lines)))


def _answer(count: int, unlike: int) -> str:
    expected = SIGNIFICANCE * count
    text = (
        f"{unlike} of {count} images do not look like generations of this model (p < {SIGNIFICANCE:g}; if all of them "
        f"were, about {expected:.0f} would be expected); {count - unlike} are consistent with it."
    )
    return text + (
        " A model with the same autoencoder explains them as well; editing, resizing and JPEG compression after the "
        "generation weaken the test."
    )


def _statistics(found: Origin) -> Table:
    table = Table(
        "statistic",
        "own, median",
        "images, median",
        "AUROC",
        "TPR@1%FPR",
        title="Own generations against the images (AUROC 1: told apart, .5: alike)",
        **TABLE,
    )
    for name, label in LABELS.items():
        metrics = found.metrics[name]
        own, given = (float(np.median(getattr(part, name))) for part in (found.own, found.traces))
        cells = (interval_text(metrics.auroc), interval_text(metrics.tpr_at_fpr["0.01"]))
        table.add_row(label, f"{own:.4g}", f"{given:.4g}", *cells, style=None if name == "remaining" else "dim")
    return table
