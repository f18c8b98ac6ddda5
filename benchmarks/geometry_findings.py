"""The second paper's findings on our targets, from what `geometry_collect.py` measured. For docs/geometry.md.

    python benchmarks/geometry_findings.py COLLECTED [--at 4500] [--influence FILE] [--plot FILE] [--out FILE]

SimA at the encoder's latents, members positive. Everything that is chosen (level, mask) is cross-fitted, intervals come
from a stratified bootstrap, differences from a paired one. Tables: (a) AUROC by quartile of distortion, (b) masks and
weights against no mask at each stage of training, and at one stage by order of the norm, by level, and in each decile
of influence, (c) what the number of probes changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from privaudit.decoder_geometry import (
    anti_influence_mask,
    distortion_bound,
    influence_mask,
    influence_weights,
    pooled_influence,
    random_mask,
)
from privaudit.evaluation import (
    Evaluation,
    apply_choice,
    assign_folds,
    auroc,
    by_quartile,
    compare,
    cross_fit,
    evaluate,
    tpr_at_fpr,
)

Array = NDArray[np.float64]
DROPS = (0.2, 0.4, 0.6, 0.8)
GAMMAS = (0.25, 0.5, 1.0, 2.0)
ORDERS = (1.0, 2.0, 4.0, 8.0)
ORDER = 4.0
"""Of SimA's authors."""


@dataclass(frozen=True)
class Collected:
    """What `geometry_collect.py` wrote."""

    folder: Path
    ids: list[str]
    is_member: NDArray[np.bool_]
    folds: NDArray[np.int64]
    influence: torch.Tensor

    def errors(self, step: int) -> tuple[tuple[int, ...], Array]:
        """Levels and error fields ``(levels, n, size)`` of a snapshot."""
        stored = np.load(self.folder / f"errors-{step}.npz")
        errors = stored["errors"]
        return tuple(int(level) for level in stored["levels"]), errors.reshape(*errors.shape[:2], -1).astype(float)

    @property
    def steps(self) -> list[int]:
        """Of the snapshots."""
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("errors-*.npz"))


def read(folder: Path, influence: str) -> Collected:
    """Read latents' ids, labels and one influence."""
    stored = np.load(folder / "latents.npz")
    ids, members = [str(name) for name in stored["ids"]], int(stored["members"])
    is_member = np.arange(len(ids)) < members
    groups = [str(group) for group in stored["groups"]]
    folds = assign_folds(ids, is_member, groups, folds=5, seed=0)
    return Collected(folder, ids, is_member, folds, torch.from_numpy(np.load(folder / influence)))


def masks(found: Collected, influence: torch.Tensor) -> dict[str, Array]:
    """Every mask and weighting, ``(n, size)``."""
    every = {"none": torch.ones_like(influence)}
    for drop in DROPS:
        every[f"influence, {drop:.0%} dropped"] = influence_mask(influence, drop)
        every[f"random, {drop:.0%} dropped"] = random_mask(influence, found.ids, drop, 0)
        every[f"anti-influence, {drop:.0%} dropped"] = anti_influence_mask(influence, drop)
    pooled = pooled_influence(influence).expand_as(influence)
    every["influence of the whole set, 40% dropped"] = influence_mask(pooled, 0.4)
    for gamma in GAMMAS:
        every[f"weights, gamma {gamma:g}"] = influence_weights(influence, gamma)
    every["weights of the whole set, gamma 1"] = influence_weights(pooled)
    return {name: mask.flatten(1).double().numpy() for name, mask in every.items()}


def score(errors: Array, mask: Array, order: float) -> Array:
    """SimA's score at every level, ``(n, levels)``, higher = member."""
    return -np.einsum("lni,ni->nl", np.abs(errors) ** order, mask)


def chosen(found: Collected, levels: tuple[int, ...], scores: Mapping[str, Array]) -> dict[str, Array]:
    """Each score at the level that cross-fitting chooses for no mask."""
    choice = cross_fit(scores["none"], levels, found.is_member, found.folds)
    return {name: apply_choice(values, choice, found.is_member, found.folds) for name, values in scores.items()}


def judge(found: Collected, scores: Mapping[str, Array]) -> Evaluation[str]:
    """Metrics with intervals."""
    return evaluate(scores, found.is_member, found.folds, fprs=(0.01,), seed=0)


def show(evaluation: Evaluation[str], name: str) -> str:
    """AUROC [interval] / TPR@1%FPR [interval]."""
    metrics = evaluation.metrics[name]
    rate = metrics.tpr_at_fpr["0.01"]
    return (
        f"{metrics.auroc.value:.3f} [{metrics.auroc.lo:.3f}, {metrics.auroc.hi:.3f}] / "
        f"{rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
    )


def gain(evaluation: Evaluation[str], name: str, baseline: str = "none") -> str:
    """Differences to no mask, AUROC / TPR."""
    found = compare(evaluation, name, baseline)
    parts = [f"{d.value:+.3f} [{d.lo:+.3f}, {d.hi:+.3f}]" for d in (found.auroc_delta, found.tpr_delta)]
    return " / ".join(parts)


def quartile_table(found: Collected, distortion: Array) -> list[str]:
    """(a)."""
    lines = ["| steps | all | lowest distortion | second | third | highest |", "|---|---|---|---|---|---|"]
    for step in found.steps:
        levels, errors = found.errors(step)
        none = chosen(found, levels, {"none": score(errors, np.ones(errors.shape[1:]), ORDER)})["none"]
        strata = by_quartile(distortion, none, found.is_member)
        cells = [f"{part.auroc.value:.3f} [{part.auroc.lo:.3f}, {part.auroc.hi:.3f}]" for part in strata]
        lines.append(f"| {step} | {auroc(none, found.is_member):.3f} | " + " | ".join(cells) + " |")
    alone = auroc(distortion, found.is_member)
    return [*lines, "", f"Distortion alone, members against held-out: AUROC {alone:.3f}.", ""]


def stage_tables(found: Collected, every: Mapping[str, Array]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """(b) by stage of training: no mask, and the difference of each mask to it."""
    names = [name for name in every if name != "none"]
    columns: dict[int, Evaluation[str]] = {}
    curves: dict[str, dict[str, float]] = {}
    for step in found.steps:
        levels, errors = found.errors(step)
        scores = chosen(found, levels, {name: score(errors, mask, ORDER) for name, mask in every.items()})
        columns[step] = judge(found, scores)
        curves[str(step)] = {name: auroc(values, found.is_member) for name, values in scores.items()}
    head = "| AUROC / TPR@1%FPR | " + " | ".join(f"{step} steps" for step in found.steps) + " |"
    lines = [head, "|---" * (len(found.steps) + 1) + "|"]
    lines.append("| none | " + " | ".join(show(columns[step], "none") for step in found.steps) + " |")
    for name in names:
        lines.append(f"| {name} | " + " | ".join(gain(columns[step], name) for step in found.steps) + " |")
    return [*lines, ""], curves


def order_table(found: Collected, every: Mapping[str, Array], step: int) -> list[str]:
    """(b) by order of the norm; with the best of all masks, levels and orders chosen by cross-fitting."""
    levels, errors = found.errors(step)
    kept = ("none", "random, 40% dropped", "influence, 40% dropped", "influence, 60% dropped", "weights, gamma 1")
    lines = ["| order | " + " | ".join(kept) + " |", "|---" * (len(kept) + 1) + "|"]
    pool: dict[str, Array] = {}
    for order in ORDERS:
        by_level = {name: score(errors, mask, order) for name, mask in every.items()}
        pool |= {f"{name} {order}": values for name, values in by_level.items()}
        evaluation = judge(found, chosen(found, levels, {name: by_level[name] for name in kept}))
        cells = [show(evaluation, "none"), *(gain(evaluation, name) for name in kept[1:])]
        lines.append(f"| {order:g} | " + " | ".join(cells) + " |")
    spaces = {
        "none": ["none "],
        "influence masks": ["none ", "influence"],
        "influence masks and weights": ["none ", "influence", "weights"],
    }
    scores = {}
    for label, starts in spaces.items():
        stacked = np.concatenate([v for name, v in pool.items() if name.startswith(tuple(starts))], axis=1)
        picked = cross_fit(stacked, tuple(range(stacked.shape[1])), found.is_member, found.folds)
        scores[label] = picked.scores
    evaluation = judge(found, scores)
    lines += [
        "",
        "| chosen by cross-fitting over level, order and | AUROC / TPR@1%FPR | against none |",
        "|---|---|---|",
    ]
    for label in spaces:
        against = "" if label == "none" else gain(evaluation, label)
        lines.append(f"| {label} | {show(evaluation, label)} | {against} |")
    return [*lines, ""]


def level_table(found: Collected, every: Mapping[str, Array], step: int) -> list[str]:
    """(b) by level, without intervals: AUROC / TPR, and TPR with non-members as the positive class, as published."""
    levels, errors = found.errors(step)
    kept = (
        "none",
        "influence, 40% dropped",
        "influence, 60% dropped",
        "weights, gamma 1",
        "anti-influence, 60% dropped",
    )
    lines = ["| level | " + " | ".join(kept) + " |", "|---" * (len(kept) + 1) + "|"]
    by_level = {name: score(errors, every[name], ORDER) for name in kept}
    best: dict[str, list[float]] = {name: [0.0, 0.0, 0.0] for name in kept}
    for column, level in enumerate(levels):
        cells = []
        for name in kept:
            own = by_level[name][:, column]
            numbers = (
                auroc(own, found.is_member),
                tpr_at_fpr(own, found.is_member, 0.01).tpr,
                tpr_at_fpr(-own, ~found.is_member, 0.01).tpr,
            )
            best[name] = [max(pair) for pair in zip(best[name], numbers, strict=True)]
            cells.append(" / ".join(f"{number:.3f}" for number in numbers))
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    lines.append(
        "| best of all, as published | "
        + " | ".join(" / ".join(f"{number:.3f}" for number in best[name]) for name in kept)
        + " |"
    )
    return [*lines, ""]


def decile_table(found: Collected, steps: list[int]) -> tuple[list[str], dict[int, list[float]]]:
    """(b) AUROC of the error energy in each tenth of the dimensions, by influence."""
    order = found.influence.flatten(1).argsort(dim=1, stable=True).numpy()
    tenths = np.array_split(np.arange(order.shape[1]), 10)
    lines = ["| steps | " + " | ".join(f"{i + 1}" for i in range(10)) + " |", "|---" * 11 + "|"]
    curves = {}
    for step in steps:
        levels, errors = found.errors(step)
        cells = []
        for tenth in tenths:
            mask = np.zeros(order.shape)
            np.put_along_axis(mask, order[:, tenth], 1.0, axis=1)
            values = score(errors, mask, 2.0)
            cells.append(auroc(cross_fit(values, levels, found.is_member, found.folds).scores, found.is_member))
        curves[step] = cells
        lines.append(f"| {step} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    return [*lines, ""], curves


def probe_table(found: Collected, step: int) -> list[str]:
    """(c)."""
    levels, errors = found.errors(step)
    names = {
        path.stem.removeprefix("influence-"): np.load(path) for path in sorted(found.folder.glob("influence-*.npy"))
    }
    exact, reference = found.folder / "exact.npz", "hutchinson-probes16"
    if exact.exists():  # of some of the images, on which all are compared
        stored, reference = np.load(exact), "exact"
        rows = stored["index"]
        names = {name: values[rows] for name, values in names.items()} | {"exact": stored["influence"]}
        found = replace(
            found,
            ids=[found.ids[row] for row in rows],
            is_member=found.is_member[rows],
            folds=found.folds[rows],
            influence=found.influence[torch.from_numpy(rows)],
        )
        errors = errors[:, rows]
    scores = {"none": score(errors, np.ones(errors.shape[1:]), ORDER)}
    for name, values in names.items():
        influence = torch.from_numpy(values)
        for label, mask in (("influence", influence_mask(influence, 0.4)), ("weighted", influence_weights(influence))):
            scores[f"{name} {label}"] = score(errors, mask.flatten(1).double().numpy(), ORDER)
    evaluation = judge(found, chosen(found, levels, scores))
    kept = influence_mask(torch.from_numpy(names[reference]), 0.4)
    lines = [
        f"{len(found.ids)} images; no mask: {show(evaluation, 'none')}",
        "",
        f"| influence | kept set agrees with {reference} | mask: AUROC / TPR@1%FPR | against {reference} | "
        f"weights: AUROC / TPR@1%FPR | against {reference} |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in names.items():
        same = float((influence_mask(torch.from_numpy(values), 0.4) * kept).sum() / kept.sum())
        cells = [
            cell
            for label in ("influence", "weighted")
            for cell in (
                show(evaluation, f"{name} {label}"),
                "" if name == reference else gain(evaluation, f"{name} {label}", f"{reference} {label}"),
            )
        ]
        lines.append(f"| {name} | {same:.3f} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def plot(curves: Mapping[str, Mapping[str, float]], deciles: Mapping[int, list[float]], path: Path) -> None:
    """AUROC over the share that is dropped, and by decile of influence."""
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        greys = np.linspace(0.7, 0.0, len(curves))
        styles = {"influence": "-", "random": ":", "anti-influence": "--"}
        for grey, (step, values) in zip(greys, curves.items(), strict=True):
            for kind, style in styles.items():
                line = [values["none"], *(values[f"{kind}, {drop:.0%} dropped"] for drop in DROPS)]
                label = kind if step == list(curves)[-1] else None
                left.plot((0, *DROPS), line, style, color=str(grey), linewidth=1.2, label=label)
            left.annotate(f"{step} steps", (0, values["none"]), xytext=(4, 4), textcoords="offset points", fontsize=7)
        left.set(xlabel="share of dimensions dropped", ylabel="SimA's AUROC")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8)
        for grey, (step, cells) in zip(np.linspace(0.7, 0.0, len(deciles)), deciles.items(), strict=True):
            right.plot(range(1, 11), cells, "o-", color=str(grey), markersize=3, linewidth=1.2)
            right.annotate(f"{step}", (10, cells[-1]), xytext=(4, 0), textcoords="offset points", fontsize=7)
        right.set(xlabel="decile of influence, least to most", ylabel="AUROC of its error energy", xticks=range(1, 11))
        figure.savefig(path, dpi=200)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collected", type=Path)
    parser.add_argument("--at", type=int, default=4500, help="the snapshot of the tables of one stage")
    parser.add_argument("--influence", default="influence-hutchinson-probes16.npy")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = read(options.collected, options.influence)
    every = masks(found, found.influence)
    distortion = distortion_bound(found.influence).numpy()
    recipe = json.loads((options.collected / "recipe.json").read_text())
    lines = [
        f"{int(found.is_member.sum())} members, {int((~found.is_member).sum())} held out, autoencoder trained on "
        f"{recipe.get('autoencoder_images', 'auxiliary')} images, latents "
        f"{'x'.join(map(str, found.influence.shape[1:]))}; influence from {options.influence}",
        "",
        "(a) AUROC by quartile of distortion (Hadamard's bound)",
        "",
        *quartile_table(found, distortion),
        "(b) differences to no mask, by stage",
        "",
    ]
    table, curves = stage_tables(found, every)
    lines += table
    lines += [f"(b) by order of the norm, {options.at} steps", "", *order_table(found, every, options.at)]
    lines += [f"(b) by level, {options.at} steps: AUROC / TPR@1%FPR / the same with non-members positive", ""]
    lines += level_table(found, every, options.at)
    table, deciles = decile_table(found, found.steps)
    lines += ["(b) AUROC of the error energy by decile of influence, least to most", "", *table]
    lines += [f"(c) probes, {options.at} steps", "", *probe_table(found, options.at)]
    print("\n".join(lines))
    if options.plot:
        plot(curves, deciles, options.plot)
    if options.out:
        options.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
