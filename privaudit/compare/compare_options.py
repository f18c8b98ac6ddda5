"""Options of a comparison, checked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from privaudit.errors import ConfigError
from privaudit.evaluation.intervals import check_replicates

KINDS = {
    "split": "the images differ, or others of them are members",
    "design": "the positives are of another kind",
    "preset": "the attack has other parameters",
    "seed": "noise, folds and masks differ",
    "folds": "levels are chosen on other folds",
    "images": "pixels or captions are read otherwise",
    "latents": "attacks use other latents",
    "masks": "masks drop or weight other dimensions",
    "reference": "the errors of another model are subtracted",
}
"""Kinds of differences that make the numbers of two runs different quantities: their consequence, by the name that
``--allow`` takes."""

FORMER_NAMES = {"role": "design"}
"""Former names of kinds, which ``--allow`` still takes, and their current names."""

EVERYTHING = "all"
"""Value of ``--allow`` that stands for all of `KINDS`."""


@dataclass(frozen=True)
class CompareOptions:
    """Options of a comparison; the defaults are those of `privaudit compare`.

    Attributes:
        fail_on_regression: Whether a regression fails the comparison; without it nothing can fail.
        margin: Maximum rise of AUROC or TPR that does not count as a regression.
        confidence: Confidence level of each interval. The joint error probability of all tests for a regression is 1
            minus this level.
        allow: Kinds of differences (`KINDS`) to allow between the runs; ``all`` for every kind.
        replicates: Number of bootstrap replicates.
        seed: Seed of the bootstrap.
    """

    fail_on_regression: bool = False
    margin: float = 0.0
    confidence: float = 0.95
    allow: tuple[str, ...] = ()
    replicates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check all options.

        Raises:
            ConfigError: One or more options are wrong; all of them are named.
        """
        known = (*KINDS, EVERYTHING)
        problems = [
            f"expected allow to name {', '.join(known)}, got {kind!r}"
            for kind in self.allow
            if kind not in (*known, *FORMER_NAMES)
        ]
        if not 0.0 <= self.margin < 0.5:
            problems.append(f"expected 0 <= margin < 0.5, in units of AUROC and TPR, got {self.margin}")
        if not 0 <= self.seed < 2**32:
            problems.append(f"expected 0 <= seed < 2^32, got {self.seed}")
        try:
            check_replicates(self.confidence, self.replicates)
        except ConfigError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)

    def allows(self, kind: str) -> bool:
        """Whether a difference of this kind is allowed."""
        return bool({kind, EVERYTHING} & {FORMER_NAMES.get(name, name) for name in self.allow})


class CompareChoices(TypedDict, total=False):
    """Keywords of `privaudit.compare_runs`, as described in `CompareOptions`."""

    fail_on_regression: bool
    margin: float
    confidence: float
    allow: Sequence[str]
    replicates: int
    seed: int
