"""What it costs to choose on the images that are reported, and what cross-fitting a choice does to its spread.

    python benchmarks/selection_bias.py [--draws 500] > benchmarks/results/selection_bias.md

Scores of an attack at many levels are simulated: normal, neighbouring levels correlated, members higher by a bump over
the levels. First table: one level fixed beforehand, the best level by AUROC or by TPR at 1 % FPR on the images that are
reported, and the level chosen on the other four of five folds. Second table: how far the AUROC of the cross-fitted
choice spreads over draws, against DeLong's standard deviation of the chosen scores, which is what an interval sees; the
factor that `privaudit.evaluation.choice_inflation` simulates from one audit's scores; and how often a rank test rejects
"members do not score higher": as it is, with its standard deviation times that factor, and times a learned score's.
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.stats import mannwhitneyu, norm

from privaudit.evaluation import auroc, choice_inflation, cross_fit, tpr_at_fpr
from privaudit.evaluation.delong import auroc_covariance
from privaudit.evaluation.metrics import sd_inflation

FOLDS, FPR = 5, 0.01


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        images: Members, and as many non-members.
        levels: How many are compared.
        correlation: Of neighbouring levels; of two levels further apart its power.
        distance: Of members from non-members at the best level, in standard deviations.
    """

    images: int
    levels: int
    correlation: float
    distance: float

    @property
    def member(self) -> np.ndarray:
        """Labels."""
        return np.arange(2 * self.images) < self.images

    @property
    def folds(self) -> np.ndarray:
        """Dealt in turn, so that each has its share of both sets."""
        return np.arange(2 * self.images) % self.images % FOLDS

    @property
    def best(self) -> int:
        """The level at which members are furthest from non-members."""
        return int(0.4 * self.levels)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """One audit's scores, ``(2 * images, levels)``."""
        steps = generator.normal(size=(2 * self.images, self.levels))
        scores = steps.copy()
        for level in range(1, self.levels):
            new = np.sqrt(1 - self.correlation**2) * steps[:, level]
            scores[:, level] = self.correlation * scores[:, level - 1] + new
        bump = np.exp(-0.5 * ((np.arange(self.levels) - self.best) / (0.25 * self.levels)) ** 2)
        return scores + self.distance * np.outer(self.member, bump)


def optimism(setting: Setting, draws: int) -> list[str]:
    """Cells of the first table: mean AUROC and TPR of a level chosen in four ways."""
    generator, member = np.random.default_rng(0), setting.member
    found = np.empty((draws, 4, 2))
    for draw in range(draws):
        scores = setting.draw(generator)
        areas = np.array([auroc(level, member) for level in scores.T])
        rates = np.array([tpr_at_fpr(level, member, FPR).tpr for level in scores.T])
        for way, level in enumerate((setting.best, int(areas.argmax()), int(rates.argmax()))):
            found[draw, way] = areas[level], rates[level]
        fitted = cross_fit(scores, range(setting.levels), member, setting.folds).scores
        found[draw, 3] = auroc(fitted, member), tpr_at_fpr(fitted, member, FPR).tpr
    means, errors = found.mean(axis=0), found.std(axis=0) / np.sqrt(draws)
    return [
        f"{area:.3f} ± {e:.3f}; {100 * rate:.1f} ± {100 * r:.1f}"
        for (area, rate), (e, r) in zip(means, errors, strict=True)
    ]


def spread_of(setting: Setting, draws: int) -> list[str]:
    """Cells of the second table."""
    generator, member, folds = np.random.default_rng(1), setting.member, setting.folds
    areas, seen, factors, z, agree = [], [], [], [], 0
    for _ in range(draws):
        scores = setting.draw(generator)
        choice = cross_fit(scores, range(setting.levels), member, folds)
        areas.append(auroc(choice.scores, member))
        seen.append(auroc_covariance({"chosen": choice.scores}, member).sd("chosen"))
        factors.append(choice_inflation(scores, member, folds))
        p = mannwhitneyu(choice.scores[member], choice.scores[~member], alternative="greater").pvalue
        z.append(norm.isf(p))
        agree += len(set(choice.chosen)) == 1
    factor, statistic = np.array(factors), np.array(z)
    rejected = [(statistic / by > norm.isf(0.05)).mean() for by in (1.0, factor, sd_inflation(FOLDS))]
    return [
        f"{np.mean(areas):.3f}",
        f"{agree / draws:.2f}",
        f"{np.std(areas) / np.mean(seen):.2f}",
        f"{factor.mean():.2f}",
        f"{(factor > 1.1).mean():.2f}",
        *(f"{share:.3f}" for share in rejected),
    ]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    draws = parser.parse_args().draws
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}; {draws} draws. "
        "416 members and 416 non-members, 20 levels, neighbours correlated by 0.95. Mean AUROC; mean TPR at 1 % FPR, "
        "in percent; ± one standard error.\n"
    )
    print("| | level fixed beforehand | best by AUROC | best by TPR | cross-fitted |\n|---|---|---|---|---|")
    for name, distance in (("nothing to find", 0.0), ("something", 0.75)):
        print(f"| {name} | " + " | ".join(optimism(Setting(416, 20, 0.95, distance), draws)) + " |", flush=True)
    print("\nThe cross-fitted choice: spread of its AUROC, and how often a rank test at 5 % rejects.\n")
    print(
        "| images a set | levels | correlation | distance | mean AUROC | all folds agree | spread / DeLong's | "
        "factor simulated | above 1.1 | rejected, as it is | with the factor | as a learned score |\n"
        + "|---" * 12
        + "|"
    )
    settings = [
        *(Setting(416, 20, 0.95, distance) for distance in (0.0, 0.1, 0.2, 0.4, 0.75)),
        *(Setting(416, 20, correlation, 0.0) for correlation in (0.99, 0.8, 0.5, 0.0)),
        *(Setting(416, levels, 0.8, 0.0) for levels in (2, 5, 100)),
        *(Setting(images, 20, 0.95, 0.0) for images in (100, 2500)),
    ]
    for setting in settings:
        given = (setting.images, setting.levels, setting.correlation, setting.distance)
        print("| " + " | ".join([*(f"{value:g}" for value in given), *spread_of(setting, draws)]) + " |", flush=True)


if __name__ == "__main__":
    main()
