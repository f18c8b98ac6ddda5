"""Parsing and checking of option values.

Every ``read_...`` function accepts text or a parsed value. Modules that need torch are imported when they are used.
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


def read_drop(value: str | float | Sequence[float]) -> float | tuple[float, ...]:
    """Read one or more fractions to drop.

    Returns:
        A number, or a tuple of numbers.

    Raises:
        ConfigError: The text is not a list of numbers.
    """
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str):
        return tuple(value)
    try:
        fractions = tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise ConfigError([f"expected --drop as a number, or as several such as 0.2,0.4,0.6, got {value}"]) from error
    return fractions if len(fractions) > 1 else fractions[0]


def number_or(word: str, flag: str) -> Callable[[str | int | None], int | None]:
    """Make a reader of integers that turns a word, such as ``auto``, into None.

    Args:
        word: The word.
        flag: Flag of the option, for messages.

    Returns:
        Function from text, or a parsed value, to an integer or None.
    """

    def read(value: str | int | None) -> int | None:
        if not isinstance(value, str):
            return value
        if value == word:
            return None
        if not (value.isascii() and value.isdigit()):
            raise ConfigError([f"expected {flag} {word} or a number, got {value}"])
        return int(value)

    return read


def read_attacks(value: Methods | Sequence[str]) -> Methods:
    """Read attacks and scorers (see `privaudit.scorers.parse_methods`)."""
    from privaudit.scorers import Methods, parse_methods

    return value if isinstance(value, Methods) else parse_methods(_require_several("attacks", value))


def read_solver(value: Solver | str | None) -> Solver:
    """Read an inversion solver; None means the default one."""
    from privaudit.inversion import DEFAULT, SOLVERS, Solver

    return value if isinstance(value, Solver) else SOLVERS.build(value or DEFAULT)


def read_influence(value: Estimator | str | None) -> Estimator:
    """Read an estimator of influence; None means the default one."""
    from privaudit.decoder_geometry import ESTIMATORS, Estimator
    from privaudit.decoder_geometry.influence import DEFAULT_ESTIMATOR

    return value if isinstance(value, Estimator) else ESTIMATORS.build(value or DEFAULT_ESTIMATOR)


def read_gates(value: Sequence[Gate | str]) -> tuple[Gate, ...]:
    """Read gates (see `privaudit.evaluation.parse_gates`)."""
    from privaudit.evaluation import Gate, parse_gates

    items = _require_several("fail_on", value)
    # all texts are parsed together, so that one error names every problem; parsed gates stay in their places
    parsed = iter(parse_gates([item for item in items if isinstance(item, str)]))
    return tuple(item if isinstance(item, Gate) else next(parsed) for item in items)


def _require_several(name: str, value: Sequence[Any]) -> Sequence[Any]:
    """Refuse a single text, which would be read as a sequence of characters."""
    if isinstance(value, str):
        raise ConfigError([f"expected a tuple of texts for {name}, got the text {value!r}"])
    return value


def wrong_drops(drop: float | tuple[float, ...]) -> list[str]:
    """List what is wrong with one or more fractions to drop."""
    drops = drop if isinstance(drop, tuple) else (drop,)
    problems = [f"expected 0 <= drop < 1, got {fraction}" for fraction in drops if not 0 <= fraction < 1]
    if not drops or len(set(drops)) < len(drops):
        problems.append(f"expected one fraction to drop, or several that differ, got {drops}")
    return problems


def resolved_by(function: str) -> Callable[[str], Sequence[str]]:
    """Make a check of a text that a function of `privaudit.loading.device` resolves when the model is loaded."""

    def check(text: str) -> Sequence[str]:
        from privaudit.loading import device

        try:
            getattr(device, function)(text)
        except ConfigError as error:
            return error.problems
        return ()

    return check


def spec_of(made: Solver | Estimator) -> str:
    """Return the specification of a solver or estimator."""
    return made.spec
