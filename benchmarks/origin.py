"""How well inversion tells a target's own generations from other images. A table for docs/inversion.md.

    python benchmarks/origin.py [TARGET ...] [--images 200] [--out FILE]

TARGET is a lab target's folder; the demo target comes first. For each target: its own generations (positive)
against held-out photographs and against the generations of every other target; and against own generations that
were saved as JPEG or made brighter, which the statistic should still recognise as own but does not have to.
"""

from __future__ import annotations

import argparse
import io
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from privaudit.data import load_images, read_set
from privaudit.evaluation import assign_folds, compare, evaluate
from privaudit.inversion import SOLVERS
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import load_target
from privaudit.model.target import Target
from privaudit.tasks.origin_options import SOLVER
from privaudit.tasks.origin_test import scores
from privaudit.tasks.origin_traces import Traces, generate, to_eight_bits, trace

COMPARED = {
    "anderson, 10": SOLVER,
    "anderson, 5": "anderson:evaluations=5:tolerance=0",
    "pixel-mixing, 10": "pixel-mixing:evaluations=10:tolerance=0",
    "gradient, 30": "gradient:evaluations=30",
}


def jpeg(images: Tensor, quality: int) -> Tensor:
    """Save as JPEG and read again."""
    pixels = ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    found = []
    for picture in pixels:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0)
        found.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 127.5 - 1


def traces(target: Target, images: Tensor, spec: str) -> Traces:
    """Trace in batches."""
    parts = [trace(target, part, SOLVERS.build(spec), [str(n) for n in range(len(part))]) for part in images.split(64)]
    names = ("encoder", "inverted", "residual")
    return Traces(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def row(label: str, own: Traces, others: Traces, statistics: tuple[str, ...]) -> list[str]:
    """AUROC and TPR of each statistic, and the gain of the first over the last."""
    count = len(own.encoder)
    is_own = np.arange(count + len(others.encoder)) < count
    folds = assign_folds([str(n) for n in range(len(is_own))], is_own)
    both = {name: np.concatenate([scores(own)[name], scores(others)[name]]) for name in statistics}
    evaluation = evaluate(both, is_own, folds)
    cells = []
    for name in statistics:
        area, rate = evaluation.metrics[name].auroc, evaluation.metrics[name].tpr_at_fpr["0.01"]
        cells.append(f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}] / {rate.value:.2f}")
    gain = compare(evaluation, statistics[0], statistics[-1]).auroc_delta
    cells.append(f"{gain.value:+.3f} [{gain.lo:+.3f}, {gain.hi:+.3f}]")
    return [f"| {label} | {' | '.join(cells)} |"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", type=Path, default=[])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    count = options.images
    targets = {
        "demo" if folder == TARGET else str(folder.name): load_target(folder) for folder in [TARGET, *options.targets]
    }
    made = {
        name: torch.cat([
            generate(target, [f"{n}" for n in range(start, min(start + 64, count))], 50, None, 0)
            for start in range(0, count, 64)
        ])
        for name, target in targets.items()
    }
    with tempfile.TemporaryDirectory() as temporary:
        size = targets["demo"].info.image_size
        samples = sorted(read_set(unpack_demo_images(Path(temporary)).nonmembers, size).samples, key=lambda s: s.id)
        real = torch.from_numpy(load_images(samples[:count], size))
    statistics = ("remaining", "inverted", "residual", "encoder")
    where = f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}"
    lines = [
        f"{count} images a row, AUROC [95 %] / TPR@1%FPR of own generations; {where}.",
        "",
        "| target: own generations against | share that remains | error after inversion | fixed-point residual | "
        "encoder's error | gain of the first over the last, AUROC |",
        "|---|---|---|---|---|---|",
    ]
    for name, target in targets.items():
        own = traces(target, made[name], SOLVER)
        for other, images in [
            ("held-out photographs", real),
            *((f"generations of {n}", made[n]) for n in made if n != name),
        ]:
            lines += row(f"{name}: {other}", own, traces(target, images, SOLVER), statistics)
            print(lines[-1], flush=True)
    demo, own = targets["demo"], made["demo"]
    lines += ["", "Solvers, demo target, own generations against held-out photographs:", "", lines[2], lines[3]]
    lines[-2] = lines[-2].replace("target: own generations against", "solver, evaluations")
    for label, spec in COMPARED.items():
        lines += row(label, traces(demo, own, spec), traces(demo, real, spec), statistics)
        print(lines[-1], flush=True)
    lines += [
        "",
        "Changed after the generation, demo target, against held-out photographs changed alike:",
        "",
        lines[2],
        lines[3],
    ]
    lines[-2] = lines[-2].replace("target: own generations against", "change")
    changes = {
        "JPEG 95": lambda images: jpeg(images, 95),
        "JPEG 75": lambda images: jpeg(images, 75),
        "brighter by 5 %": lambda images: to_eight_bits(images * 1.05),
        "mirrored": lambda images: images.flip(-1),
    }
    for label, change in changes.items():
        lines += row(label, traces(demo, change(own), SOLVER), traces(demo, change(real), SOLVER), statistics)
        print(lines[-1], flush=True)
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
