"""How fast the influence is, as ratios within this run, and whether the attack notices. For docs/geometry.md.

    python benchmarks/geometry.py [--device cuda] [--images 256] [--no-quality] [--large] [--out FILE]

The baseline is the published procedure, written plainly: one image at a time, one decode, then a loop of 16
reverse-mode products. Against it: privaudit's default estimator; Hutchinson's with the same 16 probes, in batches; and
bare decoder passes in batches against single ones, which bounds the latter. Then two audits of the demo, with 16
probes and with the default, whose masked scores must be as good. Repeats are interleaved in shuffled order.
--large (GPU) does the same with a decoder of Stable Diffusion's size, random weights, 512x512.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from privaudit import AuditOptions, run_audit
from privaudit.data import load_images, read_set
from privaudit.decoder_geometry import ESTIMATORS, Jacobian, estimate_influence, images_at_once
from privaudit.decoder_geometry.influence import DEFAULT_ESTIMATOR
from privaudit.decoder_geometry.jacobian import MIN_PASSES_TO_TRACE, Decode, forward_mode, jvp_by_reverse
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_target
from privaudit.loading.autoencoder import wrap_autoencoder

PROBES = 16
REPEATS = 5


def published(decode: Decode, latents: Tensor, probes: int = PROBES) -> Tensor:
    """One image at a time, one decode, a loop of reverse-mode products."""
    found = []
    for latent in latents:
        leaf = latent.unsqueeze(0).clone().requires_grad_(True)
        image = decode(leaf)
        total = torch.zeros_like(leaf)
        for _ in range(probes):
            (product,) = torch.autograd.grad(image, leaf, torch.randn_like(image), retain_graph=True)
            total += product.square()
        found.append(total / probes)
    return torch.cat(found)


def batched(decode: Decode, latents: Tensor, ids: Sequence[str], batch: int, spec: str) -> Tensor:
    """By an estimator of privaudit, as `scan` runs it after its trial of the first images."""
    parts = [
        estimate_influence(decode, latents[i : i + batch], ids[i : i + batch], spec, at_once=batch, check=False).values
        for i in range(0, len(latents), batch)
    ]
    return torch.cat(parts)


def bare(decode: Decode, latents: Tensor, batch: int) -> None:
    """Decoder passes alone."""
    with torch.no_grad():
        for part in latents.split(batch):
            decode(part)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall-clock time of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def measure(works: dict[str, Callable[[], object]], device: torch.device) -> dict[str, list[float]]:
    """Times of each, in an order that is shuffled anew for each repeat, after one call to warm up."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    order, shuffler = list(works), random.Random(0)
    for _ in range(REPEATS):
        shuffler.shuffle(order)
        for name in order:
            times[name].append(seconds(works[name], device))
    return times


def ratio(times: dict[str, list[float]], name: str, baseline: str, factor: float = 1.0) -> str:
    """Median of the baseline's times over the median of ours, with the least and largest ratio of single repeats."""
    value = factor * statistics.median(times[baseline]) / statistics.median(times[name])
    least = factor * min(times[baseline]) / max(times[name])
    most = factor * max(times[baseline]) / min(times[name])
    return f"{value:.2f} [{least:.2f}, {most:.2f}]"


def speed(decode: Decode, latents: Tensor, most: int, name: str) -> list[str]:
    """Ratios of the published procedure's time to ours."""
    ids, device = [str(i) for i in range(len(latents))], latents.device
    equal = f"hutchinson:probes={PROBES}"
    batch = images_at_once(decode, latents, ids, ESTIMATORS.build(equal), most)
    times = measure(
        {
            "published": lambda: published(decode, latents),
            "default": lambda: batched(decode, latents, ids, batch, DEFAULT_ESTIMATOR),
            "equal": lambda: batched(decode, latents, ids, batch, equal),
            "bare single": lambda: bare(decode, latents, 1),
            "bare batch": lambda: bare(decode, latents, batch),
        },
        device,
    )
    rows = [
        (f"`{DEFAULT_ESTIMATOR}`", ratio(times, "default", "published")),
        (f"`{equal}`", ratio(times, "equal", "published")),
        ("bare decoder passes, batch against single", ratio(times, "bare batch", "bare single")),
        (
            f"throughput of `{equal}` against {PROBES + 1} bare passes an image",
            ratio(times, "equal", "bare batch", PROBES + 1),
        ),
    ]
    lines = [
        f"{name}: {len(latents)} images, batches of {batch}, median of {REPEATS} [least, largest]",
        "",
        "| against the published procedure | ratio |",
        "|---|---|",
    ]
    return [*lines, *(f"| {label} | {value} |" for label, value in rows), ""]


def products(decode: Decode, latents: Tensor, name: str) -> list[str]:
    """Time of one product with J or J^T, in bare passes of the same batch."""
    jacobian, traced = Jacobian(decode, latents), Jacobian(decode, latents)
    cotangent = torch.ones_like(bare_images(decode, latents)).unsqueeze(0)
    tangent = torch.ones_like(latents).unsqueeze(0)
    traced.jvp(tangent.expand(MIN_PASSES_TO_TRACE, *latents.shape))
    times = measure(
        {
            "bare": lambda: bare(decode, latents, len(latents)),
            "J^T v": lambda: jacobian.vjp(cotangent),
            "J v, traced": lambda: traced.jvp(tangent),
            "J v, untraced": lambda: untraced(decode, latents, tangent[0]),
            "J v, by reverse mode": lambda: jvp_by_reverse(decode, latents, tangent[0]),
            "first J^T v, with its pass": lambda: Jacobian(decode, latents).vjp(cotangent),
        },
        latents.device,
    )
    lines = [f"products, {name}, a batch of {len(latents)}", "", "| product | bare passes |", "|---|---|"]
    return [*lines, *(f"| {key} | {ratio(times, 'bare', key)} |" for key in times if key != "bare"), ""]


def untraced(decode: Decode, latents: Tensor, tangent: Tensor) -> Tensor:
    """J v by forward mode."""
    with torch.no_grad(), forward_mode():
        return torch.func.jvp(decode, (latents,), (tangent,))[1]


def bare_images(decode: Decode, latents: Tensor) -> Tensor:
    """D(z)."""
    with torch.no_grad():
        return decode(latents)


def quality(device: str) -> list[str]:
    """The demo's masked scores with 16 plain probes and with the default estimator."""
    lines = ["| influence | mask | AUROC | TPR@1%FPR |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as temporary:
        images = unpack_demo_images(Path(temporary) / "images")
        for spec in (f"hutchinson:probes={PROBES}", DEFAULT_ESTIMATOR):
            result = run_audit(
                AuditOptions.parse(
                    target=str(TARGET),
                    members=images.members,
                    nonmembers=images.nonmembers,
                    out=Path(temporary) / "run",
                    attacks=("sima",),
                    influence=spec,
                    device=device,
                )
            )
            for mask in ("none", "influence", "weighted"):
                found = result.attacks[0].masks[mask]
                rate = found.tpr_at_fpr["0.01"]
                lines.append(
                    f"| `{spec}` | {mask} | {found.auroc.value:.3f} [{found.auroc.lo:.3f}, {found.auroc.hi:.3f}] "
                    f"| {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}] |"
                )
    return [*lines, ""]


def large_decoder(device: torch.device) -> tuple[Decode, Tensor]:
    """A decoder of Stable Diffusion's size with random weights, and latents of 512x512 images."""
    from diffusers import AutoencoderKL

    module = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512],
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    autoencoder = wrap_autoencoder(module, device, torch.float32)
    return autoencoder.decode, torch.randn(32, 4, 64, 64, device=device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--no-quality", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    target = load_target(ModelSource(str(TARGET), device=options.device))
    device = target.device
    with tempfile.TemporaryDirectory() as temporary:
        found = read_set(unpack_demo_images(Path(temporary)).nonmembers, target.info.image_size).samples
        images = torch.from_numpy(load_images(found[: options.images], target.info.image_size))
    with torch.no_grad():
        latents = target.encode(images)
    where = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    lines = [
        f"torch {torch.__version__}, Python {platform.python_version()}, {where}, {torch.get_num_threads()} threads",
        "",
        *speed(target.decode, latents, 64, "demo target"),
        *products(target.decode, latents[:32], "demo target"),
    ]
    if options.large:
        decode, points = large_decoder(device)
        lines += speed(decode, points, 16, "decoder of Stable Diffusion's size, 512x512")
    if not options.no_quality:
        lines += quality(options.device)
    if device.type == "cpu":
        lines.append(
            f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
        )
    else:
        lines.append(f"peak memory on the GPU: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
