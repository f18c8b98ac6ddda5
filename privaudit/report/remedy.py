"""What to do about an audit that ended with an error."""

from __future__ import annotations

from privaudit.report.problems import problems
from privaudit.results.audit_result import AuditFailure

ASKED = "What was asked for"
"""Heading of the command."""


def remedy(failure: AuditFailure) -> str:
    """Say what to do next."""
    if failure.defect:
        return f"This is a defect of privaudit ({failure.kind}). Please report it with the command and what it printed."
    several = "each of these" if len(problems(failure)) > 1 else "this"
    return f"Fix {several} and run the same command again: what was already computed is used again."
