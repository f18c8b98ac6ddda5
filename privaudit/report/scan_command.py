"""The command that makes a report again, from the options that it records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

FLAGS = {
    "members": "--members",
    "nonmembers": "--nonmembers",
    "suspects": "--suspects",
    "canaries": "--canaries",
    "attacks": "--attack",
    "reference": "--reference",
    "drop": "--drop",
    "gamma": "--gamma",
    "mask_scope": "--mask-scope",
    "geometry_latents": "--geometry-latents",
    "attack_latents": "--attack-latents",
    "solver": "--solver",
    "influence": "--influence",
    "dtype": "--dtype",
    "batch_size": "--batch-size",
    "memory": "--memory",
    "seed": "--seed",
    "fail_on": "--fail-on",
    "gate_bound": "--gate-bound",
    "strict": "--strict",
}
"""What decides the result, in the order of `privaudit scan --help`; device, run folder and cache do not."""


ONLY_PYTHON = {"folds": 5, "replicates": 2000, "confidence": 0.95}
"""What decides the result, too, and no flag sets, with the defaults."""


def scan_command(config: Mapping[str, Any]) -> str:
    """Write the ``privaudit scan`` of a report.

    Args:
        config: The options of an audit, as `AuditResult.config` has them.

    Returns:
        One line for a POSIX shell. Defaults are written out, so that it means the same for every version; what was
        not given or left to privaudit (``auto``) is not. What only Python can set follows as a comment.
    """
    words = ["privaudit", "scan", str(config.get("target", "TARGET"))]
    for name, flag in FLAGS.items():
        words += _words(flag, config.get(name), joined=name == "drop")
    beyond = [f"{key}={_text(config[key])}" for key, usual in ONLY_PYTHON.items() if config.get(key, usual) != usual]
    comment = f"  # and {', '.join(beyond)}, with privaudit.audit from Python" if beyond else ""
    return shlex.join(words) + comment


def _words(flag: str, value: Any, *, joined: bool) -> list[str]:  # noqa: ANN401 - of any option
    if value is None or value is False or value == "auto":
        return []
    if value is True:
        return [flag]
    values = [_text(item) for item in value] if isinstance(value, (list, tuple)) else [_text(value)]
    if joined:
        return [flag, ",".join(values)] if values else []
    return [word for item in values for word in (flag, item)]


def _text(value: Any) -> str:  # noqa: ANN401 - of any option
    return f"{value:g}" if isinstance(value, float) else str(value)
