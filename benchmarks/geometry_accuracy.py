"""How close estimators come to the exact influence and distortion, and at what cost. For docs/geometry.md.

    python benchmarks/geometry_accuracy.py [--target FOLDER] [--images DIR] [--count 48] [--out FILE]

For held-out images of the demo (or of a target): the exact diagonal of G and log sqrt(det G) from the dense Jacobian;
then, for each estimator, the share of the exactly kept dimensions that its mask keeps (40 % dropped), the share it
expects itself, the rank correlation of influence within an image, how often the exact value is within two standard
errors, and the CPU time in decoder passes. The same for distortion methods over images, and for decoders in 16 bits.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from privaudit.data import load_images, read_set
from privaudit.decoder_geometry import (
    Influence,
    Jacobian,
    dense_jacobian,
    distortion_bound,
    estimate_influence,
    expected_agreement,
    influence_mask,
    measure_distortion,
)
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_autoencoder, load_target

ESTIMATORS = (
    *(f"hutchinson:probes={probes}" for probes in (1, 2, 4, 8, 16, 64, 256)),
    "hutchinson:probes=16:rademacher=true",
    *(f"separable:probes={probes}" for probes in (1, 2, 4, 8, 16, 64)),
    "adaptive:agreement=0.85",
    "adaptive:agreement=0.9",
    "adaptive:agreement=0.95:most=512",
    "deflated:rank=4:probes=8",
    "deflated:rank=32:probes=16",
    "coloured:spacing=2",
    "coloured:spacing=3",
    "coloured:spacing=4",
    "exact",
)
METHODS = ("exact", "truncated", "lanczos")
DROP = 0.4
BATCH = 16
FEW = 8
"""Images whose influence is taken in 16 bits, which is slow on a CPU."""


def cost(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def neighbours(influence: Tensor) -> Tensor:
    """Average over 3x3 neighbours in each channel: what the separable fit replaced."""
    ones = functional.avg_pool2d(torch.ones_like(influence), 3, 1, 1)
    return functional.avg_pool2d(influence, 3, 1, 1) / ones


def agreement(found: Tensor, exact: Tensor) -> float:
    """Share of the exactly kept dimensions that are kept."""
    kept = influence_mask(exact, DROP)
    return float((influence_mask(found, DROP) * kept).sum() / kept.sum())


def rank_correlation(found: Tensor, exact: Tensor) -> float:
    """Mean over images of Spearman's."""
    ranks = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(found, exact, strict=True)]
    return float(sum(ranks) / len(ranks))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("--images", type=Path, help="images of the target; the demo's held-out by default")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    target = load_target(ModelSource(str(options.target), device="cpu"))
    with tempfile.TemporaryDirectory() as temporary:
        source = options.images or unpack_demo_images(Path(temporary)).nonmembers
        found = read_set(source, target.info.image_size)
        step = max(1, len(found) // options.count)
        samples = found.samples[::step][: options.count]
        images = torch.from_numpy(load_images(samples, target.info.image_size))
    ids = [sample.id for sample in samples]
    with torch.no_grad():
        latents = target.encode(images)
    batches, axis = range(0, len(ids), BATCH), target.channel_axis

    def estimate(spec: str) -> Influence:
        return Influence.join([
            estimate_influence(
                target.decode, latents[i : i + BATCH], ids[i : i + BATCH], spec, channel_axis=axis, check=False
            )
            for i in batches
        ])

    def passes() -> None:
        with torch.no_grad():
            for part in latents.split(BATCH):
                target.decode(part)

    passes()
    one_pass = min(cost(passes) for _ in range(5))
    jacobian = torch.cat([dense_jacobian(Jacobian(target.decode, part)) for part in latents.split(BATCH)])
    exact = jacobian.square().sum(dim=1).view(latents.shape)
    distortion = torch.linalg.svdvals(jacobian.double()).log().sum(dim=1)
    lines = [
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(samples)} held-out images of "
        f"{options.target.name}, latents {'x'.join(map(str, target.info.latent_shape))}, 40 % dropped (chance 60 %)",
        "",
        "| estimator | products | passes | kept set agrees | expected | rank correlation | within 2 errors | "
        "bound ranks images |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for spec in ESTIMATORS:
        holder: list[Influence] = []
        took = cost(lambda spec=spec, holder=holder: holder.append(estimate(spec)))  # type: ignore[misc]
        done = holder[0]
        inside = ((done.values - exact).abs() <= 2 * done.standard_error + 1e-4 * exact).double().mean()
        lines.append(
            f"| `{spec}` | {done.products.double().mean():.0f} | {took / one_pass:.0f} | "
            f"{agreement(done.values, exact):.3f} | {expected_agreement(done, DROP).mean():.3f} | "
            f"{rank_correlation(done.values, exact):.3f} | {inside:.2f} | "
            f"{spearmanr(distortion_bound(done.values), distortion).statistic:.3f} |"
        )
        if spec.startswith("hutchinson:probes=") and spec.endswith(("=4", "=16")) and latents.ndim == 4:
            mean = neighbours(done.values)
            lines.append(
                f"| `{spec}`, then the mean of 3x3 neighbours | {done.products.double().mean():.0f} | "
                f"{took / one_pass:.0f} | {agreement(mean, exact):.3f} | | {rank_correlation(mean, exact):.3f} | | "
                f"{spearmanr(distortion_bound(mean), distortion).statistic:.3f} |"
            )
    lines += [
        "",
        "| distortion | products | passes | ranks images as the exact one | leaves out |",
        "|---|---|---|---|---|",
    ]
    for spec in METHODS:
        values, products, took, left_out = [], [], 0.0, ""
        for i in batches:
            started = time.process_time()
            part = measure_distortion(target.decode, latents[i : i + BATCH], ids[i : i + BATCH], spec)
            took += time.process_time() - started
            values.append(part.values)
            products.append(part.products)
            left_out = part.left_out
        correlation = spearmanr(torch.cat(values), distortion).statistic
        mean_products = torch.cat(products).double().mean()
        lines.append(f"| `{spec}` | {mean_products:.0f} | {took / one_pass:.0f} | {correlation:.3f} | {left_out} |")
    few = slice(0, FEW)
    lines += ["", f"| decoder, first {FEW} images | kept set agrees | rank correlation |", "|---|---|---|"]
    for dtype in ("bfloat16", "float16"):
        small = load_autoencoder(ModelSource(options.target, device="cpu", dtype=dtype, upcast=False))
        for spec in ("exact", "hutchinson:probes=16"):
            runs = [
                estimate_influence(decode, latents[few], ids[few], spec, channel_axis=axis, check=False).values
                for decode in (small.decode, target.decode)
            ]
            lines.append(
                f"| {dtype} against float32, `{spec}` | {agreement(*runs):.3f} | {rank_correlation(*runs):.3f} |"
            )
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
