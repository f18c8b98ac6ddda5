"""AUROC and TPR@1%FPR against training steps of the denoiser, for docs/lab.md.

    privaudit lab photographs --out photographs
    privaudit lab train --images photographs --out target --snapshot 1000 --snapshot 2000 ...
    python benchmarks/leak_curve.py target target/snapshots/*

Scans each snapshot with the default attacks and prints a Markdown table; latents and geometry are computed
once, since the snapshots share their autoencoder. `--csv FILE` keeps the numbers.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import pandas as pd
import torch

from privaudit import AuditOptions, run_audit
from privaudit.results.audit_result import AuditResult

MASKS = ("none", "random", "influence", "weighted")


def scan(target: Path, manifests: Path, out: Path) -> AuditResult:
    """Scan one snapshot, in a run folder that all snapshots share."""
    return run_audit(
        AuditOptions(
            target=str(target), members=manifests / "members.csv", nonmembers=manifests / "heldout.csv", out=out
        )
    )


def rows(step: int, result: AuditResult) -> list[dict[str, object]]:
    """One row an attack and mask."""
    found = []
    for attack in result.attacks:
        for mask, metrics in attack.masks.items():
            rate = metrics.tpr_at_fpr["0.01"]
            found.append({
                "step": step,
                "attack": attack.name,
                "mask": mask,
                "level": attack.level,
                "auroc": metrics.auroc.value,
                "auroc_lo": metrics.auroc.lo,
                "auroc_hi": metrics.auroc.hi,
                "tpr": rate.value,
                "tpr_lo": rate.lo,
                "tpr_hi": rate.hi,
                "blind_auroc": result.blind.auroc.value,
                "quartiles": " ".join(f"{stratum.auroc.value:.3f}" for stratum in attack.distortion_quartiles),
            })
    return found


def markdown(table: pd.DataFrame, attack: str) -> str:
    """AUROC / TPR@1%FPR by step and mask, with the AUROC's interval for no mask."""
    lines = [f"| steps ({attack}) | none | random | influence | weighted |", "|---|---|---|---|---|"]
    own = table[table["attack"] == attack]
    for step, part in own.groupby("step"):
        cells = []
        for mask in MASKS:
            if mask not in set(part["mask"]):  # a learned score weighs the dimensions itself
                cells.append("")
                continue
            row = part[part["mask"] == mask].iloc[0]
            interval = f" [{row.auroc_lo:.3f}, {row.auroc_hi:.3f}]" if mask == "none" else ""
            cells.append(f"{row.auroc:.3f}{interval} / {row.tpr:.3f}")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Scan every snapshot and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, help="folder with members.csv and heldout.csv")
    parser.add_argument("snapshots", type=Path, nargs="+", help="diffusers folders named by their step")
    parser.add_argument("--out", type=Path, default=Path("privaudit-runs/leak-curve"))
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    found = []
    for snapshot in sorted(options.snapshots, key=lambda path: int(path.name)):
        found += rows(int(snapshot.name), scan(snapshot, options.manifests, options.out))
        table = pd.DataFrame(found)
        if options.csv:
            table.to_csv(options.csv, index=False, float_format="%.5f")
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads\n"
    )
    for attack in table["attack"].unique():
        print(markdown(table, attack), end="\n\n")


if __name__ == "__main__":
    main()
