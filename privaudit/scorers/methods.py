"""Everything that ``--attack`` can name: attacks, and the scorers that combine them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privaudit.attacks import ATTACKS, Attack, parse_attacks
from privaudit.attacks.parsing import DEFAULT as DEFAULT_ATTACKS
from privaudit.attacks.parsing import build_each
from privaudit.scorers.scorer import SCORERS, Scorer

DEFAULT = (*DEFAULT_ATTACKS, "combined")
"""Attacks and scorers of an audit that names none."""


@dataclass(frozen=True)
class Methods:
    """Attacks and scorers of an audit.

    Attributes:
        attacks: Attacks, which run the model.
        scorers: Scorers, which combine the scores of the attacks.
        specs: Specifications as the user wrote them; empty for the defaults, None if attacks and scorers were passed as
            objects.
    """

    attacks: tuple[Attack, ...]
    scorers: tuple[Scorer, ...]
    specs: tuple[str, ...] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Specifications of all attacks and scorers."""
        return tuple(method.spec for method in (*self.attacks, *self.scorers)) if self.specs is None else self.specs


def parse_methods(specs: Sequence[str]) -> Methods:
    """Turn ``--attack`` specifications into attacks and scorers.

    Args:
        specs: Specifications as of `privaudit.attacks.parse_attacks`, or names of scorers. An empty sequence means
            `DEFAULT`; ``all`` means every attack and scorer. Scorers without an attack combine the default attacks.

    Returns:
        Attacks and scorers, each in the order of their specifications.

    Raises:
        ConfigError: Names every specification that is wrong, and what would be right.
    """
    kinds: dict[str, type[Attack | Scorer]] = {**ATTACKS, **SCORERS}
    methods = build_each(specs or DEFAULT, kinds)
    attacks = tuple(method for method in methods if isinstance(method, Attack))
    scorers = tuple(method for method in methods if isinstance(method, Scorer))
    return Methods(attacks or parse_attacks(()), scorers, tuple(specs))
