"""What each attack found on each target, from run folders. For docs/attacks.md.

    privaudit scan TARGET --members ... --nonmembers ... --attack all --out runs/NAME
    python benchmarks/attack_tables.py runs/NAME ... [--csv FILE] > benchmarks/results/attacks.md

Prints, for every run, AUROC and TPR@1%FPR with intervals by attack and mask; and by how much each score that is not a
published attack exceeds the best published one under the influence mask: ratios of the true-positive rates with 95 %
intervals from a stratified bootstrap of the saved scores. The best attack is the best at that very rate, so that the
comparison is the hardest. Folds, and images that belong together, are those that the run saved; a run of before
schema 4 saved none, so that its images are taken as independent.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from privaudit.evaluation import Metrics, Replicates, assign_folds, evaluate, stratified_bootstrap, tpr_at_fpr

MASKS = ("none", "random", "influence", "weighted")
FPRS = (0.01, 0.001)
REPLICATES = 4000


@dataclass(frozen=True)
class Run:
    """A scan: its report, and its scores measured once more, so that old reports have today's intervals.

    Attributes:
        name: Of the folder.
        report: ``report.json``.
        member: ``(n,)``.
        scores: ``ATTACK/MASK`` to ``(n,)``.
        metrics: The same.
        units: ``(n,)``, labels of images that belong together; None if each is by itself.
    """

    name: str
    report: dict[str, Any]
    member: np.ndarray
    scores: dict[str, np.ndarray]
    metrics: Mapping[str, Metrics]
    units: np.ndarray | None


def load(folder: Path) -> Run:
    """Read a run folder."""
    report = json.loads((folder / "report.json").read_text())
    table = pd.read_parquet(folder / "scores" / "scores.parquet")
    wide = table.assign(name=table["attack"] + "/" + table["mask"]).pivot(index="id", columns="name", values="score")
    member = (table.drop_duplicates("id").set_index("id")["set"].reindex(wide.index) == "member").to_numpy()
    scores = {name: wide[name].to_numpy() for name in wide}
    learned = [
        f"{attack['name']}/{mask}" for attack in report["attacks"] for mask in attack["masks"] if _fitted(attack)
    ]
    spreads = {f"{attack['name']}/{mask}": attack.get("spread", 1.0) for attack in report["attacks"] for mask in MASKS}
    samples = pd.read_parquet(folder / "samples.parquet").set_index("id").reindex(wide.index)
    folds, units = assign_folds(list(wide.index), member), None
    if "unit" in samples:
        folds = samples["fold"].to_numpy(int)
        units = samples["unit"].where(samples["unit"].notna(), samples.index.to_series()).to_numpy(str)
    evaluation = evaluate(
        scores,
        member,
        folds,
        fprs=FPRS,
        replicates=2000,
        learned=learned,
        inflation={name: spread for name, spread in spreads.items() if spread > 1.0},
        units=units,
    )
    return Run(folder.name, report, member, scores, evaluation.metrics, units)


def _fitted(attack: Mapping[str, Any]) -> bool:
    """Whether a score is by models of the other folds, of which members were a part."""
    return attack["name"] in ("combined", "gsa")


def table(run: Run) -> list[str]:
    """One row an attack: AUROC / TPR@1%FPR of each mask."""
    target, data = run.report["target"], run.report["data"]
    members = data.get("positives", data.get("members"))  # the former name, of schema 4
    lines = [
        f"### {run.name}",
        "",
        f"{target['family']}, {target['prediction_type']}; {members} members, {data['nonmembers']} held out; "
        f"blind baseline {run.report['blind']['auroc']['value']:.3f}. Cells: AUROC [95 %] / TPR at 1 % FPR [95 %].",
        "",
        "| attack | at | passes | " + " | ".join(MASKS) + " |",
        "|---|---|---|" + "---|" * len(MASKS),
    ]
    for attack in run.report["attacks"]:
        cells = [_cell(run, f"{attack['name']}/{mask}") for mask in MASKS]
        lines.append(f"| {attack['name']} | {_where(attack)} | {attack['passes'] or ''} | " + " | ".join(cells) + " |")
    return lines + [f"\n`{item['name']}` did not run: {item['reason']}." for item in run.report["refused"]]


def _where(attack: Mapping[str, Any]) -> str:
    if not attack["levels_by_fold"]:
        return ""
    chosen = "/".join(f"{level:g}" for level in sorted(set(attack["levels_by_fold"])))
    return chosen if attack["axis"] == "level" else f"{attack['axis']} {chosen}"


def _cell(run: Run, name: str) -> str:
    if name not in run.metrics:
        return ""
    metrics = run.metrics[name]
    return " / ".join(
        "n/a" if math.isnan(found.value) else f"{found.value:.3f} [{found.lo:.3f}, {found.hi:.3f}]"
        for found in (metrics.auroc, metrics.tpr_at_fpr["0.01"])
    )


def rows(run: Run) -> list[dict[str, object]]:
    """One row an attack and mask, for the CSV file."""
    found = []
    for attack in run.report["attacks"]:
        for mask in attack["masks"]:
            metrics = run.metrics[f"{attack['name']}/{mask}"]
            row: dict[str, object] = {
                "target": run.name,
                "attack": attack["name"],
                "mask": mask,
                "level": attack["level"],
            }
            row |= {"auroc": metrics.auroc.value, "auroc_lo": metrics.auroc.lo, "auroc_hi": metrics.auroc.hi}
            for fpr in FPRS:
                rate = metrics.tpr_at_fpr[f"{fpr:g}"]
                row |= {f"tpr@{fpr:g}": rate.value, f"tpr@{fpr:g}_lo": rate.lo, f"tpr@{fpr:g}_hi": rate.hi}
            found.append(row)
    return found


def ratios(run: Run) -> list[str]:
    """TPR of every other score over that of the best published attack under the paper's mask, with intervals."""
    kinds, member = {attack["name"]: attack["kind"] for attack in run.report["attacks"]}, run.member
    values = {
        name: score
        for name, score in run.scores.items()
        for attack, mask in [name.rsplit("/", 1)]
        if mask == ("influence" if kinds[attack] == "published" else "none")
    }
    drawn = stratified_bootstrap(values, member, FPRS, REPLICATES, 0, run.units)
    lines = [
        "| score | " + " | ".join(f"TPR@{100 * fpr:g}%FPR, ratio to the best masked attack" for fpr in FPRS) + " |"
    ]
    lines.append("|---|" + "---|" * len(FPRS))
    for name in [name for name in values if name.endswith("/none")]:
        cells = [_ratio(values, member, drawn, name, fpr) for fpr in FPRS]
        lines.append(f"| {name.removesuffix('/none')} | " + " | ".join(cells) + " |")
    return lines


def _ratio(values: dict[str, np.ndarray], member: np.ndarray, drawn: Replicates[str], name: str, fpr: float) -> str:
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
        run = load(folder)
        found += rows(run)
        print("\n".join([*table(run), "", *ratios(run), ""]))
    if options.csv:
        pd.DataFrame(found).to_csv(options.csv, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
