"""What the bootstrap costs, against a loop over replicates with scikit-learn.

    OMP_NUM_THREADS=1 python benchmarks/bootstrap_cost.py > benchmarks/results/bootstrap_cost.md

The loop does what is usually done: resample either set, ``roc_curve`` and ``roc_auc_score`` for each score, read off
the same metrics. It is timed over a few replicates and extrapolated. Times are processor seconds of one thread and
depend on the machine; their ratio is what to compare.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score, roc_curve

from privaudit.evaluation import stratified_bootstrap

FPRS = (0.01, 0.001)
LOOPED = 20


def looped(scores: dict[str, np.ndarray], member: np.ndarray, replicates: int) -> None:
    """AUROC, TPR at each FPR, advantage, and the largest excess over the sample's curve, one replicate at a time."""
    generator = np.random.default_rng(0)
    sides = np.flatnonzero(member), np.flatnonzero(~member)
    sample = {name: roc_curve(member, values, drop_intermediate=False) for name, values in scores.items()}
    for _ in range(replicates):
        drawn = np.concatenate([generator.choice(side, side.size) for side in sides])
        for name, values in scores.items():
            fpr, tpr, at = roc_curve(member[drawn], values[drawn], drop_intermediate=False)
            roc_auc_score(member[drawn], values[drawn])
            for target in FPRS:
                tpr[np.searchsorted(fpr, target, side="right") - 1]
            before = sample[name]
            same = np.searchsorted(-before[2], -at, side="right") - 1
            (tpr - fpr).max(), (tpr - fpr - before[1][same] + before[0][same]).max()


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print one row a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    options = parser.parse_args()
    versions = f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    print(f"{versions}, {platform.machine()}, one thread; {options.replicates} replicates.\n")
    print("| images a set | scores | units | seconds | million counts a second | loop, seconds | ratio |")
    print("|---|---|---|---|---|---|---|")
    for images, count, units in ((416, 10, 1), (1100, 10, 1), (5000, 1, 1), (5000, 10, 1), (5000, 10, 4)):
        generator, member = np.random.default_rng(0), np.arange(2 * images) < images
        scores = {str(i): generator.normal(size=2 * images) + 0.5 * member for i in range(count)}
        labels = None if units == 1 else np.arange(2 * images) // units
        ours = seconds(lambda: stratified_bootstrap(scores, member, FPRS, options.replicates, 0, labels))  # noqa: B023
        loop = seconds(lambda: looped(scores, member, LOOPED)) * options.replicates / LOOPED  # noqa: B023
        rate = 2 * images * count * options.replicates / ours / 1e6
        shape = "single" if units == 1 else f"of {units}"
        print(
            f"| {images} | {count} | {shape} | {ours:.2f} | {rate:.0f} | {loop:.0f} | {loop / ours:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
