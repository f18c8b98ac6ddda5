"""What inverted latents are good for: attack, geometry, their difference to the encoder's. For docs/inversion.md.

    python benchmarks/inverted_latents.py [TARGET ...] [--images 550] [--out FOLDER]

TARGET is a lab target's folder; the demo target comes first. For members, held-out images and the target's own
generations (8 bit): SimA at the encoder's and at inverted latents, members against held-out and own generations
against held-out; the difference of both latents as a feature of the attack; influence at both against influence at
the true latents. Levels and combinations are cross-fitted, intervals and differences from a paired bootstrap.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from privaudit.attacks import Batch, score_batch
from privaudit.attacks.sima import Sima
from privaudit.data import load_images, read_set
from privaudit.decoder_geometry import estimate_influence
from privaudit.evaluation import assign_folds, compare, cross_fit, evaluate
from privaudit.inversion import Inversion, invert, nmse_db
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import load_target
from privaudit.model.ddim import ddim_sample
from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target
from privaudit.tasks.origin_traces import to_eight_bits

Array = NDArray[np.float64]
SOLVERS = {"tolerance .01": "anderson", "20 evaluations": "anderson:evaluations=20:tolerance=0"}


@dataclass(frozen=True)
class Group:
    """Images of one kind with their latents and SimA's scores at each, ``(n, levels)``."""

    ids: list[str]
    latents: dict[str, Tensor]
    scores: dict[str, Array]
    truth: Tensor | None = None

    @property
    def moved(self) -> Array:
        """||z - E(x)|| / ||E(x)|| of the closer inversion."""
        encoder, inverted = self.latents["encoder"], self.latents["20 evaluations"]
        return ((inverted - encoder).flatten(1).norm(dim=1) / encoder.flatten(1).norm(dim=1)).double().numpy()


def measure(target: Target, images: Tensor, ids: list[str], truth: Tensor | None = None) -> Group:
    """Invert and score."""
    found = {
        name: Inversion.join([invert(target, part, spec, clip=True).to("cpu") for part in images.split(64)])
        for name, spec in SOLVERS.items()
    }
    latents = {"encoder": found["20 evaluations"].encoded} | {name: part.latents for name, part in found.items()}
    scores = {}
    for name, values in latents.items():
        parts = []
        for start in range(0, len(ids), 64):
            part, keys = values[start : start + 64].to(target.device), ids[start : start + 64]
            batch = Batch(target, part, keys, [Prompt()] * len(keys), seed=0)
            attack = Sima().for_target(target)
            parts.append(score_batch([attack], batch, {"none": torch.ones_like(part)})[attack.label, "none"])
        scores[name] = torch.cat(parts).numpy()
    return Group(ids, latents, scores, truth)


def load(folder: Path, count: int) -> tuple[Target, dict[str, Group]]:
    """Members, held-out and own generations of a target."""
    target = load_target(folder)
    groups = {}
    with tempfile.TemporaryDirectory() as temporary:
        if (folder / "members.csv").exists():
            sources = {"members": folder / "members.csv", "held-out": folder / "heldout.csv"}
        else:
            demo = unpack_demo_images(Path(temporary))
            sources = {"members": demo.members, "held-out": demo.nonmembers}
        for name, source in sources.items():
            samples = sorted(read_set(source, target.info.image_size).samples, key=lambda sample: sample.id)[:count]
            images = torch.from_numpy(load_images(samples, target.info.image_size))
            groups[name] = measure(target, images, [sample.id for sample in samples])
    ids = [f"generation {number}" for number in range(count)]
    truth = ddim_sample(target, normal_for(0, ids, target.info.latent_shape, "generation"), 50)
    with torch.no_grad():
        own = torch.cat([to_eight_bits(target.decode(part)) for part in truth.split(64)])
    groups["own generations"] = measure(target, own, ids, truth.cpu())
    return target, groups


def separate(positive: Group, negative: Group, *, features: bool) -> list[tuple[str, str, str]]:
    """(statistic, AUROC / TPR, difference to SimA at the encoder) for two groups."""
    member = np.arange(len(positive.ids) + len(negative.ids)) < len(positive.ids)
    folds = assign_folds([*positive.ids, *negative.ids], member)

    def both(name: str) -> Array:
        return np.concatenate([positive.scores[name], negative.scores[name]])

    def chosen(table: Array) -> Array:
        return cross_fit(table, range(table.shape[1]), member, folds).scores

    logs = {name: np.log(-both(name)) for name in positive.scores}
    scores = {f"SimA at {name}": chosen(both(name)) for name in positive.scores}
    if features:
        moved = np.concatenate([positive.moved, negative.moved])
        near, far = logs["encoder"], logs["20 evaluations"]
        scores |= {
            "distance between both latents alone": -moved,
            "log SimA at inverted minus at encoder": chosen(far - near),
            "logistic: encoder, all levels": combine([near], member, folds),
            "logistic: encoder and distance": combine([near, np.log(moved)[:, None]], member, folds),
            "logistic: encoder and inverted": combine([near, far], member, folds),
            "logistic: all three": combine([near, far, np.log(moved)[:, None]], member, folds),
        }
    return describe(scores, member, folds)


def combine(parts: Sequence[Array], member: NDArray[np.bool_], folds: NDArray[np.int64]) -> Array:
    """Logistic regression, fitted for each fold on the others."""
    table, found = np.concatenate(parts, axis=1), np.empty(len(member))
    for fold in np.unique(folds):
        own = folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(table[~own], member[~own])
        found[own] = model.decision_function(table[own])
    return found


def describe(
    scores: Mapping[str, Array], member: NDArray[np.bool_], folds: NDArray[np.int64]
) -> list[tuple[str, str, str]]:
    """Each score with its intervals, and its paired difference to the first of its kind (regression or not)."""
    evaluation = evaluate(scores, member, folds)
    rows = []
    for name in scores:
        base = next(other for other in scores if other.startswith("logistic") == name.startswith("logistic"))
        area, rate = evaluation.metrics[name].auroc, evaluation.metrics[name].tpr_at_fpr["0.01"]
        text = f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}] / {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
        gain = compare(evaluation, name, base).auroc_delta
        rows.append((name, text, "" if name == base else f"{gain.value:+.3f} [{gain.lo:+.3f}, {gain.hi:+.3f}]"))
    return rows


def geometry(target: Target, group: Group, count: int = 32) -> list[str]:
    """Influence at encoder and inverted latents against influence at the true ones, same probes."""
    assert group.truth is not None
    ids = group.ids[:count]

    def influence(latents: Tensor) -> Tensor:
        found = estimate_influence(target.decode, latents[:count].to(target.device), ids, "hutchinson:probes=64")
        return found.values.flatten(1).cpu()

    wanted = influence(group.truth)
    lines = []
    for name, latents in group.latents.items():
        ranks = [spearmanr(a, b).statistic for a, b in zip(influence(latents), wanted, strict=True)]
        error = nmse_db(latents, group.truth)
        lines.append(f"| {name} | {float(error.mean()):.2f} | {float(error.median()):.2f} | {np.mean(ranks):.4f} |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", type=Path, default=[])
    parser.add_argument("--images", type=int, default=550)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    threads = torch.get_num_threads()
    lines = [f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, {threads} threads."]
    for folder in [TARGET, *options.targets]:
        target, groups = load(folder, options.images)
        name = "demo" if folder == TARGET else folder.name
        for kind, features in (("members", True), ("own generations", False)):
            sizes = f"{len(groups[kind].ids)} {kind} against {len(groups['held-out'].ids)} held-out images"
            lines += [
                "",
                f"## {name}: {sizes}",
                "",
                "| score | AUROC / TPR@1%FPR | AUROC gain over the first of its kind |",
            ]
            lines.append("|---|---|---|")
            lines += [f"| {' | '.join(row)} |" for row in separate(groups[kind], groups["held-out"], features=features)]
        lines += ["", f"## {name}: influence of own generations against that at the true latent", ""]
        lines.append(
            "| latent | NMSE dB, mean | median | rank correlation of influence, 64 probes |\n|---|---|---|---|"
        )
        lines += geometry(target, groups["own generations"])
        print("\n".join(lines), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
