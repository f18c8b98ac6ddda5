"""Draws the pictures of the pages: ``python docs/site/pictures.py`` writes them all into docs/pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ink import STAND_IN as INK
from ink import save
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from privaudit.evaluation.metrics import evaluate

FOLDER = Path(__file__).parent.parent / "pictures"
SHIFT = 1.2
"""How far apart members and non-members are in the pictures, in standard deviations of their scores."""
INFLUENCE = np.array([
    [3.1, 0.4, 1.6, 0.2, 2.4],
    [0.3, 2.2, 0.5, 1.2, 0.3],
    [1.8, 0.6, 4.0, 0.9, 0.4],
    [0.2, 1.1, 0.5, 2.8, 0.7],
])
"""A made-up influence map of 4 x 5 latent dimensions."""


def axes(width: float, height: float, panels: int = 1) -> list[Axes]:
    """Plain axes in the stand-in colours."""
    figure = Figure(figsize=(width, height), layout="constrained")
    found = [figure.add_subplot(1, panels, index + 1) for index in range(panels)]
    for each in found:
        each.set_facecolor("none")
        each.tick_params(colors=INK.text, labelsize=10)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
        for spine in each.spines.values():
            spine.set_color(INK.text)
        each.xaxis.label.set_color(INK.text)
        each.yaxis.label.set_color(INK.text)
    return found


def blank(width: float, height: float, panels: int = 1) -> list[Axes]:
    """The same without axes, for drawings."""
    found = axes(width, height, panels)
    for each in found:
        each.set_axis_off()
    return found


def say(plot: Axes, x: float, y: float, text: str, colour: str = INK.text, **more: object) -> None:
    """Write words into a plot, by default centred."""
    given: dict[str, object] = {"ha": "center", "va": "center", "fontsize": 11, "color": colour, "parse_math": False}
    plot.text(x, y, text, **(given | more))  # type: ignore[arg-type]


def flow() -> Figure:
    """From images to a report, in two rows of boxes."""
    (plot,) = blank(6.0, 3.3)
    plot.set(xlim=(0, 6), ylim=(0, 3.3))
    steps = [
        ("images", "trained on,\nand never seen"),
        ("latents", "encoded; found\nby inversion"),
        ("influence", "how much a\ndimension shows"),
        ("masks", "drop what\nhardly shows"),
        ("attacks", "how well does it\nknow an image?"),
        ("metrics", "how many are\nrecognised?"),
        ("verdict", "pass, fail or\ninconclusive"),
        ("report", "a page, JSON,\nCI formats"),
    ]
    for index, (name, what) in enumerate(steps):
        row, column = divmod(index, 4)
        x, y = 0.03 + 1.52 * (column if row == 0 else 3 - column), 1.85 - 1.75 * row
        box = FancyBboxPatch((x, y), 1.3, 1.3, boxstyle="round,pad=0.02,rounding_size=0.1", fc=INK.fill, ec=INK.muted)
        plot.add_patch(box)
        say(plot, x + 0.65, y + 1.0, name, INK.accent, fontweight="bold", fontsize=13)
        say(plot, x + 0.65, y + 0.45, what, fontsize=9.5)
        start, end = (
            ((x + 1.33, y + 0.65), (x + 1.5, y + 0.65)) if row == 0 else ((x - 0.03, y + 0.65), (x - 0.2, y + 0.65))
        )
        if index == 3:
            start, end = (x + 0.65, y - 0.04), (x + 0.65, y - 0.42)
        if index < len(steps) - 1:
            arrow = {"arrowstyle": "-|>", "color": INK.text, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
            plot.annotate("", xy=end, xytext=start, arrowprops=arrow)
    return plot.figure  # type: ignore[return-value]


def scores() -> Figure:
    """Scores of both sets, and the threshold that accuses 1 % of the non-members."""
    (plot,) = axes(6.0, 3.2)
    x = np.linspace(-3.6, 5.0, 400)
    threshold = ndtri(0.99)
    for centre, colour, name, dashes in ((0.0, INK.other, "never seen", "--"), (SHIFT, INK.member, "trained on", "-")):
        density = np.exp(-((x - centre) ** 2) / 2) / np.sqrt(2 * np.pi)
        plot.plot(x, density, color=colour, lw=2, ls=dashes)
        plot.fill_between(x, density, where=x >= threshold, color=colour, alpha=0.35, lw=0)
        say(plot, centre + (-1.75 if centre == 0 else 2.1), 0.3, name, colour, fontweight="bold")
    plot.axvline(threshold, color=INK.text, lw=1.2)
    recognised = 1 - ndtr(threshold - SHIFT)
    say(
        plot,
        threshold + 0.1,
        0.43,
        f"accused: 1 of 100 never seen,\n{100 * recognised:.0f} of 100 trained on",
        ha="left",
        fontsize=10,
    )
    plot.set(
        xlabel="score of an image: how much the model seems to know it",
        yticks=[],
        ylim=(0, 0.46),
        xlim=(-3.7, 6.3),
        xticks=[],
    )
    plot.spines["left"].set_visible(False)
    return plot.figure  # type: ignore[return-value]


def roc() -> Figure:
    """The ROC curve of the same scores, on linear and on logarithmic axes."""
    linear, logarithmic = axes(6.0, 3.1, panels=2)
    fpr = np.geomspace(1e-3, 1, 300)
    tpr = ndtr(ndtri(fpr) + SHIFT)
    area = ndtr(SHIFT / np.sqrt(2))
    for plot in (linear, logarithmic):
        plot.plot(fpr, tpr, color=INK.accent, lw=2.2)
        plot.plot(fpr, fpr, color=INK.muted, lw=1.5, ls=":")
        plot.set(xlabel="false-positive rate (FPR)", ylabel="true-positive rate (TPR)")
    linear.fill_between(np.r_[0, fpr], np.r_[0, tpr], color=INK.accent, alpha=0.15, lw=0)
    say(linear, 0.7, 0.22, f"area under it:\nAUROC {area:.2f}", fontsize=11)
    linear.set(xlim=(0, 1), ylim=(0, 1.02))
    at = ndtr(ndtri(0.01) + SHIFT)
    logarithmic.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 1.2))
    logarithmic.plot([0.01, 0.01], [1e-3, at], color=INK.text, lw=1, ls="--")
    logarithmic.plot([0.01], [at], "o", color=INK.accent, ms=7)
    say(logarithmic, 0.0013, 0.5, f"TPR at 1 % FPR:\n{at:.2f}", ha="left", fontsize=10)
    say(logarithmic, 0.04, 0.022, "guessing", INK.muted, rotation=38, rotation_mode="anchor", fontsize=10)
    for plot in (linear, logarithmic):
        plot.tick_params(which="minor", length=0)
    ticks = ([1e-3, 1e-2, 1e-1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    logarithmic.set_xticks(*ticks)
    logarithmic.set_yticks(*ticks)
    return linear.figure  # type: ignore[return-value]


def intervals() -> Figure:
    """The same model audited again and again with other images: the estimate moves, its interval says how much."""
    (plot,) = axes(6.0, 3.3)
    generator = np.random.default_rng(7)
    truth = ndtr(ndtri(0.01) + SHIFT)
    place, ticks = 0.0, []
    for count in (100, 400, 1600):
        first = place
        for _ in range(6):
            estimate = _tpr(generator, count)
            known = not np.isnan(estimate[1])
            if known:
                plot.plot([place, place], estimate[1:], color=INK.accent, lw=2)
            plot.plot([place], [estimate[0]], "o", color=INK.accent, mfc=INK.accent if known else "none", ms=5)
            place += 1
        ticks.append(((first + place - 1) / 2, f"{count} images\na set"))
        place += 2
    plot.axhline(truth, color=INK.text, lw=1.2, ls="--")
    say(plot, -2.8, truth + 0.008, "truth", ha="left", va="bottom", fontsize=10)
    plot.set_xticks(*zip(*ticks, strict=True))
    plot.set(ylabel="TPR at 1 % FPR", ylim=(0, 0.4), xlim=(-3, place - 2))
    plot.tick_params(axis="x", length=0)
    return plot.figure  # type: ignore[return-value]


def _tpr(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Estimate and limits from simulated scores, as an audit computes them."""
    drawn = np.r_[generator.normal(SHIFT, 1, count), generator.normal(0, 1, count)]
    index = np.arange(2 * count)
    evaluation = evaluate({"score": drawn}, index < count, index % 5, replicates=100)
    found = evaluation.metrics["score"].tpr_at_fpr["0.01"]
    return np.array([found.value, found.lo, found.hi])


def geometry() -> Figure:
    """A decoder stretches some directions of the latent space and flattens others."""
    left, right = blank(6.0, 3.0, panels=2)
    lines = np.linspace(-1, 1, 9)
    fine = np.linspace(-1, 1, 60)
    for line in lines:
        for u, v in ((np.full(60, line), fine), (fine, np.full(60, line))):
            left.plot(u, v, color=INK.muted, lw=0.8)
            right.plot(*_decode(u, v), color=INK.muted, lw=0.8)
    angle = np.linspace(0, 2 * np.pi, 80)
    for centre in (-0.5, 0.5):
        u, v = centre + 0.16 * np.cos(angle), centre + 0.16 * np.sin(angle)
        left.fill(u, v, color=INK.accent, alpha=0.7, lw=0)
        right.fill(*_decode(u, v), color=INK.accent, alpha=0.7, lw=0)
    left.set_title("latent space:\nsteps of one size", color=INK.text, fontsize=11)
    right.set_title("images: one step is\nhardly seen, another large", color=INK.text, fontsize=11)
    for plot in (left, right):
        plot.set_aspect("equal")
    return left.figure  # type: ignore[return-value]


def _decode(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A made-up decoder that stretches the upper right more than the lower left."""
    return np.exp(0.8 * u) + 0.15 * v, np.exp(0.55 * v) * (1 + 0.25 * u)


def masks() -> Figure:
    """The four masks over one influence map."""
    plots = blank(6.0, 2.1, panels=4)
    random = np.random.default_rng(3).permutation(INFLUENCE.size).reshape(INFLUENCE.shape)
    kept = {
        "none": np.ones_like(INFLUENCE),
        "random": (random >= 0.4 * INFLUENCE.size).astype(float),
        "influence": (np.argsort(np.argsort(INFLUENCE, axis=None)) >= 0.4 * INFLUENCE.size)
        .astype(float)
        .reshape(INFLUENCE.shape),
        "weighted": INFLUENCE / INFLUENCE.max(),
    }
    what = {
        "none": "every dimension\ncounts alike",
        "random": "40 % left out\nat random",
        "influence": "40 % that show\nleast left out",
        "weighted": "each counts as\nmuch as it shows",
    }
    rows, columns = INFLUENCE.shape
    for plot, (name, weights) in zip(plots, kept.items(), strict=True):
        for (row, column), weight in np.ndenumerate(weights):
            plot.add_patch(Rectangle((column, rows - row), 0.94, 0.94, fc="none", ec=INK.muted, lw=0.8))
            shown = INFLUENCE[row, column] / INFLUENCE.max() if name != "weighted" else weight
            side = 0.9 * np.sqrt(weight if name == "weighted" else 1.0 if weight else 0.0)
            if side:
                corner = (column + 0.47 - side / 2, rows - row + 0.47 - side / 2)
                plot.add_patch(Rectangle(corner, side, side, fc=INK.accent, alpha=0.2 + 0.8 * shown, lw=0))
        plot.set(xlim=(-0.1, columns), ylim=(-0.5, rows + 1.1), aspect="equal")
        plot.set_title(name, color=INK.text, fontsize=12, fontweight="bold")
        say(plot, columns / 2, 0.7, what[name], va="top", fontsize=9.5)
    return plots[0].figure  # type: ignore[return-value]


def blind() -> Figure:
    """Two ways to choose non-members: from the same source, and from another."""
    same, other = axes(6.0, 2.7, panels=2)
    x = np.linspace(-4, 5, 300)
    for plot, shift, title in ((same, 0.0, "one source: a fair test"), (other, 1.9, "two sources: no test at all")):
        for centre, colour, dashes in ((0.0, INK.member, "-"), (shift + 0.06, INK.other, "--")):
            density = np.exp(-((x - centre) ** 2) / 2)
            plot.plot(x, density, color=colour, lw=2, ls=dashes)
            plot.fill_between(x, density, color=colour, alpha=0.12, lw=0)
        plot.set_title(title, color=INK.text, fontsize=11, fontweight="bold")
        plot.set(yticks=[], xticks=[], xlabel="brightness, sharpness, …", ylim=(0, 1.35))
        plot.spines["left"].set_visible(False)
    say(other, -1.3, 1.14, "members", INK.member, fontsize=10)
    say(other, 3.0, 1.14, "non-members", INK.other, fontsize=10)
    say(same, 0.0, 1.14, "members, non-members", fontsize=10)
    return same.figure  # type: ignore[return-value]


def epsilon() -> Figure:
    """What differential privacy allows an attacker, by epsilon, and an attack beyond it."""
    (plot,) = axes(6.0, 4.0)
    fpr = np.linspace(0, 1, 400)
    for value, dashes in ((0, ":"), (1, "--"), (3, "-")):
        most = np.minimum(np.exp(value) * fpr, 1 - np.exp(-value) * (1 - fpr))
        plot.plot(fpr, np.clip(most, 0, 1), color=INK.other, lw=1.8, ls=dashes)
        x = {0: 0.62, 1: 0.26, 3: 0.055}[value]
        y = min(np.exp(value) * x, 1 - np.exp(-value) * (1 - x))
        say(plot, x + 0.03, y - 0.02, f"ε = {value}", INK.other, ha="left", va="top", fontsize=11)
    plot.plot([0.01], [0.30], "o", color=INK.accent, ms=8)
    plot.annotate(
        "an attack that does this\nshows that ε is at least ln(0.30 / 0.01) = 3.4",
        xy=(0.015, 0.30),
        xytext=(0.3, 0.12),
        color=INK.text,
        fontsize=10,
        va="center",
        arrowprops={"arrowstyle": "-", "color": INK.text, "lw": 1},
    )
    plot.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.02))
    return plot.figure  # type: ignore[return-value]


PICTURES: dict[str, Callable[[], Figure]] = {
    "flow": flow,
    "scores": scores,
    "roc": roc,
    "intervals": intervals,
    "geometry": geometry,
    "masks": masks,
    "blind": blind,
    "epsilon": epsilon,
}


def main() -> None:
    """Draw everything."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        save(draw(), FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
