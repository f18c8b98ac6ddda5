"""How often the lower limit of TPR at 1 % FPR is too high at the small errors that a gate takes.

    OMP_NUM_THREADS=1 python benchmarks/coverage_gates.py > benchmarks/results/coverage_gates.md

A gate is judged by a one-sided limit whose error is divided among all tests (Holm). Scores are those of
``benchmarks/coverage.py``. At 1 % and this error 528 non-members are the fewest for which there is a limit.
"""

from __future__ import annotations

import platform

import numpy as np
import scipy
from coverage import AUROCS, LAWS, shift_for, truth

from privaudit.evaluation.rate import tpr_limit
from privaudit.evaluation.roc import count

ERROR, DRAWS, SIZES = 0.005, 3000, (600, 1100, 2500)


def main() -> None:
    """Print one row a size and law."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    print(f"{platform.machine()}, {versions}; {DRAWS} draws a cell, missed in percent; {100 * ERROR:g} is allowed.\n")
    print("| n | scores | " + " | ".join(f"AUROC {auroc:g}" for auroc in AUROCS) + " |\n" + "|---" * 5 + "|")
    for n in SIZES:
        member = np.arange(2 * n) < n
        for law in LAWS:
            cells = []
            for auroc in AUROCS:
                generator = np.random.default_rng([n, LAWS.index(law), int(1000 * auroc)])
                shift = shift_for(law, auroc)
                true, missed = truth(law, shift)["TPR@1%"], 0
                for _ in range(DRAWS):
                    scores = law.scores(generator.normal(size=2 * n), member, shift)
                    missed += tpr_limit(count(scores, member), 0.01, ERROR, "lower") > true
                cells.append(f"{100 * missed / DRAWS:.2f}")
            print(f"| {n} | {law.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
