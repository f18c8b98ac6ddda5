"""What stands below the tables: the checks, what to do next, what was run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from rich.console import Group
from rich.text import Text

from privaudit.evaluation import Choice
from privaudit.report.console import rows, section
from privaudit.report.design_words import counted
from privaudit.report.found import reach_lines
from privaudit.report.words import advice, scale_text
from privaudit.results.audit_result import AuditResult

MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


def check_section(result: AuditResult) -> Group:
    """List what could make the numbers untrustworthy, and what was not run."""
    found = [(Text(*MARKS[check.status]), Text(f"{check.name}: {check.detail}")) for check in result.checks]
    refused = [(Text(""), Text(f"not run: {item.name} {item.reason}", style="dim")) for item in result.refused]
    return section("Checks", rows([*found, *refused], 4))


def advice_section(result: AuditResult) -> Group:
    """List what a reader should do next."""
    return section("What to do", rows([(Text("-"), Text(sentence)) for sentence in advice(result)], 1))


def reach_section(result: AuditResult) -> Group:
    """Say how far the finding reaches."""
    return section("Keep in mind", rows([(Text("-"), Text(sentence)) for sentence in reach_lines(result)], 1))


def run_section(result: AuditResult) -> Group:
    """Say what was audited, how and where."""
    target, config, hardware = result.target, result.config, result.hardware
    seconds = ", ".join(f"{stage} {value:.0f} s" for stage, value in result.timing.items() if value >= 0.5)
    shape = "x".join(map(str, target.latent_shape))
    lines = [
        ("target", f"{target.family}, {target.prediction_type}, latents {shape}, hash {target.hash[:12]}"),
        ("images", _images(result)),
        ("scores", scale_text(result)),
        (
            "how",
            f"attack at the {config['attack_latents']} latents, geometry at the {config['geometry_latents']} latents "
            f"({_how_influence(config)}), levels {_how_levels(result)}, seed {config['seed']}",
        ),
        *(("chosen" if number == 0 else "", line) for number, line in enumerate(_chosen(result))),
        (
            "on",
            f"{hardware['device']}, {hardware['cores']} cores, torch {hardware['torch']}; "
            f"{sum(result.timing.values()):.0f} s: {seconds}",
        ),
    ]
    return section("What was run", rows([(Text(name), Text(line)) for name, line in lines], 7))


def _images(result: AuditResult) -> str:
    data = result.data
    beside = f", {data.additional_suspects} suspects" if data.additional_suspects else ""
    near = f", {data.near_duplicates} near-duplicate pairs kept together" if data.near_duplicates else ""
    return (
        f"{counted(data)}, {data.nonmembers} non-members{beside}, "
        f"{data.duplicates_removed} duplicates removed{near}, {len(data.skipped)} skipped"
    )


def _chosen(result: AuditResult) -> list[str]:
    """One line per kind of choice: what each score's folds took, out of how many."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for report in result.attacks:
        for choice in report.choices:
            of_mask = re.fullmatch(rf"(.+), ({'|'.join(report.masks)}) mask", choice.what)
            what, name = (of_mask[1], f"{report.name} ({of_mask[2]} mask)") if of_mask else (choice.what, report.name)
            kinds.setdefault((what, choice.seen), []).append(f"{name} {_taken(choice)}")
    return [f"{what} by {seen}: {'; '.join(taken)}" for (what, seen), taken in kinds.items()]


def _taken(choice: Choice) -> str:
    """Such as ``60 (2), 80 (1) of 3``: the values, in how many folds each, out of how many."""
    counts = Counter(_label(label) for label in choice.by_fold)
    folds = ", ".join(f"{label} ({count})" if len(counts) > 1 else label for label, count in counts.items())
    return f"{folds} of {len(choice.search_space)}"


def _label(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _how_influence(config: Mapping[str, object]) -> str:
    """The estimator, and what of the masks is not the default."""
    parts = [str(config["influence"])]
    if config.get("gamma", 1.0) != 1.0:
        parts.append(f"weights to the power {config['gamma']:g}")
    if config.get("mask_scope") == "set":
        parts.append("one mask for all images")
    return ", ".join(parts)


def _how_levels(result: AuditResult) -> str:
    fixed = [len(report.search_space) == 1 for report in result.attacks if report.search_space]
    return "fixed beforehand" if all(fixed) else "by cross-fitting" + (" where there are several" if any(fixed) else "")
