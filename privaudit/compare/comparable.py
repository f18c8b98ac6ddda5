"""Whether two runs measured the same quantity, and what else differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from privaudit.auditing.option_table import in_order_of_help, table
from privaudit.auditing.options import AuditOptions
from privaudit.compare.compare_options import KINDS, CompareOptions
from privaudit.compare.comparison import Mismatch, NotCompared, Setting
from privaudit.errors import ConfigError
from privaudit.results.audit_result import AttackReport, AuditResult

OPTIONS = {name: entry.quantity for name, entry in (in_order_of_help(AuditOptions) | table(AuditOptions)).items()}
"""By option of an audit, the kind of difference that makes its numbers another quantity."""
QUANTITIES = sorted(
    (name for name in OPTIONS if OPTIONS[name] in KINDS), key=lambda name: [*KINDS].index(OPTIONS[name])
)
"""Options of which a difference is one of `KINDS`, by kind."""

PACKAGES = ("torch", "diffusers", "transformers", "numpy", "scikit-learn")


def require_comparable(old: AuditResult, new: AuditResult, options: CompareOptions) -> tuple[Mismatch, ...]:
    """Refuse runs that did not measure the same quantity.

    Returns:
        What differs and was allowed.

    Raises:
        ConfigError: Something differs that was not allowed; all of it is named.
    """
    found = mismatches(old, new)
    refused = [item for item in found if not options.allows(item.kind)]
    if refused:
        raise ConfigError([
            f"expected the same {item.what} in both runs, got {item.old} in OLD and {item.new} in NEW "
            f"({KINDS[item.kind]}); scan again alike, or compare all the same with --allow {item.kind}"
            for item in refused
        ])
    return found


def mismatches(old: AuditResult, new: AuditResult) -> tuple[Mismatch, ...]:
    """List what makes the numbers of two runs different quantities."""
    found = []
    if old.data.design != new.data.design:
        found.append(Mismatch("design", "kind of audit", old.data.design, new.data.design))
    if old.data.split_hash != new.data.split_hash:
        found.append(Mismatch("split", "split", _split(old), _split(new)))
    where = [run.config.get(name) for run in (old, new) for name in ("geometry_latents", "attack_latents")]
    for name in QUANTITIES:
        one, other = old.config.get(name), new.config.get(name)
        if one != other and ("inversion" in where or name != "solver"):
            found.append(Mismatch(OPTIONS[name], name, _text(one), _text(other)))
    for name, one_line, other_line in common(old, new):
        found += _presets(name, one_line, other_line)
    return tuple(found)


def common(old: AuditResult, new: AuditResult) -> tuple[tuple[str, AttackReport, AttackReport], ...]:
    """Pair the attacks of two runs.

    Returns:
        Name and both reports of each attack that is in both, in the order of the new run.
    """
    before = {report.name: report for report in old.attacks}
    return tuple((report.name, before[report.name], report) for report in new.attacks if report.name in before)


def unlike_evidence(old: AuditResult, new: AuditResult) -> tuple[NotCompared, ...]:
    """List scores that are made of other attacks in either run, so that they are other scores.

    Returns:
        One entry per learned score of both runs; empty if it was made of the same attacks.
    """
    one, other = _evidence(old), _evidence(new)
    if one == other:
        return ()
    return tuple(
        NotCompared(name, tuple(sorted(one ^ other)))
        for name, report, _ in common(old, new)
        if report.kind == "learned"
    )


def other_settings(old: AuditResult, new: AuditResult) -> tuple[Setting, ...]:
    """List what else differs and a reader should know."""
    sources = {
        "family": (old.target.family, new.target.family),
        "prediction": (old.target.prediction_type, new.target.prediction_type),
        "latent shape": (old.target.latent_shape, new.target.latent_shape),
        "privaudit": (old.privaudit_version, new.privaudit_version),
        "device": (old.hardware.get("device"), new.hardware.get("device")),
        **{name: (old.hardware.get(name), new.hardware.get(name)) for name in PACKAGES},
        "unreadable files": (len(old.data.skipped), len(new.data.skipped)),
        **{
            name.replace("_", " "): (old.config.get(name), new.config.get(name))
            for name, kind in OPTIONS.items()
            if kind == "setting"
        },
    }
    return tuple(Setting(name, _text(one), _text(other)) for name, (one, other) in sources.items() if one != other)


def _evidence(result: AuditResult) -> set[str]:
    return {report.name for report in result.attacks if report.kind != "learned"}


def _presets(name: str, old: AttackReport, new: AttackReport) -> list[Mismatch]:
    parts: Mapping[str, tuple[Any, Any]] = {
        "kind": (old.kind, new.kind),
        "latents": (old.latents, new.latents),
        **{
            key: (old.parameters.get(key), new.parameters.get(key))
            for key in dict.fromkeys([*old.parameters, *new.parameters])
        },
        "candidates": (old.search_space, new.search_space),
    }
    differ = {key: pair for key, pair in parts.items() if pair[0] != pair[1]}
    if "levels" in differ:  # the candidates are these levels
        differ.pop("candidates", None)
    return [Mismatch("preset", f"{key} of {name}", _text(one), _text(other)) for key, (one, other) in differ.items()]


def _split(result: AuditResult) -> str:
    return f"{result.data.split_hash[:12]} of {result.data.positives} and {result.data.nonmembers} images"


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ",".join(_text(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
