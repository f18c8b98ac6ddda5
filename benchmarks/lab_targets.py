"""Train a class-conditional DiT and a LoRA with known members, scan both, and sweep the LoRA's checkpoints.

    python benchmarks/lab_targets.py --work FOLDER [--out FILE] [--picture FILE]

FOLDER keeps the trainings and scans, so that the same command resumes. All is done by commands of privaudit, which
the result lists. The base of the LoRA has seen neither members nor held-out images.
"""

from __future__ import annotations

import argparse
import math
import platform
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

import privaudit
from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.lab.demo_target import TARGET
from privaudit.results.audit_result import AuditResult

SETS = "--images photos --members 300 --heldout 300"
COMMON = f"{SETS} --autoencoder-from {TARGET}"
TRAININGS = (
    "lab photographs --out photos",
    f"lab train {COMMON} --family class --denoiser-width 128 --denoiser-layers 4 --denoiser-steps 4000 --rate 5e-4 "
    "--out dit",
    f"lab train {COMMON} --family text --denoiser-images auxiliary --denoiser-steps 1200 --out base",
    f"lab train {SETS} --family text --base base --lora-rank 16 --batch 32 --denoiser-steps 1600 --rate 1e-3 "
    "--ema-decay 0.99 --snapshot 100 --snapshot 200 --snapshot 400 --snapshot 800 --out lora",
)
ATTACKS = "--attack loss --attack sima --attack pia --attack mirror --attack combined"
SCANS = {
    "DiT, class-conditional": "scan dit --members dit/members.csv --nonmembers dit/heldout.csv --out runs/dit",
    "LoRA of rank 16, its base as reference": (
        "scan base --lora lora/pytorch_lora_weights.safetensors --members lora/members.csv --nonmembers "
        "lora/heldout.csv --out runs/lora"
    ),
    "the base alone": "scan base --members lora/members.csv --nonmembers lora/heldout.csv --out runs/base",
}
SWEEP = (
    "sweep lora --checkpoints --base base --members lora/members.csv --nonmembers lora/heldout.csv --attack sima "
    "--attack loss --out runs/steps"
)


def run(command: str, work: Path) -> None:
    """Run a command of privaudit in the work folder."""
    options = [] if " photographs " in command else ["--quiet"]
    subprocess.run(
        [sys.executable, "-m", "privaudit", *shlex.split(command), *options], cwd=work, check=True, stdout=sys.stderr
    )


def rows(result: AuditResult) -> list[str]:
    """List AUROC and TPR at 1 % FPR of every score without a mask."""
    lines = []
    for report in result.attacks:
        metrics = report.masks["none"]
        lines.append(f"| {report.name} | {cell(metrics.auroc)} | {cell(metrics.tpr_at_fpr['0.01'])} |")
    return lines


def cell(estimate: Estimate | RateEstimate) -> str:
    """Write an estimate with its interval, if there are enough images for one."""
    return f"{estimate.value:.3f}" + ("" if math.isnan(estimate.lo) else f" [{estimate.lo:.3f}, {estimate.hi:.3f}]")


def main() -> None:
    """Train, scan, and print a table per target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    scans = {name: f"{command} {ATTACKS}" for name, command in SCANS.items()}
    for command in (*TRAININGS, *scans.values(), SWEEP):
        run(command, arguments.work)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "peft"))
    lines = [
        f"{packages}, Python {platform.python_version()}, {platform.machine()}, {torch.get_num_threads()} threads; "
        f"privaudit {privaudit.__version__}. Made by `benchmarks/lab_targets.py`:",
        "",
        "```",
        *(f"privaudit {each.replace(str(TARGET), '$demo')}" for each in (*TRAININGS, *scans.values(), SWEEP)),
        "```",
    ]
    for name, command in scans.items():
        folder = arguments.work / shlex.split(command)[shlex.split(command).index("--out") + 1]
        result = AuditResult.from_json((folder / "report.json").read_text())
        checks = ", ".join(check.name for check in result.checks if check.status == "fail") or "none"
        lines += ["", f"## {name}", f"Finding: {result.verdict.finding.level}; failed checks: {checks}.", ""]
        lines += ["| attack | AUROC [95 %] | TPR at 1 % FPR [95 %] |", "|---|---|---|", *rows(result)]
    table = (arguments.work / "runs" / "steps" / "checkpoints.csv").read_text()
    lines += ["", "## The LoRA against its training step", "```", table.strip(), "```"]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)
    if arguments.picture is not None:
        shutil.copy(arguments.work / "runs" / "steps" / "checkpoints.png", arguments.picture)


if __name__ == "__main__":
    main()
