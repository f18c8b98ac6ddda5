"""How often intervals and tests hold where images come in units: copies, frames of one film.

    OMP_NUM_THREADS=1 python benchmarks/coverage_clustered.py > benchmarks/results/coverage_clustered.md

Units of 1, 1, 2, 4 and 8 images; images of a unit share the part ``alike`` of the variance of their scores, which are
normal, with members shifted. "Across" puts half of each large unit into either set. Cells are as in
``benchmarks/coverage.py``: coverage of 95 % intervals with the units given, and of the AUROC's without. The last
columns are how often the one-sided test at 5 % rejects and the bound on epsilon is above 0, where nothing leaks.
"""

from __future__ import annotations

import platform
from collections import defaultdict

import numpy as np
from coverage import FPRS, LAWS, REPLICATES, Tallies, cell, shift_for, truth

from privaudit.evaluation import evaluate
from privaudit.evaluation.delong import auroc_estimate

SIZES = (1, 1, 2, 4, 8)
BLOCKS = {26: 600, 157: 300}
COLUMNS = ("AUROC", "AUROC, units ignored", "TPR@1%", "TPR@10%", "advantage")


def design(blocks: int, across: bool) -> tuple[np.ndarray, np.ndarray]:
    """Units and labels: as many blocks of the five sizes in either set."""
    sizes = np.tile(SIZES, 2 * blocks)
    unit = np.repeat(np.arange(sizes.size), sizes)
    member = unit < sizes.size // 2
    if across:
        large = np.repeat(sizes, sizes) == max(SIZES)
        member = np.where(large, np.arange(unit.size) % 2 == 0, member)
    return unit, member


def coverage(blocks: int, auroc: float, alike: float, across: bool, draws: int) -> tuple[Tallies, float, float]:
    """Tallies of intervals, and the shares of draws in which test and bound claim a leak."""
    generator = np.random.default_rng([blocks, int(1000 * auroc), int(10 * alike), across])
    law, (unit, member) = LAWS[0], design(blocks, across)
    shift = shift_for(law, auroc)
    true = truth(law, shift)
    tallies: Tallies = defaultdict(list)
    rejected, claimed = 0, 0
    for draw in range(draws):
        shared = generator.normal(size=unit.max() + 1)[unit]
        scores = np.sqrt(alike) * shared + np.sqrt(1 - alike) * generator.normal(size=unit.size) + shift * member
        found = evaluate({"a": scores}, member, unit // 5 % 5, fprs=FPRS, replicates=REPLICATES, seed=draw, units=unit)
        metrics = found.metrics["a"]
        noted = {
            "AUROC": metrics.auroc,
            "AUROC, units ignored": auroc_estimate(scores, member),
            **{f"TPR@{100 * fpr:g}%": metrics.tpr_at_fpr[f"{fpr:g}"] for fpr in FPRS},
            "advantage": metrics.advantage,
        }
        for what, estimate in noted.items():
            value = true[what.partition(",")[0]]
            if not np.isnan(estimate.lo):
                tallies[what].append((value < estimate.lo - 1e-12, value > estimate.hi + 1e-12))
        rejected += found.p_above_chance["a"] < 0.05
        claimed += metrics.epsilon_lower.value > 0
    return tallies, rejected / draws, claimed / draws


def main() -> None:
    """Print one row a setting."""
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}.\n")
    print("| images a set | AUROC | alike | across | draws | " + " | ".join(COLUMNS) + " | rejected | epsilon > 0 |")
    print("|---" * (7 + len(COLUMNS)) + "|")
    for blocks, draws in BLOCKS.items():
        for auroc in (0.5, 0.7, 0.95):
            for alike in (0.5, 1.0):
                for across in (False, True):
                    tallies, rejected, claimed = coverage(blocks, auroc, alike, across, draws)
                    cells = [cell(tallies.get(what, [])) for what in COLUMNS]
                    cells += [f"{100 * rejected:.1f}", f"{100 * claimed:.1f}"] if auroc == 0.5 else ["", ""]
                    where = (
                        f"| {blocks * sum(SIZES)} | {auroc:g} | {alike:g} | {'yes' if across else 'no'} | {draws} | "
                    )
                    print(where + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
