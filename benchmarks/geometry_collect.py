"""Measure what the findings about geometry rest on, once: influence, distortion, and the attack's error fields.

    privaudit lab photographs --out photographs
    privaudit lab train --images photographs --out target --denoiser-steps 8000 --snapshot 2000 --snapshot 3000 ...
    python benchmarks/geometry_collect.py target --out collected [--exact COUNT] [--estimator SPEC ...] [--snapshot ...]

`collected` gets latents.npz (encoder's and inverted latents, members first), one influence-SPEC.npy for each
estimator, exact.npz (influence and log sqrt(det G) from the dense Jacobian of COUNT images, slow) and one
errors-STEP.npz for each snapshot: SimA's eps_hat(z_0, t) at every level. Influence is taken at the inverted latents,
errors at the encoder's, as `privaudit scan` does. What exists is not computed again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from privaudit.auditing.audit_data import separate
from privaudit.data import Sample, load_images, read_set
from privaudit.decoder_geometry import Jacobian, dense_jacobian, estimate_influence
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.inversion import SOLVERS
from privaudit.loading import ModelSource, load_target
from privaudit.model.target import Target
from privaudit.tasks.inversion_stage import inversion_stage

LEVELS = (0, 5, 10, 20, 30, 40, 50, 60, 80, 100, 140, 180, 240, 300)
BATCH = 64
ESTIMATORS = [f"{name}:probes={probes}" for name in ("separable", "hutchinson") for probes in (1, 2, 4, 8, 16, 64)]


def file_name(spec: str) -> str:
    """Of an estimator's specification."""
    return "influence-" + spec.replace(":", "-").replace("=", "") + ".npy"


def collect_latents(target: Target, samples: Sequence[Sample], members: int, path: Path) -> None:
    """Encoder's and inverted latents."""
    if path.exists():
        return
    with torch.no_grad():
        encoded = torch.cat([
            target.encode(torch.from_numpy(load_images(samples[start : start + BATCH], target.info.image_size)))
            for start in range(0, len(samples), BATCH)
        ])
    inverted = Engine(samples).run(inversion_stage(target, Batcher(BATCH), SOLVERS.build("anderson"))).latents
    ids = np.array([sample.id for sample in samples])
    groups = np.array([sample.group or sample.id for sample in samples])
    np.savez(path, ids=ids, groups=groups, members=members, encoded=encoded.numpy(), inverted=inverted.numpy())


def collect_influence(target: Target, latents: Tensor, ids: Sequence[str], spec: str, path: Path) -> None:
    """By one estimator."""
    if path.exists():
        return
    parts = [
        estimate_influence(
            target.decode,
            latents[start : start + BATCH],
            ids[start : start + BATCH],
            spec,
            channel_axis=target.channel_axis,
            check=start == 0,
        ).values
        for start in range(0, len(latents), BATCH)
    ]
    np.save(path, torch.cat(parts).numpy())


def collect_exact(target: Target, latents: Tensor, count: int, path: Path) -> None:
    """Influence and log sqrt(det G) from the dense Jacobian, of images that are spread evenly."""
    if path.exists() or not count:
        return
    index = np.unique(np.linspace(0, len(latents) - 1, count).round().astype(int))
    latents = latents[index]
    influence, distortion = [], []
    for start in range(0, len(latents), BATCH):
        part = latents[start : start + BATCH]
        jacobian = dense_jacobian(Jacobian(target.decode, part))
        influence.append(jacobian.square().sum(dim=1).view(part.shape))
        distortion.append(torch.linalg.svdvals(jacobian.double()).log().sum(dim=1))
        print(f"exact: {start + len(part)} of {len(latents)}", flush=True)
    np.savez(path, index=index, influence=torch.cat(influence).numpy(), distortion=torch.cat(distortion).numpy())


def collect_errors(target: Target, latents: Tensor, path: Path) -> None:
    """SimA's predictions at every level, ``(levels, n, *latent)``."""
    if path.exists():
        return
    with torch.no_grad():
        errors = [
            torch.cat([target.predict_noise(part, level, None) for part in latents.split(BATCH)]) for level in LEVELS
        ]
    np.savez(path, levels=np.array(LEVELS), errors=torch.stack(errors).numpy())


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, help="lab target, with members.csv and heldout.csv")
    parser.add_argument("--snapshot", type=Path, nargs="*", help="diffusers folders named by their step")
    parser.add_argument("--estimator", nargs="*", default=ESTIMATORS)
    parser.add_argument("--exact", type=int, default=0, help="images whose dense Jacobian is taken")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = json.loads((options.target / "lab.json").read_text())["recipe"]
    (options.out / "recipe.json").write_text(json.dumps(recipe, indent=2) + "\n")
    target = load_target(ModelSource(str(options.target), device="cpu"))
    sets = [read_set(options.target / f"{name}.csv", target.info.image_size) for name in ("members", "heldout")]
    data = separate(*sets)
    collect_latents(target, data.samples, len(data.positives), options.out / "latents.npz")
    stored = np.load(options.out / "latents.npz")
    ids, inverted = list(stored["ids"]), torch.from_numpy(stored["inverted"])
    snapshots = options.snapshot if options.snapshot is not None else sorted(options.target.glob("snapshots/*"))
    for snapshot in snapshots:
        path = options.out / f"errors-{snapshot.name}.npz"
        collect_errors(load_target(ModelSource(str(snapshot), device="cpu")), torch.from_numpy(stored["encoded"]), path)
        print(path, flush=True)
    for spec in options.estimator:
        collect_influence(target, inverted, ids, spec, options.out / file_name(spec))
        print(spec, flush=True)
    collect_exact(target, inverted, options.exact, options.out / "exact.npz")


if __name__ == "__main__":
    main()
