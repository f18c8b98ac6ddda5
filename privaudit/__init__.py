"""privaudit: does a latent diffusion model reveal which images it was trained on?

``privaudit.audit(target, members, nonmembers, out)`` runs a whole audit. Importing the package is fast:
torch is loaded when a name that needs it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from privaudit.errors import PrivauditError

if TYPE_CHECKING:
    from privaudit.auditing import audit, run_audit
    from privaudit.comparing import CompareOptions, compare_runs
    from privaudit.loading import load_target
    from privaudit.masking import MaskTrial, try_masks
    from privaudit.options import AuditOptions
    from privaudit.portraits import load_portraits
    from privaudit.result import AuditFailure, AuditResult
    from privaudit.runs import explain, load_samples, load_scores

__version__ = "0.1.0"

_LAZY = {
    "AuditFailure": "privaudit.result",
    "AuditOptions": "privaudit.options",
    "AuditResult": "privaudit.result",
    "CompareOptions": "privaudit.comparing",
    "MaskTrial": "privaudit.masking",
    "compare_runs": "privaudit.comparing",
    "audit": "privaudit.auditing",
    "explain": "privaudit.runs",
    "load_portraits": "privaudit.portraits",
    "load_samples": "privaudit.runs",
    "load_scores": "privaudit.runs",
    "load_target": "privaudit.loading",
    "run_audit": "privaudit.auditing",
    "try_masks": "privaudit.masking",
}

__all__ = [
    "AuditFailure",
    "AuditOptions",
    "AuditResult",
    "CompareOptions",
    "MaskTrial",
    "PrivauditError",
    "__version__",
    "audit",
    "compare_runs",
    "explain",
    "load_portraits",
    "load_samples",
    "load_scores",
    "load_target",
    "run_audit",
    "try_masks",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name is
    if name not in _LAZY:
        raise AttributeError(f"module 'privaudit' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
