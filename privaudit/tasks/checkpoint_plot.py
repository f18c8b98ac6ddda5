"""Plot of AUROC against training step, with one panel per attack."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from privaudit.auditing.checkpoint_sweep import CheckpointPoint, CheckpointSweepResult
from privaudit.report.plots.canvas import shorten
from privaudit.tasks.figure_file import save_figure

MAX_COLUMNS = 3
"""Maximum number of panels per row."""


def plot_checkpoints(sweep: CheckpointSweepResult, path: Path) -> None:
    """Draw the AUROC of every attack against the training step, with its interval as a band.

    A dot marks each checkpoint, and a larger one the largest AUROC. The last weights, whose step may be unknown, follow
    at the distance of the last two checkpoints.
    """
    paired = any(attack.endswith("-reference") for attack in sweep.attacks)  # next to the attack itself
    columns = min(2 if paired else MAX_COLUMNS, len(sweep.attacks))
    rows = math.ceil(len(sweep.attacks) / columns)
    figure = Figure(figsize=(1.0 + 3.3 * columns, 0.7 + 2.6 * rows), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for axes, attack in zip(panels, sweep.attacks, strict=False):
        _panel(axes, sweep, attack)
    for axes in panels[len(sweep.attacks) :]:
        axes.remove()
    for axes in panels[: len(sweep.attacks) : columns]:
        axes.set_ylabel("AUROC", fontsize=8)
    name = shorten(Path(sweep.output.path).resolve().name, 40)
    weights = ", averaged weights" if sweep.output.averaged else ""
    title = f"{name}{weights}: {sweep.members} members, {sweep.nonmembers} non-members"
    figure.suptitle(title, fontsize=9, parse_math=False)
    save_figure(figure, path)


def positions(curve: tuple[CheckpointPoint, ...]) -> list[float]:
    """Place the points of a curve on the axis of steps.

    Args:
        curve: Points of one attack; the last may have no step.

    Returns:
        A position per point: its step; for a point without one, that of the point before it and the distance of the two
        points before.
    """
    places: list[float] = []
    for point in curve:
        gap = places[-1] - places[-2] if len(places) > 1 else places[-1] if places else 1.0
        places.append(point.step if point.step is not None else (places[-1] if places else 0.0) + (gap or 1.0))
    return places


def _panel(axes: Axes, sweep: CheckpointSweepResult, attack: str) -> None:
    curve = sweep.curve(attack)
    places, values = positions(curve), [point.auroc.value for point in curve]
    axes.axhline(0.5, color="0.6", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    low, high = ([getattr(point.auroc, end) for point in curve] for end in ("lo", "hi"))
    if len(curve) > 1:
        axes.fill_between(places, low, high, color="black", alpha=0.12, linewidth=0)
    else:  # a band of one point is invisible
        axes.vlines(places, low, high, color="black", alpha=0.3)
    axes.plot(places, values, color="black", linewidth=1.4, marker="o", markersize=3)
    best = curve.index(sweep.largest(attack))
    axes.plot(places[best], values[best], color="C3", marker="o", markersize=5)
    if curve[-1].step is None:
        axes.annotate("final", (places[-1], values[-1]), (0, 5), textcoords="offset points", fontsize=7, ha="center")
    axes.set_xlabel(f"training {sweep.output.unit}", fontsize=8)
    axes.set_title(attack, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=7.5)
    axes.grid(visible=True, axis="y", alpha=0.2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
