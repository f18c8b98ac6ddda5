"""What went wrong in an audit, one problem a line."""

from __future__ import annotations

import re

from privaudit.results.audit_result import AuditFailure

_NEXT = re.compile(r"; (?=expected )")


def problems(failure: AuditFailure) -> tuple[str, ...]:
    """List the problems of a failure.

    Returns:
        One sentence each; an error that names several ("expected ..., ...; expected ...") is taken apart.
    """
    return tuple(part for reason in failure.verdict.reasons for part in _NEXT.split(reason))
