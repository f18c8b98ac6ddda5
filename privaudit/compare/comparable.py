"""Whether two runs measured the same quantity, and what else differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from privaudit.auditing.image_options import ImageOptions
from privaudit.auditing.option_table import in_order_of_help, table
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.reference_option import reference_text
from privaudit.compare.compare_options import KINDS, CompareOptions
from privaudit.compare.comparison import Mismatch, NotCompared, Setting
from privaudit.errors import ConfigError
from privaudit.model.model_files import short_path
from privaudit.results.audit_result import AttackReport, AuditResult

OPTIONS = {name: entry.quantity for name, entry in (in_order_of_help(AuditOptions) | table(AuditOptions)).items()}
"""By option of an audit, the kind of difference (`KINDS`) between runs in which the option differs."""
QUANTITIES = sorted(
    (name for name in OPTIONS if OPTIONS[name] in KINDS), key=lambda name: [*KINDS].index(OPTIONS[name])
)
"""Options in which a difference is one of `KINDS`, ordered by kind."""

DEFAULTS = {name: entry.unset for name, entry in table(ImageOptions).items()}
"""Defaults of options that runs of earlier versions may lack."""
FILES = ("lora", "components", "embeddings", "config_from")
"""Options that name files of the model, which are compared by name and not by folder."""
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "scikit-learn")


def require_comparable(old: AuditResult, new: AuditResult, options: CompareOptions) -> tuple[Mismatch, ...]:
    """Refuse runs that did not measure the same quantity.

    Returns:
        The allowed differences.

    Raises:
        ConfigError: The runs differ in a way that was not allowed; every such difference is named.
    """
    differences = mismatches(old, new)
    refused = [item for item in differences if not options.allows(item.kind)]
    if refused:
        raise ConfigError([
            f"expected the same {item.what} in both runs, got {item.old} in OLD and {item.new} in NEW "
            f"({KINDS[item.kind]}); scan again with the same options, or compare anyway with --allow {item.kind}"
            for item in refused
        ])
    return differences


def mismatches(old: AuditResult, new: AuditResult) -> tuple[Mismatch, ...]:
    """List the differences that make the numbers of two runs different quantities."""
    differences = []
    if old.data.design != new.data.design:
        differences.append(Mismatch("design", "kind of audit", old.data.design, new.data.design))
    if old.data.split_hash != new.data.split_hash:
        differences.append(Mismatch("split", "split", _split(old), _split(new)))
    latents = [run.config.get(name) for run in (old, new) for name in ("geometry_latents", "attack_latents")]
    for name in QUANTITIES:
        before, after = (_option(run, name) for run in (old, new))
        # The solver has no effect on a run that inverts nothing.
        if before != after and ("inversion" in latents or name != "solver"):
            differences.append(Mismatch(OPTIONS[name], name, _text(before), _text(after)))
    for name, before, after in common_attacks(old, new):
        differences += _attack_mismatches(name, before, after)
    return tuple(differences)


def common_attacks(old: AuditResult, new: AuditResult) -> tuple[tuple[str, AttackReport, AttackReport], ...]:
    """Pair the attacks that both runs have.

    Returns:
        Name, old report and new report of each attack, in the order of the new run.
    """
    before = {report.name: report for report in old.attacks}
    return tuple((report.name, before[report.name], report) for report in new.attacks if report.name in before)


def incomparable_scores(old: AuditResult, new: AuditResult) -> tuple[NotCompared, ...]:
    """List the learned scores of both runs that were fitted to the scores of different attacks.

    Returns:
        One entry per learned score that both runs have; empty if both runs have the same attacks.
    """
    before, after = _input_attacks(old), _input_attacks(new)
    if before == after:
        return ()
    return tuple(
        NotCompared(name, tuple(sorted(before ^ after)))
        for name, report, _ in common_attacks(old, new)
        if report.kind == "learned"
    )


def differing_settings(old: AuditResult, new: AuditResult) -> tuple[Setting, ...]:
    """List the differences that do not prevent a comparison and that a reader should know."""
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
            if kind == "setting" and name not in FILES
        },
    }
    settings = [(name, _text(before), _text(after)) for name, (before, after) in sources.items() if before != after]
    settings += [(name.replace("_", " "), *_files(old, new, name)) for name in FILES]
    return tuple(Setting(*setting) for setting in settings if setting[1] != setting[2])


def _option(run: AuditResult, name: str) -> Any:  # noqa: ANN401 - a JSON value
    """Value of an option; a model with adapters is its own reference without them, unless another is named."""
    if name != "reference":
        # A run of an earlier version lacks the options that it did not have, which then had the effect of the default.
        return run.config.get(name, DEFAULTS.get(name))
    # Without its adapters, a model has no embeddings either, so that these do not change the reference.
    return reference_text({**run.config, "embeddings": None})


def _files(old: AuditResult, new: AuditResult, name: str) -> tuple[str, str]:
    """Name the files of an option in both runs by the last part of their paths."""
    texts = [_text(run.config.get(name)) for run in (old, new)]
    before, after = (_short(run.config.get(name)) for run in (old, new))
    # Files of two folders may have the same name.
    return (before, f"another {after}") if before == after and texts[0] != texts[1] else (before, after)


def _short(value: Any) -> str:  # noqa: ANN401 - a JSON value
    items = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    names = []
    for item in map(str, items):
        component, equals, place = item.partition("=")
        names.append(f"{component}={short_path(place)}" if equals and "/" not in component else short_path(item))
    return ", ".join(names) or "none"


def _input_attacks(result: AuditResult) -> set[str]:
    """Attacks whose scores a learned score of the run is fitted to."""
    return {report.name for report in result.attacks if report.kind != "learned"}


def _attack_mismatches(name: str, old: AttackReport, new: AttackReport) -> list[Mismatch]:
    parts: Mapping[str, tuple[Any, Any]] = {
        "kind": (old.kind, new.kind),
        "latents": (old.latents, new.latents),
        **{
            key: (old.parameters.get(key), new.parameters.get(key))
            for key in dict.fromkeys([*old.parameters, *new.parameters])
        },
        "candidates": (old.search_space, new.search_space),
    }
    differences = {key: pair for key, pair in parts.items() if pair[0] != pair[1]}
    if "levels" in differences:  # the candidates are these levels, so the same difference would be named twice
        differences.pop("candidates", None)
    return [
        Mismatch("preset", f"{key} of {name}", _text(before), _text(after))
        for key, (before, after) in differences.items()
    ]


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
