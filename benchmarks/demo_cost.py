"""Time and memory of the demo, where they go, and that cost grows linearly with images.

    python benchmarks/demo_cost.py [--out FILE] [--run FOLDER]

Runs `privaudit demo --fresh` as a user does, then scans a quarter and a half of its images with the same
target. Times of one run are compared with each other; absolute ones belong to this machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from privaudit.lab.demo_target import TARGET, unpack_demo_images


def run(arguments: list[str]) -> tuple[float, dict[str, float]]:
    """Run a privaudit command; wall-clock seconds and the report's timing."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "privaudit", *arguments, "--json", "--quiet"], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - started, json.loads(done.stdout)["timing"]


def subset(source: Path, folder: Path, share: float) -> Path:
    """Copy the first files of a folder."""
    files = sorted(source.iterdir())
    folder.mkdir(parents=True)
    for path in files[: round(share * len(files))]:
        shutil.copy(path, folder)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--run", type=Path, help="keep the demo's run folder here")
    options = parser.parse_args()
    lines = [
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads"
    ]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        whole, timing = run(["demo", "--out", str(options.run or root / "demo"), "--fresh"])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20  # Linux counts in KiB
        lines.append(f"demo: {whole:.0f} s, peak memory {peak:.2f} GiB")
        total = sum(timing.values())
        lines += [f"  {stage:<11} {seconds:7.1f} s {seconds / total:6.1%}" for stage, seconds in timing.items()]
        images = unpack_demo_images(root / "images")
        stages: dict[float, float] = {1.0: timing["latents"] + timing["influence"] + timing["scores"]}
        for share in (0.25, 0.5):
            sets = {
                name: subset(getattr(images, name), root / f"{name}{share}", share)
                for name in ("members", "nonmembers")
            }
            _, timing = run([
                "scan",
                str(TARGET),
                "--members",
                str(sets["members"]),
                "--nonmembers",
                str(sets["nonmembers"]),
                "--out",
                str(root / f"run{share}"),
            ])
            stages[share] = timing["latents"] + timing["influence"] + timing["scores"]
        for share, seconds in sorted(stages.items()):
            lines.append(
                f"{share:4.0%} of the images: model stages take {seconds / stages[1.0]:.2f} of the whole's time"
            )
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
