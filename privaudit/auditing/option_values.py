"""Values of options: how each is read from text, and what is wrong with it.

Every ``read`` takes text, or a value that has been parsed already. What needs torch is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.decoder_geometry import Estimator
    from privaudit.evaluation import Gate
    from privaudit.inversion import Solver
    from privaudit.scorers import Methods


def read_drop(given: str | float | Sequence[float]) -> float | tuple[float, ...]:
    """Read fractions to drop.

    Returns:
        The number, or all of them.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(given, (int, float)):
        return given
    if not isinstance(given, str):
        return tuple(given)
    try:
        found = tuple(float(part) for part in given.split(","))
    except ValueError as error:
        raise ConfigError([f"expected --drop as a number, or as several such as 0.2,0.4,0.6, got {given}"]) from error
    return found if len(found) > 1 else found[0]


def number_or(word: str, flag: str) -> Callable[[str | int | None], int | None]:
    """Make the reader of a whole number, or of a word that stands for none."""

    def read(given: str | int | None) -> int | None:
        if given == word or not isinstance(given, str):
            return None if isinstance(given, str) else given
        if not (given.isascii() and given.isdigit()):
            raise ConfigError([f"expected {flag} {word} or a number, got {given}"])
        return int(given)

    return read


def read_attacks(given: Methods | Sequence[str]) -> Methods:
    """Read attacks and scorers (see `privaudit.scorers.parse_methods`)."""
    from privaudit.scorers import Methods, parse_methods

    return given if isinstance(given, Methods) else parse_methods(_several("attacks", given))


def read_solver(given: Solver | str | None) -> Solver:
    """Read an inversion solver, or take the default one."""
    from privaudit.inversion import DEFAULT, SOLVERS, Solver

    return given if isinstance(given, Solver) else SOLVERS.build(given or DEFAULT)


def read_influence(given: Estimator | str | None) -> Estimator:
    """Read an estimator of influence, or take the default one."""
    from privaudit.decoder_geometry import ESTIMATORS, Estimator
    from privaudit.decoder_geometry.influence import DEFAULT_ESTIMATOR

    return given if isinstance(given, Estimator) else ESTIMATORS.build(given or DEFAULT_ESTIMATOR)


def read_gates(given: Sequence[Gate | str]) -> tuple[Gate, ...]:
    """Read gates (see `privaudit.evaluation.parse_gates`)."""
    from privaudit.evaluation import Gate, parse_gates

    items = _several("fail_on", given)
    parsed = iter(parse_gates([item for item in items if isinstance(item, str)]))
    return tuple(item if isinstance(item, Gate) else next(parsed) for item in items)


def _several(name: str, given: Sequence[Any]) -> Sequence[Any]:
    if isinstance(given, str):
        raise ConfigError([f"expected a tuple of texts for {name}, got the text {given!r}"])
    return given


def wrong_drops(drop: float | tuple[float, ...]) -> list[str]:
    """Say what is wrong with fractions to drop."""
    drops = drop if isinstance(drop, tuple) else (drop,)
    problems = [f"expected 0 <= drop < 1, got {one}" for one in drops if not 0 <= one < 1]
    if not drops or len(set(drops)) < len(drops):
        problems.append(f"expected one share to drop, or several that differ, got {drops}")
    return problems


def resolved_by(function: str) -> Callable[[str], Sequence[str]]:
    """Make the check of a text that a function of `privaudit.loading.device` resolves when the model is loaded."""

    def check(text: str) -> Sequence[str]:
        from privaudit.loading import device

        try:
            getattr(device, function)(text)
        except ConfigError as error:
            return error.problems
        return ()

    return check


def spec_of(made: Solver | Estimator) -> str:
    """Write a solver or estimator as text."""
    return made.spec
