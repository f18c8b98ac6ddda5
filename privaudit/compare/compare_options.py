"""How two runs are compared, checked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from privaudit.errors import ConfigError
from privaudit.evaluation.intervals import check_replicates

KINDS = {
    "split": "other images, or other ones are members",
    "design": "the first set is something else",
    "preset": "it is another attack",
    "seed": "other noise, folds and masks",
    "folds": "levels are chosen in another way",
    "latents": "attacks look at other latents",
    "masks": "other dimensions are dropped or weighed",
    "reference": "errors of another model are subtracted",
}
"""In what two runs may differ that makes their numbers another quantity, by the name that ``--allow`` takes."""

FORMER_NAMES = {"role": "design"}
"""Names that ``--allow`` took before, and what they are called now."""

EVERYTHING = "all"
"""What ``--allow`` takes for all of `KINDS`."""


@dataclass(frozen=True)
class CompareOptions:
    """How to compare; the defaults are those of `privaudit compare`.

    Attributes:
        fail_on_regression: Whether a regression fails the comparison; without it nothing can fail.
        margin: How much AUROC or TPR may rise before it counts as a regression.
        confidence: Confidence level of all intervals; the joint error of all tests for a regression is what it leaves.
        allow: Which of `KINDS` are no obstacle; ``all`` for each of them.
        replicates: Bootstrap resamples.
        seed: Seed of the resampling.
    """

    fail_on_regression: bool = False
    margin: float = 0.0
    confidence: float = 0.95
    allow: tuple[str, ...] = ()
    replicates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            ConfigError: One or more options are wrong.
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
        """Whether a difference of this kind is no obstacle."""
        return bool({kind, EVERYTHING} & {FORMER_NAMES.get(name, name) for name in self.allow})


class CompareChoices(TypedDict, total=False):
    """Options that `privaudit.compare_runs` takes; `CompareOptions` describes each."""

    fail_on_regression: bool
    margin: float
    confidence: float
    allow: Sequence[str]
    replicates: int
    seed: int
