"""What the checks of a scan say if the demo target is read otherwise than it was trained.

    python benchmarks/misread_models.py [--out FILE]

A quarter of the demo's images (275 + 275), SimA alone. Every row overrides one thing in the target's configuration and
keeps its weights.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

import torch

import privaudit
from privaudit.lab.demo_target import TARGET, unpack_demo_images

IMAGES = 275
SCALED_LINEAR = {
    "scheduler.beta_schedule": "scaled_linear",
    "scheduler.beta_start": 0.00085,
    "scheduler.beta_end": 0.012,
}
READINGS = {
    "as trained": {},
    "scaling_factor .18215 (trained: .512)": {"vae.scaling_factor": 0.18215},
    "scaling_factor .35": {"vae.scaling_factor": 0.35},
    "scaling_factor .73": {"vae.scaling_factor": 0.73},
    "v_prediction (trained: epsilon)": {"scheduler.prediction_type": "v_prediction"},
    "sample": {"scheduler.prediction_type": "sample"},
    "Stable Diffusion's schedule (trained: linear, .0001 to .02)": SCALED_LINEAR,
    "beta_end .012": {"scheduler.beta_end": 0.012},
    "500 levels (trained: 1000)": {"scheduler.num_train_timesteps": 500},
    "beta_start .0005": {"scheduler.beta_start": 0.0005},
    "zero terminal SNR": {"scheduler.rescale_betas_zero_snr": True},
}


def subset(source: Path, folder: Path) -> Path:
    """Copy some images, the same ones every time, from all photographs."""
    folder.mkdir(parents=True)
    shuffled = sorted(source.iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    for path in shuffled[:IMAGES]:
        shutil.copy(path, folder)
    return folder


def main() -> None:
    """Scan under every reading, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads",
        "",
        "| the demo target read with | finding | SimA AUROC | latent scale | prediction |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        images = unpack_demo_images(root / "images")
        members, nonmembers = (subset(getattr(images, name), root / name) for name in ("members", "nonmembers"))
        for number, (reading, overrides) in enumerate(READINGS.items()):
            result = privaudit.audit(
                TARGET,
                members,
                nonmembers,
                root / f"run{number}",
                attacks=("sima",),
                geometry_latents="encoder",
                overrides=overrides,
                device="cpu",
            )
            area = result.attacks[0].masks["none"].auroc
            checks = {check.name: check for check in result.checks}
            cells = [
                f"{checks[name].status}: "
                + "; ".join(f"{fact.code} {_numbers(fact.values)}" for fact in checks[name].facts)
                for name in ("latent scale", "prediction")
            ]
            level = result.verdict.finding.level
            row = f"| {reading} | {level} | {area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}] | {' | '.join(cells)} |"
            print(row, flush=True)
            lines.append(row)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


def _numbers(values: object) -> str:
    pairs = dict(values).items()  # type: ignore[call-overload]  # a mapping
    return ", ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in pairs)


if __name__ == "__main__":
    main()
