"""Why a number is missing or rough, in plain words made from the counts; ``reason`` in the result is exact."""

from __future__ import annotations

import math
import re

from privaudit.evaluation.estimate import RateEstimate
from privaudit.evaluation.rate import FEW_FALSE_POSITIVES
from privaudit.report.needed import non_members_needed

_EXPECTED = re.compile(r"expected (?P<wanted>.+?), got (?P<got>[^;]+)(?:;.*)?", re.DOTALL)


def why_no_rate(rate: RateEstimate | None, fpr: float, confidence: float = 0.95) -> str | None:
    """Say why a rate or its interval is missing, or what to keep in mind about it.

    Returns:
        A few words such as ``no interval: 0.1 % false positives need about 3700 non-members, there are 1100``; None if
        there is nothing to say.
    """
    if rate is None:
        return "n/a: too few non-members"
    if rate.reason is None:
        return None
    share, there = f"{100.0 * fpr:g} % false positives", f"there are {rate.n}"
    if math.isnan(rate.value):
        least = math.ceil(1.0 / fpr - 1e-9)
        return f"n/a: {share} need at least {least} non-members, {there}"
    if math.isnan(rate.lo) or math.isnan(rate.hi):
        needed = non_members_needed(fpr, (1.0 - confidence) / 2.0)
        if rate.n < needed:
            return f"no interval: {share} need about {_rounded(needed)} non-members, {there}"
        return f"no interval: {share} need about {_rounded(needed)} non-members, and some of the {rate.n} count as one"
    if rate.n * fpr < FEW_FALSE_POSITIVES - 1e-9:
        return f"rough: {share} are only {rate.n * fpr:.3g} of {rate.n} non-members"
    return plain_reason(rate.reason)


def plain_reason(reason: str) -> str:
    """Turn "expected X, got Y; more" into "needs X, there are Y"; anything else is left as it is."""
    found = _EXPECTED.fullmatch(reason)
    return f"needs {found['wanted']}, there are {found['got']}" if found else reason


def _rounded(count: int) -> int:
    """Two leading digits, rounded up: what is needed is known no better."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit
