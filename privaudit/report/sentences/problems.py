"""What went wrong in an audit, one problem per line, and what to do about it."""

from __future__ import annotations

from privaudit.results.audit_result import AuditFailure

REQUESTED = "What was requested"
"""Heading of the command."""
NOTHING_KNOWN = "The audit ended with an error, so nothing is known about the model."


def problems(failure: AuditFailure) -> tuple[str, ...]:
    """List the problems of a failure, one sentence each."""
    return failure.verdict.reasons


def remedy(failure: AuditFailure) -> str:
    """Say what to do next."""
    if failure.defect:
        return f"This is a defect of privaudit ({failure.kind}). Please report it with the command and its output."
    several = "each of these" if len(problems(failure)) > 1 else "this"
    return f"Fix {several} and run the same command again: what was already computed is used again."
