"""What each attack found on each target, from run folders. For docs/attacks.md.

    privaudit scan TARGET --members ... --nonmembers ... --attack all --out runs/NAME
    python benchmarks/attack_tables.py runs/NAME ... [--csv FILE] > benchmarks/results/attacks.md

Prints, for every run, AUROC and TPR@1%FPR with intervals by attack and mask; and by how much each score that is not a
published attack exceeds the best published one under the influence mask: ratios of the true-positive rates with 95 %
intervals from a stratified bootstrap of the saved scores. The best attack is the best at that very rate, so that the
comparison is the hardest.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd

from privaudit.evaluation import Replicates, stratified_bootstrap, tpr_at_fpr
from privaudit.result import AttackReport, AuditResult

MASKS = ("none", "random", "influence", "weighted")
FPRS = (0.01, 0.001)
REPLICATES = 4000


def table(name: str, result: AuditResult) -> list[str]:
    """One row an attack: AUROC / TPR@1%FPR of each mask."""
    lines = [
        f"### {name}",
        "",
        f"{result.target.family}, {result.target.prediction_type}; {result.data.members} members, "
        f"{result.data.nonmembers} held out; blind baseline {result.blind.auroc.value:.3f}.",
        "",
        "| attack | at | passes | " + " | ".join(MASKS) + " |",
        "|---|---|---|" + "---|" * len(MASKS),
    ]
    for report in result.attacks:
        cells = [_cell(report, mask) for mask in MASKS]
        lines.append(f"| {report.name} | {_where(report)} | {report.passes or ''} | " + " | ".join(cells) + " |")
    return lines + [f"\n`{item.name}` did not run: {item.reason}." for item in result.refused]


def _where(report: AttackReport) -> str:
    if not report.levels_by_fold:
        return ""
    chosen = "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))
    return chosen if report.axis == "level" else f"{report.axis} {chosen}"


def _cell(report: AttackReport, mask: str) -> str:
    if mask not in report.masks:
        return ""
    metrics = report.masks[mask]
    return " / ".join(
        "n/a" if math.isnan(found.value) else f"{found.value:.3f} [{found.lo:.3f}, {found.hi:.3f}]"
        for found in (metrics.auroc, metrics.tpr_at_fpr["0.01"])
    )


def rows(name: str, result: AuditResult) -> list[dict[str, object]]:
    """One row an attack and mask, for the CSV file."""
    found = []
    for report in result.attacks:
        for mask, metrics in report.masks.items():
            row: dict[str, object] = {"target": name, "attack": report.name, "mask": mask, "level": report.level}
            row |= {"auroc": metrics.auroc.value, "auroc_lo": metrics.auroc.lo, "auroc_hi": metrics.auroc.hi}
            for fpr in FPRS:
                rate = metrics.tpr_at_fpr[f"{fpr:g}"]
                row |= {f"tpr@{fpr:g}": rate.value, f"tpr@{fpr:g}_lo": rate.lo, f"tpr@{fpr:g}_hi": rate.hi}
            found.append(row)
    return found


def ratios(folder: Path, result: AuditResult) -> list[str]:
    """TPR of every other score over that of the best published attack under the paper's mask, with intervals."""
    scores = pd.read_parquet(folder / "scores" / "scores.parquet")
    kinds = {report.name: report.kind for report in result.attacks}
    columns = {
        f"{attack}/{mask}": part.set_index("id")["score"]
        for (attack, mask), part in scores.groupby(["attack", "mask"])
        if (kinds[attack] == "published" and mask == "influence") or (kinds[attack] != "published" and mask == "none")
    }
    wide = pd.DataFrame(columns)
    member = (scores.drop_duplicates("id").set_index("id")["set"].reindex(wide.index) == "member").to_numpy()
    values = {name: wide[name].to_numpy() for name in wide}
    drawn = stratified_bootstrap(values, member, FPRS, REPLICATES, 0)
    lines = [
        "| score | " + " | ".join(f"TPR@{100 * fpr:g}%FPR, ratio to the best masked attack" for fpr in FPRS) + " |"
    ]
    lines.append("|---|" + "---|" * len(FPRS))
    for name in [name for name in values if name.endswith("/none")]:
        cells = [_ratio(values, member, drawn, name, fpr) for fpr in FPRS]
        lines.append(f"| {name.removesuffix('/none')} | " + " | ".join(cells) + " |")
    return lines


def _ratio(values: dict[str, np.ndarray], member: np.ndarray, drawn: Replicates, name: str, fpr: float) -> str:
    rates = {key: tpr_at_fpr(score, member, fpr).tpr for key, score in values.items()}
    rival = max((key for key in values if key.endswith("/influence")), key=lambda key: rates[key])
    place = drawn.fprs.index(fpr)
    own, other = (drawn.tpr[drawn.names.index(key), place] for key in (name, rival))
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.where(other > 0, own / other, np.where(own > 0, np.inf, 1.0))
        ratio = rates[name] / rates[rival]
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return f"{rates[name]:.3f} / {rates[rival]:.3f} ({rival.split('/')[0]}) = {ratio:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Print the tables of every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    found = []
    for folder in options.runs:
        result = AuditResult.load(folder)
        found += rows(folder.name, result)
        print("\n".join([*table(folder.name, result), "", *ratios(folder, result), ""]))
    if options.csv:
        pd.DataFrame(found).to_csv(options.csv, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
