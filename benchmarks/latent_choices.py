"""The four choices of latents on the demo target: a table for docs/lab.md.

    python benchmarks/latent_choices.py [--out FILE]

Geometry at the encoder's or the inverted latent x attack at the encoder's or the inverted latent, SimA with
its level cross-fitted. All runs share one folder, so each stage runs once.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from privaudit import AuditOptions, run_audit
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.results.audit_result import AttackReport

MASKS = ("none", "random", "influence", "weighted")


def row(label: str, report: AttackReport) -> str:
    """AUROC and TPR@1%FPR of every mask, with intervals."""
    cells = []
    for mask in MASKS:
        area, rate = report.masks[mask].auroc, report.masks[mask].tpr_at_fpr["0.01"]
        cells.append(
            f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}] / {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
        )
    return f"| {label} | {report.level:g} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run the scans and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--run", type=Path, default=Path("privaudit-runs/latent-choices"))
    options = parser.parse_args()
    images = unpack_demo_images(options.run / "images")
    base = AuditOptions.parse(
        target=str(TARGET), members=images.members, nonmembers=images.nonmembers, out=options.run, attacks=("sima",)
    )
    header = "| {} | level | none | random | influence | weighted |\n|---|---|---|---|---|---|"
    lines = [header.format("geometry at, attack at")]
    for attack in ("encoder", "inversion"):
        for geometry in ("encoder", "inversion"):
            result = run_audit(replace(base, attack_latents=attack, geometry_latents=geometry))
            lines.append(row(f"{geometry}, {attack}", result.attacks[0]))
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
