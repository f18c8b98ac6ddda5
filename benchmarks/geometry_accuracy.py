"""How good few probes and Hadamard's bound are against the exact geometry of the demo target.

    python benchmarks/geometry_accuracy.py [--images 64] [--out FILE]

For images of the demo: the exact influence and log sqrt(det G) from the dense Jacobian; then, for each
count of probes with and without smoothing, the share of the exactly kept dimensions that the mask keeps and
the rank correlation of the weights; and the rank correlation of distortion and its bound over images.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from scipy.stats import spearmanr

from privaudit.data import load_images, read_set
from privaudit.geometry import distortion_bound, exact_distortion, exact_influence, influence_mask, stochastic_influence
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import load_target


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    target = load_target(TARGET, device="cpu")
    with tempfile.TemporaryDirectory() as temporary:
        found = read_set(unpack_demo_images(Path(temporary)).nonmembers, target.info.image_size)
        step = max(1, len(found) // options.images)
        samples = found.samples[::step][: options.images]
        images = torch.from_numpy(load_images(samples, target.info.image_size))
    ids = [sample.id for sample in samples]
    with torch.no_grad():
        latents = target.encode(images)
    exact = torch.cat([exact_influence(target.decode, part, ids[:8]) for part in latents.split(8)])
    distortion = torch.cat([exact_distortion(target.decode, part) for part in latents.split(8)])
    kept = influence_mask(exact, 0.4)
    lines = [
        f"{len(samples)} held-out images of the demo, 40 % dropped (chance agreement 60 %)",
        "| probes | smoothed | kept set agrees | rank correlation of influence | of the bound with log sqrt(det G) |",
        "|---|---|---|---|---|",
    ]

    def row(label: str, smooth: str, influence: torch.Tensor) -> str:
        agrees = float((influence_mask(influence, 0.4) * kept).sum() / kept.sum())
        ranks = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(influence, exact, strict=True)]
        bound = spearmanr(distortion_bound(influence), distortion).statistic
        return f"| {label} | {smooth} | {agrees:.3f} | {sum(ranks) / len(ranks):.3f} | {bound:.3f} |"

    for probes in (1, 4, 8, 16, 50):
        for smooth in (False, True):
            estimate = stochastic_influence(target.decode, latents, ids, probes=probes, smooth=smooth)
            lines.append(row(str(probes), "yes" if smooth else "no", estimate))
    lines.append(row("exact", "no", exact))
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
