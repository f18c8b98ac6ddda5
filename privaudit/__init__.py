"""privaudit: does a latent diffusion model reveal which images it was trained on?

``privaudit.audit(target, members, nonmembers, out)`` runs a whole audit. Importing the package is fast:
torch is loaded when a name that needs it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from privaudit._version import __version__
from privaudit.errors import PrivauditError

if TYPE_CHECKING:
    from privaudit.attacks import register_attack
    from privaudit.auditing.custom_masks import MaskTrial, try_masks
    from privaudit.auditing.options import AuditOptions
    from privaudit.auditing.run import audit, run_audit
    from privaudit.compare import CompareOptions, compare_runs
    from privaudit.loading import ModelSource, load_target, register_family
    from privaudit.results.audit_result import AuditFailure, AuditResult
    from privaudit.results.exemplars import load_exemplars, load_portraits
    from privaudit.results.saved_scores import explain, load_samples, load_scores

_LAZY = {
    "AuditFailure": "privaudit.results.audit_result",
    "AuditOptions": "privaudit.auditing.options",
    "AuditResult": "privaudit.results.audit_result",
    "CompareOptions": "privaudit.compare",
    "MaskTrial": "privaudit.auditing.custom_masks",
    "ModelSource": "privaudit.loading",
    "compare_runs": "privaudit.compare",
    "audit": "privaudit.auditing.run",
    "explain": "privaudit.results.saved_scores",
    "load_exemplars": "privaudit.results.exemplars",
    "load_portraits": "privaudit.results.exemplars",
    "load_samples": "privaudit.results.saved_scores",
    "load_scores": "privaudit.results.saved_scores",
    "load_target": "privaudit.loading",
    "register_family": "privaudit.loading",
    "register_attack": "privaudit.attacks",
    "run_audit": "privaudit.auditing.run",
    "try_masks": "privaudit.auditing.custom_masks",
}

__all__ = [
    "AuditFailure",
    "AuditOptions",
    "AuditResult",
    "CompareOptions",
    "MaskTrial",
    "ModelSource",
    "PrivauditError",
    "__version__",
    "audit",
    "compare_runs",
    "explain",
    "load_exemplars",
    "load_portraits",
    "load_samples",
    "load_scores",
    "load_target",
    "register_attack",
    "register_family",
    "run_audit",
    "try_masks",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name is
    if name not in _LAZY:
        raise AttributeError(f"module 'privaudit' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
