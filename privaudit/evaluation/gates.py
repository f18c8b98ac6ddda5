"""Gates: conditions under which an audit fails, parsed from strings such as ``tpr@1%fpr>0.05``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from privaudit.errors import ConfigError, did_you_mean

Metric = Literal["auroc", "tpr", "advantage", "epsilon"]
RecordedMetric = Literal["auroc", "tpr", "advantage", "epsilon", "other"]
"""Metric of a gate in a report; ``other`` for a metric of another version of privaudit."""

ACCEPTED = "'auroc>0.6', 'tpr@1%fpr>0.05', 'tpr@0.1%fpr>0.02', 'advantage>0.2' or 'epsilon>1'"

_PATTERN = re.compile(r"(?P<metric>[a-z]+)(@(?P<percent>[^%]*)%fpr)?>(?P<limit>.+)")
_SHAPE = re.compile(r"(?P<metric>[^<>=]+)>(?P<limit>[^<>=]+)")
"""Anything of the form METRIC>NUMBER, whatever the metric is."""
_RATE = re.compile(r"@(?P<number>[0-9.]+)%?(?:fpr)?")
"""A false-positive rate in which a part of ``@1%fpr`` may be missing."""


@dataclass(frozen=True)
class Gate:
    """A condition under which an audit fails: a metric that exceeds a limit.

    Attributes:
        text: Text of the gate, as the user wrote it.
        metric: Metric that is compared with the limit.
        fpr: Target false-positive rate of ``tpr``; None for every other metric.
        limit: Largest accepted value of the metric.
    """

    text: str
    metric: Metric
    fpr: float | None
    limit: float


def parse_gates(texts: Sequence[str]) -> tuple[Gate, ...]:
    """Parse gates; case and whitespace are ignored.

    Returns:
        The gates, in the same order.

    Raises:
        ConfigError: A text cannot be parsed; the message lists all of them.
    """
    gates = [_parse(text) for text in texts]
    problems = [
        f"expected a gate such as {ACCEPTED}, got {text!r}: {gate}"
        for text, gate in zip(texts, gates, strict=True)
        if isinstance(gate, str)
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(gate for gate in gates if isinstance(gate, Gate))


def required_fprs(gates: Sequence[Gate], usual: Sequence[float] = (0.01, 0.001)) -> tuple[float, ...]:
    """False-positive rates that must be evaluated: the usual ones and those of the gates."""
    return tuple(dict.fromkeys([*usual, *(gate.fpr for gate in gates if gate.fpr is not None)]))


def _parse(text: str) -> Gate | str:
    """Parse one gate; returns the problem as text if it cannot be parsed."""
    match = _PATTERN.fullmatch(re.sub(r"\s+", "", text).lower())
    if match is None:
        shape = _SHAPE.fullmatch(re.sub(r"\s+", "", text).lower())
        return "it is not METRIC>NUMBER" if shape is None else _unknown_metric(shape["metric"])
    metric, percent = match["metric"], match["percent"]
    if metric not in get_args(Metric):
        return _unknown_metric(text.split(">")[0].strip().lower())
    if (metric == "tpr") != (percent is not None):
        return "tpr, and only tpr, has a false-positive rate: tpr@1%fpr"
    limit = _number(match["limit"])
    upper = math.inf if metric == "epsilon" else 1.0
    if not 0.0 <= limit < upper:
        return f"the limit of {metric} must be a number in [0, {upper:g})"
    if percent is None:
        return Gate(text, metric, None, limit)  # type: ignore[arg-type]  # checked against Metric above
    fpr = _number(percent)
    if not 0.0 < fpr < 100.0:
        return "the false-positive rate must be a number in (0, 100) %"
    # Rounded to 12 digits: 0.7 / 100 is 0.006999999999999999, which would be another rate than 0.007.
    return Gate(text, "tpr", float(f"{fpr / 100.0:.12g}"), limit)


def _unknown_metric(metric: str) -> str:
    """Problem of a metric that does not exist; the rate of a suggested one is the rate that was written."""
    rate = _RATE.search(metric)
    rated = f"tpr@{rate['number'] if rate else 1}%fpr"
    return f"unknown metric {metric!r}{did_you_mean(metric, ['auroc', 'advantage', 'epsilon', rated])}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
