"""Decoder inversion compared: evaluations, time, memory and accuracy of every solver. Tables for docs/inversion.md.

    python benchmarks/inversion.py [TARGET ...] [--images 32] [--device auto] [--out FOLDER]

TARGET is a lab target's folder (with heldout.csv); the first is the demo target by default. Images are the target's own
generations, whose latents are known, and held-out photographs. On a CPU, time is process time of one thread, so
that other work on the machine does not count; on a GPU it is wall time. Memory is that of live tensors.
Writes inversion.md, inversion_frontier.csv and inversion_frontier.png.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from privaudit.data import load_images, read_set
from privaudit.execution.live_memory import LiveMemory
from privaudit.inversion import Inversion, invert
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.model.ddim import ddim_sample
from privaudit.model.noise import normal_for
from privaudit.model.target import Target

OPEN = ":tolerance=0"
"""Run the whole budget, for curves."""


@dataclass(frozen=True)
class Material:
    """A target with images to invert."""

    name: str
    target: Target
    latents: Tensor
    own: Tensor
    real: Tensor


def load(folder: Path, images: int, device: str) -> Material:
    """Generate own images and read held-out ones."""
    target = load_target(ModelSource(folder, device=device))
    noise = normal_for(0, [f"benchmark {n}" for n in range(images)], target.info.latent_shape, "generation")
    latents = ddim_sample(target, noise, 50)
    with torch.no_grad():
        own = target.decode(latents)
    with tempfile.TemporaryDirectory() as temporary:
        heldout = folder / "heldout.csv"
        source = heldout if heldout.exists() else unpack_demo_images(Path(temporary)).nonmembers
        found = read_set(source, target.info.image_size).samples
        picked = found[:: max(1, len(found) // images)][:images]
        real = torch.from_numpy(load_images(picked, target.info.image_size)).to(target.device)
    return Material("demo" if folder == TARGET else folder.name, target, latents, own, real)


def clock(device: torch.device) -> float:
    """Seconds: of the process on a CPU, of the wall on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def timed(device: torch.device, run: Callable[[], Inversion]) -> tuple[Inversion, float]:
    """Run and time."""
    started = clock(device)
    found = run()
    return found, clock(device) - started


def peak(device: torch.device, run: Callable[[], object]) -> float:
    """Peak MiB of a run, without weights and inputs on a CPU, above what is allocated on a GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with LiveMemory() as memory:
        run()
    return memory.peak / 2**20


def least(found: Inversion) -> Tensor:
    """Least residual up to each evaluation, ``(n, k)``."""
    return found.residuals.nan_to_num(nan=torch.inf).cummin(dim=1).values


def evaluations_to(found: Inversion, wanted: Tensor) -> Tensor:
    """Evaluations until each image has a residual of at most ``wanted``; infinite if never."""
    reached = least(found) <= wanted[:, None]
    first = reached.float().argmax(dim=1) + 1.0
    return torch.where(reached.any(dim=1), first, torch.inf)


def against_adam(material: Material) -> list[str]:
    """Evaluations and time to what the paper's Adam reaches."""
    target, device = material.target, material.target.device
    lines = [
        "| images | solver | evaluations to Adam's residual after 100, median (90 %) of images | share of 100 | "
        "time to Adam's median residual after 50, over Adam's |",
        "|---|---|---|---|---|",
    ]
    for name, images in (("own generations", material.own), ("held-out", material.real)):
        hundred = invert(target, images, f"adam:evaluations=100{OPEN}")
        fifty, adam_seconds = timed(device, lambda images=images: invert(target, images, f"adam:evaluations=50{OPEN}"))
        for solver in ("forward-step", "krasnoselskii-mann", "anderson", "pixel-mixing"):
            found = invert(target, images, f"{solver}:evaluations=100{OPEN}")
            needed = evaluations_to(found, hundred.residual)
            middle, most = (float(torch.quantile(needed, q, interpolation="lower")) for q in (0.5, 0.9))
            medians = least(found).median(dim=0).values
            enough = int((medians <= fifty.residual.median()).float().argmax()) + 1
            spec = f"{solver}:evaluations={enough}{OPEN}"
            _, seconds = timed(device, lambda images=images, spec=spec: invert(target, images, spec))
            lines.append(
                f"| {name} | {solver} | {middle:.0f} ({most:.0f}) | {middle / 100:.2f} | "
                f"{seconds / adam_seconds:.3f} ({enough} evaluations) |"
            )
    return lines


BUDGETS = {
    "encoder": (1,),
    "forward-step": (5, 20, 50, 100),
    "krasnoselskii-mann": (5, 20, 50, 100),
    "adam": (20, 50, 100, 200),
    "anderson": (3, 5, 10, 20, 50, 100),
    "anderson, memory 20": (50, 100),
    "pixel-mixing": (5, 10, 20, 50, 100),
    "pixel-mixing, memory 20": (50, 100),
    "gradient": (20, 50, 100, 200, 400),
    "gradient, fixed rate .01": (100, 400),
}


def specification(label: str, budget: int) -> str:
    """Solver specification of a row of `BUDGETS`."""
    name, _, extra = label.partition(", ")
    options = {"memory 20": ":memory=20", "fixed rate .01": ":rate=0.01:schedule=false"}.get(extra, "")
    return f"{name}:evaluations={budget}{options}" + (OPEN if name != "gradient" else "")


def frontier(material: Material) -> pd.DataFrame:
    """NMSE to the true latents, time and memory of every solver and budget, on own generations."""
    target, device = material.target, material.target.device
    _, unit = timed(device, lambda: invert(target, material.own, "forward-step:evaluations=1" + OPEN))
    rows = []
    for label, budgets in BUDGETS.items():
        memory = peak(
            device,
            lambda label=label, budget=min(6, max(budgets)): invert(target, material.own, specification(label, budget)),
        )
        for budget in budgets:
            found, seconds = timed(
                device,
                lambda label=label, budget=budget: invert(
                    target, material.own, specification(label, budget), truth=material.latents
                ),
            )
            assert found.nmse is not None
            rows.append({
                "solver": label,
                "evaluations": budget,
                "time": seconds / unit,
                "memory": memory,
                "nmse_mean": float(found.nmse.mean()),
                "nmse_median": float(found.nmse.median()),
                "pixel_residual": float(found.pixel_residual.median()),
                "residual": float(found.residual.median()),
            })
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def frontier_table(rows: pd.DataFrame) -> list[str]:
    """The frontier as Markdown; time and memory are ratios to one evaluation and to the encoder's."""
    base = float(rows.loc[rows["solver"] == "encoder", "memory"].iloc[0])
    lines = [
        "| solver | evaluations | time | peak memory | NMSE dB, mean (median) | pixel residual | residual |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.solver} | {row.evaluations} | {row.time:.1f} | {row.memory / base:.2f} | {row.nmse_mean:.2f} "
            f"({row.nmse_median:.2f}) | {row.pixel_residual:.5f} | {row.residual:.5f} |"
        )
    return lines


def against_gradient(rows: pd.DataFrame) -> list[str]:
    """For each budget of the gradient baseline, the cheapest gradient-free run of at most its NMSE."""
    free = rows[~rows["solver"].str.startswith("gradient")]
    lines = [
        "| gradient | its NMSE dB | cheapest gradient-free run as good | time | peak memory |",
        "|---|---|---|---|---|",
    ]
    for row in rows[rows["solver"].str.startswith("gradient")].itertuples():
        good = free[free["nmse_mean"] <= row.nmse_mean]
        label = f"| {row.solver}, {row.evaluations} | {row.nmse_mean:.2f} |"
        if good.empty:
            lines.append(f"{label} none | – | – |")
            continue
        best = good.loc[good["time"].idxmin()]
        cells = f" {best['solver']}, {best['evaluations']} ({best['nmse_mean']:.2f} dB) |"
        lines.append(f"{label}{cells} {best['time'] / row.time:.2f} | {best['memory'] / row.memory:.2f} |")
    return lines


def draw(rows: pd.DataFrame, path: Path) -> None:
    """NMSE against time, one line a solver."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for label, part in rows.groupby("solver", sort=False):
        style = "--" if str(label).startswith("gradient") else "-"
        axes.plot(part["time"], part["nmse_mean"], marker="o", linestyle=style, label=label)
    axes.set(
        xscale="log",
        xlabel="time, in evaluations of E(D(z)) of the whole batch",
        ylabel="NMSE to the true latents, dB (mean)",
        title="Accuracy against time, own generations; dashed: by backpropagation",
    )
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=110)


def batching(material: Material) -> str:
    """64 images at once against one by one, same work."""
    target, device = material.target, material.target.device
    images = torch.cat([material.own, material.real])
    images = images.repeat(-(-64 // len(images)), 1, 1, 1)[:64]
    spec = f"anderson:evaluations=5{OPEN}"
    invert(target, images[:2], spec)
    _, together = timed(device, lambda: invert(target, images, spec))
    started = clock(device)
    for image in images.split(1):
        invert(target, image, spec)
    return f"64 images in one batch took {together / (clock(device) - started):.2f} of the time of 64 single ones."


def by_target(materials: list[Material]) -> list[str]:
    """What the default has to fit: every solver on every autoencoder."""
    lines = [
        "| target | images | solver | residual after 1 | 5 | 10 | 20 | converged (.01) | evaluations, mean |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for material in materials:
        for name, images in (("own", material.own), ("held-out", material.real)):
            for solver in ("forward-step", "krasnoselskii-mann", "adam", "anderson", "pixel-mixing"):
                curve = least(invert(material.target, images, f"{solver}:evaluations=20{OPEN}", clip=name != "own"))
                medians = " | ".join(f"{float(curve[:, k - 1].median()):.4f}" for k in (1, 5, 10, 20))
                stopped = invert(material.target, images, f"{solver}:evaluations=20:tolerance=0.01", clip=name != "own")
                share, mean = float(stopped.converged.float().mean()), float(stopped.evaluations.float().mean())
                lines.append(f"| {material.name} | {name} | {solver} | {medians} | {share:.0%} | {mean:.1f} |")
                print(lines[-1], flush=True)
    return lines


def assumption(materials: list[Material], images: int) -> list[str]:
    """Cocoercivity of every target."""
    lines = ["| target | images | cocoercivity: least | median | share positive |", "|---|---|---|---|---|"]
    for material in materials:
        for name, part in (("own", material.own), ("held-out", material.real)):
            found = invert(material.target, part[:images], "forward-step", with_cocoercivity=True).cocoercivity
            assert found is not None
            cells = f"{float(found.min()):.3f} | {float(found.median()):.3f} | {float((found > 0).float().mean()):.0%}"
            lines.append(f"| {material.name} | {name} | {cells} |")
            print(lines[-1], flush=True)
    return lines


def sixteen_bits(material: Material, folder: Path) -> list[str]:
    """A target's autoencoder in 16 bit."""
    lines = ["| type | NMSE dB, mean | residual, median | peak memory | outcomes |", "|---|---|---|---|---|"]
    base, device = None, material.target.device
    for dtype in ("float32", "bfloat16", "float16"):
        autoencoder = load_autoencoder(ModelSource(folder, device=device.type, dtype=dtype, upcast=False))
        found = invert(autoencoder, material.own, f"anderson:evaluations=20{OPEN}", truth=material.latents)
        memory = peak(device, lambda a=autoencoder: invert(a, material.own, f"anderson:evaluations=3{OPEN}"))
        base = base or memory
        counts = {name: found.outcomes.count(name) for name in dict.fromkeys(found.outcomes)}
        text = ", ".join(f"{count} {name}" for name, count in counts.items())
        assert found.nmse is not None
        lines.append(
            f"| {dtype} | {float(found.nmse.mean()):.2f} | {float(found.residual.median()):.5f} | "
            f"{memory / base:.2f} | {text} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", type=Path, default=[])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    if options.device == "cpu" or not torch.cuda.is_available():
        torch.set_num_threads(1)
    materials = [load(folder, options.images, options.device) for folder in [TARGET, *options.targets]]
    demo = materials[0]
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.cuda.get_device_name() if demo.target.device.type == "cuda" else f"{platform.machine()}, 1 thread"
    sections = {"To the residual of the paper's Adam": against_adam(demo)}
    rows = frontier(demo)
    rows.round(6).to_csv(options.out / "inversion_frontier.csv", index=False)
    draw(rows, options.out / "inversion_frontier.png")
    sections |= {
        "Against the gradient": against_gradient(rows),
        "Every solver and budget": frontier_table(rows),
        "Batches": [batching(demo)],
        "16 bit": sixteen_bits(demo, TARGET),
        "Every target": by_target(materials),
        "Cocoercivity": assumption(materials, min(8, options.images)),
    }
    where = f"torch {torch.__version__}, Python {platform.python_version()}, {device} of {os.cpu_count()} cores"
    lines = [f"{options.images} own generations and as many held-out images a target; {where}."]
    for title, part in sections.items():
        lines += ["", f"## {title}", *part]
    (options.out / "inversion.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
