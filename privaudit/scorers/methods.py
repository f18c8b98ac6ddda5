"""What ``--attack`` names: attacks, and scorers that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privaudit.attacks import ATTACKS, Attack, parse_attacks
from privaudit.attacks.parsing import DEFAULT as DEFAULT_ATTACKS
from privaudit.attacks.parsing import build_each
from privaudit.scorers.scorer import SCORERS, Scorer

DEFAULT = (*DEFAULT_ATTACKS, "combined")
"""What is run if nothing is asked for."""


@dataclass(frozen=True)
class Methods:
    """What an audit runs.

    Attributes:
        attacks: Ask the model.
        scorers: Make new scores of what the attacks found.
        specs: What named them; None if they were not named. Empty for the default ones.
    """

    attacks: tuple[Attack, ...]
    scorers: tuple[Scorer, ...]
    specs: tuple[str, ...] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Specifications that name them."""
        return tuple(made.spec for made in (*self.attacks, *self.scorers)) if self.specs is None else self.specs


def parse_methods(specs: Sequence[str]) -> Methods:
    """Turn ``--attack`` specifications into attacks and scorers.

    Args:
        specs: See `privaudit.attacks.parse_attacks`; names of scorers, too. None at all means `DEFAULT`, ``all``
            everything there is; scorers without an attack are made of the default attacks.

    Returns:
        Attacks and scorers, each in their order.

    Raises:
        ConfigError: Names every specification that is wrong, and what would be right.
    """
    kinds: dict[str, type[Attack | Scorer]] = {**ATTACKS, **SCORERS}
    made = build_each(specs or DEFAULT, kinds)
    attacks = tuple(method for method in made if isinstance(method, Attack))
    scorers = tuple(method for method in made if isinstance(method, Scorer))
    return Methods(attacks or parse_attacks(()), scorers, tuple(specs))
