"""privaudit: does a latent diffusion model reveal which images it was trained on?

Every command that measures is a function with the same options as keywords: `audit` (the command scan), `plan` (its dry
run), `sweep`, `sweep_checkpoints`, `invert`, `geometry`, `origin` and `compare_runs`. Each has a counterpart that takes
the options as one checked object, such as ``run_audit(AuditOptions.parse(...))``. `describe_set` says what would be
read from an image set. Importing the package is fast: torch and pandas are imported when a name that needs them is
first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from privaudit._version import __version__
from privaudit.errors import PrivauditError

if TYPE_CHECKING:
    from privaudit.attacks import register_attack
    from privaudit.auditing.checkpoint_sweep import CheckpointSweepResult, run_checkpoint_sweep, sweep_checkpoints
    from privaudit.auditing.custom_masks import MaskEvaluation, evaluate_masks
    from privaudit.auditing.dry_run import Forecast, plan, plan_audit
    from privaudit.auditing.options import AuditOptions
    from privaudit.auditing.run import audit, run_audit
    from privaudit.auditing.sweep import SweepResult, run_sweep, sweep
    from privaudit.auditing.sweep_options import SweepOptions
    from privaudit.compare import CompareOptions, ComparisonResult, compare_runs, run_comparison
    from privaudit.loading import ModelSource, load_target, register_family
    from privaudit.results.audit_result import AuditFailure, AuditResult
    from privaudit.results.exemplars import load_exemplars
    from privaudit.results.saved_scores import explain, load_samples, load_scores
    from privaudit.tasks.data_overview import DataOverview, describe_set
    from privaudit.tasks.geometry_maps.geometry_map import GeometryMap
    from privaudit.tasks.geometry_maps.mapping import geometry, run_geometry
    from privaudit.tasks.geometry_options import GeometryOptions
    from privaudit.tasks.invert_options import InvertOptions
    from privaudit.tasks.inverting import InvertedSet, invert, run_inversion
    from privaudit.tasks.origin_options import OriginOptions
    from privaudit.tasks.origin_test import OriginResult, origin, run_origin

_LAZY = {
    "AuditFailure": "privaudit.results.audit_result",
    "AuditOptions": "privaudit.auditing.options",
    "AuditResult": "privaudit.results.audit_result",
    "CheckpointSweepResult": "privaudit.auditing.checkpoint_sweep",
    "CompareOptions": "privaudit.compare",
    "ComparisonResult": "privaudit.compare",
    "DataOverview": "privaudit.tasks.data_overview",
    "Forecast": "privaudit.auditing.dry_run",
    "GeometryMap": "privaudit.tasks.geometry_maps.geometry_map",
    "GeometryOptions": "privaudit.tasks.geometry_options",
    "InvertOptions": "privaudit.tasks.invert_options",
    "InvertedSet": "privaudit.tasks.inverting",
    "MaskEvaluation": "privaudit.auditing.custom_masks",
    "ModelSource": "privaudit.loading",
    "OriginOptions": "privaudit.tasks.origin_options",
    "OriginResult": "privaudit.tasks.origin_test",
    "SweepOptions": "privaudit.auditing.sweep_options",
    "SweepResult": "privaudit.auditing.sweep",
    "audit": "privaudit.auditing.run",
    "compare_runs": "privaudit.compare",
    "describe_set": "privaudit.tasks.data_overview",
    "evaluate_masks": "privaudit.auditing.custom_masks",
    "explain": "privaudit.results.saved_scores",
    "geometry": "privaudit.tasks.geometry_maps.mapping",
    "invert": "privaudit.tasks.inverting",
    "load_exemplars": "privaudit.results.exemplars",
    "load_samples": "privaudit.results.saved_scores",
    "load_scores": "privaudit.results.saved_scores",
    "load_target": "privaudit.loading",
    "origin": "privaudit.tasks.origin_test",
    "plan": "privaudit.auditing.dry_run",
    "plan_audit": "privaudit.auditing.dry_run",
    "register_attack": "privaudit.attacks",
    "register_family": "privaudit.loading",
    "run_audit": "privaudit.auditing.run",
    "run_checkpoint_sweep": "privaudit.auditing.checkpoint_sweep",
    "run_comparison": "privaudit.compare",
    "run_geometry": "privaudit.tasks.geometry_maps.mapping",
    "run_inversion": "privaudit.tasks.inverting",
    "run_origin": "privaudit.tasks.origin_test",
    "run_sweep": "privaudit.auditing.sweep",
    "sweep": "privaudit.auditing.sweep",
    "sweep_checkpoints": "privaudit.auditing.checkpoint_sweep",
}

__all__ = [
    "AuditFailure",
    "AuditOptions",
    "AuditResult",
    "CheckpointSweepResult",
    "CompareOptions",
    "ComparisonResult",
    "DataOverview",
    "Forecast",
    "GeometryMap",
    "GeometryOptions",
    "InvertOptions",
    "InvertedSet",
    "MaskEvaluation",
    "ModelSource",
    "OriginOptions",
    "OriginResult",
    "PrivauditError",
    "SweepOptions",
    "SweepResult",
    "__version__",
    "audit",
    "compare_runs",
    "describe_set",
    "evaluate_masks",
    "explain",
    "geometry",
    "invert",
    "load_exemplars",
    "load_samples",
    "load_scores",
    "load_target",
    "origin",
    "plan",
    "plan_audit",
    "register_attack",
    "register_family",
    "run_audit",
    "run_checkpoint_sweep",
    "run_comparison",
    "run_geometry",
    "run_inversion",
    "run_origin",
    "run_sweep",
    "sweep",
    "sweep_checkpoints",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public object
    if name not in _LAZY:
        raise AttributeError(f"module 'privaudit' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
