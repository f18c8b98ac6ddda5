"""What went wrong in an audit, one problem per line, and what to do about it."""

from __future__ import annotations

import re

from privaudit.results.audit_result import AuditFailure

ASKED = "What was asked for"
"""Heading of the command."""
_NEXT = re.compile(r"; (?=expected )")


def problems(failure: AuditFailure) -> tuple[str, ...]:
    """List the problems of a failure.

    Returns:
        One sentence each; an error that names several ("expected ..., ...; expected ...") is taken apart.
    """
    return tuple(part for reason in failure.verdict.reasons for part in _NEXT.split(reason))


def remedy(failure: AuditFailure) -> str:
    """Say what to do next."""
    if failure.defect:
        return f"This is a defect of privaudit ({failure.kind}). Please report it with the command and what it printed."
    several = "each of these" if len(problems(failure)) > 1 else "this"
    return f"Fix {several} and run the same command again: what was already computed is used again."
