"""The exit code of the scan that a report comes from, as far as a report can know it."""

from __future__ import annotations

from privaudit.evaluation.verdict import exit_code
from privaudit.results.audit_result import AuditResult

OTHERWISE = {1: "unless --exit-zero was given", 3: "unless --inconclusive or --exit-zero said otherwise"}
"""Options that change a code and are no part of a result."""


def exit_text(result: AuditResult) -> str:
    """Say with which code the scan ended.

    Returns:
        A sentence. Options that say what an outcome counts as decide nothing about the model and are not in the
        result, so that the sentence names them where they could have changed the code.
    """
    verdict = result.verdict
    if not verdict.gates:
        however = " all the same" if verdict.status == "inconclusive" else ""
        return f"No gate was set (--fail-on), so the exit code is 0{however}."
    code = exit_code(verdict)
    return f"Exit code {code}{f', {OTHERWISE[code]}' if code in OTHERWISE else ''}."
