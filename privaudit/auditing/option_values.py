"""Values of options: how each is read from text, and what is wrong with it.

Every ``read`` takes text, or a value that has been parsed already. What needs torch is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.evaluation import Gate
    from privaudit.geometry import Estimator
    from privaudit.inversion import Solver
    from privaudit.scorers import Methods


def read_drop(given: str | float | Sequence[float]) -> float | tuple[float, ...]:
    """Read fractions to drop.

    Args:
        given: A number, several, or text with commas between them.

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


def read_batch_size(given: str | int | None) -> int | None:
    """Read a batch size.

    Args:
        given: ``auto`` or a number.

    Returns:
        The number; None for ``auto``.

    Raises:
        ConfigError: It is neither.
    """
    if not isinstance(given, str):
        return given
    if given != "auto" and not (given.isascii() and given.isdigit()):
        raise ConfigError([f"expected --batch-size auto or a number, got {given}"])
    return int(given) if given != "auto" else None


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
    from privaudit.geometry import ESTIMATORS, Estimator
    from privaudit.geometry.influence import DEFAULT

    return given if isinstance(given, Estimator) else ESTIMATORS.build(given or DEFAULT)


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


def wrong_batch_size(size: int | None) -> list[str]:
    """Say what is wrong with a batch size."""
    return [] if size is None or size >= 1 else [f"expected a batch size >= 1 or auto, got {size}"]


def wrong_seed(seed: int) -> list[str]:
    """Say what is wrong with a seed."""
    return [] if 0 <= seed < 2**32 else [f"expected 0 <= seed < 2^32, got {seed}"]


def wrong_confidence(confidence: float) -> list[str]:
    """Say what is wrong with a confidence level."""
    return [] if 0.5 < confidence < 1 else [f"expected 0.5 < confidence < 1, got {confidence}"]


def wrong_device(device: str) -> Sequence[str]:
    """Say what is wrong with the name of a device."""
    from privaudit.loading.device import resolve_device

    return _refused(resolve_device, device)


def wrong_dtype(dtype: str) -> Sequence[str]:
    """Say what is wrong with the name of a precision."""
    from privaudit.loading.device import resolve_dtype

    return _refused(resolve_dtype, dtype)


def _refused(resolve: Callable[[str], object], text: str) -> Sequence[str]:
    try:
        resolve(text)
    except ConfigError as error:
        return error.problems
    return ()


def at_least(minimum: int, name: str) -> Callable[[int], Sequence[str]]:
    """Make the check of a number that has a minimum."""
    return lambda number: () if number >= minimum else [f"expected {name} >= {minimum}, got {number}"]


def spec_of(made: Solver | Estimator) -> str:
    """Write a solver or estimator as text."""
    return made.spec
