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
    from privaudit.loading import load_target
    from privaudit.options import AuditOptions
    from privaudit.result import AuditResult

__version__ = "0.1.0"

_LAZY = {
    "AuditOptions": "privaudit.options",
    "AuditResult": "privaudit.result",
    "audit": "privaudit.auditing",
    "load_target": "privaudit.loading",
    "run_audit": "privaudit.auditing",
}

__all__ = ["AuditOptions", "AuditResult", "PrivauditError", "__version__", "audit", "load_target", "run_audit"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name is
    if name not in _LAZY:
        raise AttributeError(f"module 'privaudit' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
