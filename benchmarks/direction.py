"""How often the check of the direction fires where nothing leaks, and what an audit of exchanged sets ends in.

    OMP_NUM_THREADS=1 python benchmarks/direction.py > benchmarks/results/direction.md

Simulated audits of ``benchmarks/small_sets.py``: four attacks whose level is chosen by cross-fitting, under three
masks, and a classifier of all of them.
"""

from __future__ import annotations

import argparse
import platform
from collections import Counter

import numpy as np
import scipy
import sklearn
from scipy.stats import binomtest
from small_sets import COMBINED, simulate

from privaudit.evaluation import decide
from privaudit.evaluation.direction import direction_check

NULL_SIZES, EXCHANGED = (20, 100, 416), ((20, 0.8), (100, 0.6), (100, 0.7), (416, 0.6), (416, 0.83))


def repeat(seed: int, size: int, auroc: float) -> tuple[str, str, str, str]:
    """Status of the check, the same for sets drawn at random, and the finding with and without the check."""
    audit = simulate(seed, size, auroc, swapped=auroc > 0.5)
    scores, shown = [*audit.directed, COMBINED], audit.evaluation
    checks = [direction_check(shown, scores, audit.directed, drawn_at_random=drawn) for drawn in (False, True)]
    findings = [decide(shown, scores, checks=each, perfect=audit.perfect).finding.level for each in (checks[:1], ())]
    return checks[0].status, checks[1].status, *findings


def share(count: int, total: int) -> str:
    """Write a share in percent with its exact interval."""
    interval = binomtest(count, total).proportion_ci(0.95, "exact")
    return f"{100 * count / total:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    versions = f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(f"# Direction\n\n{repeats} audits per row, {repeats // 2} of exchanged sets, in percent. On", end=" ")
    print(f"{platform.machine()}, {versions}.\n")
    print("Nothing leaks:\n")
    print("| images per set | check fails | check warns | check fails, sets drawn at random |\n" + "|---" * 4 + "|")
    for size in NULL_SIZES:
        rows = [repeat(seed, size, 0.5) for seed in range(repeats)]
        fails, warns = ([row[0] for row in rows].count(status) for status in ("fail", "warn"))
        drawn = [row[1] for row in rows].count("fail")
        print(f"| {size} | " + " | ".join(share(each, repeats) for each in (fails, warns, drawn)) + " |", flush=True)
    print("\nThe sets are exchanged:\n")
    print("| images per set | AUROC of the right sets | check fails | finding without the check | with it |")
    print("|---" * 5 + "|")
    for size, auroc in EXCHANGED:
        rows = [repeat(seed, size, auroc) for seed in range(repeats // 2)]
        fails = share([row[0] for row in rows].count("fail"), len(rows))
        levels = (Counter(row[i] for row in rows) for i in (3, 2))
        counts = (", ".join(f"{level} {100 * n / len(rows):.0f}" for level, n in each.most_common()) for each in levels)
        print(f"| {size} | {auroc:g} | {fails} | {' | '.join(counts)} |", flush=True)


if __name__ == "__main__":
    main()
