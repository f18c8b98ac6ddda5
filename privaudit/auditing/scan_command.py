"""The command that repeats an audit, from the options in its report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from privaudit.auditing.option_table import flag_of, in_order_of_help, table
from privaudit.auditing.options import AuditOptions


def scan_command(config: Mapping[str, Any]) -> str:
    """Return the ``privaudit scan`` command that repeats an audit.

    Args:
        config: Options of the audit, from its report.

    Returns:
        One line for a POSIX shell. Defaults are written out, so that it means the same in every version; options that
        are unset or ``auto`` are left out. Options that only Python can set follow as a comment.
    """
    words = ["privaudit", "scan", str(config.get("target", "TARGET"))]
    entries = in_order_of_help(AuditOptions) | table(AuditOptions)
    decides = {name: entry for name, entry in entries.items() if entry.decides and not entry.argument}
    python_only = []
    for name, entry in decides.items():
        if entry.help:
            words += _words(flag_of(name, entry), config.get(name), joined=entry.joined)
        elif config.get(name, entry.unset) != entry.unset:
            python_only.append(f"{name}={_text(config[name])}")
    comment = f"  # and {', '.join(python_only)}, with privaudit.audit from Python" if python_only else ""
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
