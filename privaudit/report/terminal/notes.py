"""Sections below the tables: suspects and canaries, the checks, what to do next, what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.text import Text

from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.evaluation.facts import Check
from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.numbers import COMPACT, counted
from privaudit.report.sentences import design_text
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.design_words import positives_text
from privaudit.report.sentences.lines import reach_lines, scale_text
from privaudit.report.sentences.model_text import file_lines, reference_line
from privaudit.report.sentences.names import CRITERIA, attack_text, choice_name, settings_text, taken_text
from privaudit.report.sentences.set_text import set_lines
from privaudit.report.sentences.verdict_text import check_text
from privaudit.report.terminal.console import rows, section
from privaudit.results.audit_result import AuditResult

MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


def suspect_section(report: SuspectReport, *, stated: bool) -> Group:
    """Lay out the test of the suspects, with its statement if ``stated``."""
    statement = design_text.suspect_statement(report) if stated else ""
    return _named_lines(design_text.SUSPECTS_TITLE, design_text.suspect_lines(report, COMPACT), 15, statement)


def canary_section(report: CanaryReport, checks: Sequence[Check], *, stated: bool) -> Group:
    """Lay out the audit of the canaries, with its statement if ``stated``."""
    statement = design_text.canary_statement(report, checks) if stated else ""
    return _named_lines(design_text.CANARIES_TITLE, design_text.canary_lines(report, COMPACT), 9, statement)


def check_section(result: AuditResult) -> Group:
    """List all checks, and the attacks that were not run."""
    checks = [
        (Text(*MARKS[check.status]), Text(f"{check.name}: {check_text(check, result.data)}")) for check in result.checks
    ]
    refused = [(Text(""), Text(f"not run: {item.name} {item.reason}", style="dim")) for item in result.refused]
    return section("Checks", rows([*checks, *refused], 4))


def advice_section(result: AuditResult) -> Group:
    """List what a reader should do next."""
    return section("What to do", _bullets([step.text for step in advice(result)]))


def reach_section(result: AuditResult) -> Group:
    """State the scope of the finding."""
    return section("Keep in mind", _bullets(reach_lines(result)))


def run_section(result: AuditResult) -> Group:
    """Say what was audited, how and where."""
    target, config = result.target, result.config
    files = file_lines(result)
    seconds = ", ".join(f"{stage} {value:.0f} s" for stage, value in result.timing.items() if value >= 0.5)
    shape = "x".join(map(str, target.latent_shape))
    lines = [
        ("target", f"{target.family}, {target.prediction_type}, latents {shape}, hash {target.hash[:12]}"),
        *(("with" if number == 0 else "", f"{name}: {about}") for number, (name, about) in enumerate(files)),
        *([("told", settings_text(target.settings))] if target.settings else []),
        ("images", _images(result)),
        *(("", f"{name}: {line}") for name, line in set_lines(result.data)),
        ("scores", scale_text(result)),
        *([("", reference)] if (reference := reference_line(result)) else []),
        (
            "how",
            f"attacks at the {config['attack_latents']} latents, geometry at the {config['geometry_latents']} latents "
            f"({_how_influence(config)}), levels {_how_levels(result)}, seed {config['seed']}",
        ),
        *(("chosen" if number == 0 else "", line) for number, line in enumerate(_choices(result))),
        ("on", f"{_machine(result.hardware)}; {sum(result.timing.values()):.0f} s: {seconds}"),
    ]
    return section("What was run", rows([(Text(name), Text(line)) for name, line in lines], 7))


def _machine(hardware: Mapping[str, object]) -> str:
    """Name device, cores and torch; a report of an earlier version may not have all of them."""
    parts = {"device": "{}", "cores": "{} cores", "torch": "torch {}"}
    return ", ".join(text.format(hardware[name]) for name, text in parts.items() if name in hardware)


def _named_lines(title: str, lines: Sequence[tuple[str, str]], indent: int, statement: str) -> Group:
    body = rows([(Text(name), Text(line)) for name, line in lines], indent)
    return section(title, Group(body, Text(statement)) if statement else body)


def _bullets(sentences: Sequence[str]) -> Group:
    return Group(rows([(Text("-"), Text(sentence)) for sentence in sentences], 1))


def _images(result: AuditResult) -> str:
    data = result.data
    suspects_too = f", {data.additional_suspects} suspects" if data.additional_suspects else ""
    near = f", {counted(data.near_duplicates, 'pair')} of near-duplicates kept together" if data.near_duplicates else ""
    return (
        f"{positives_text(data)}, {data.nonmembers} non-members{suspects_too}, {data.duplicates_removed} duplicates "
        f"removed{near}, {len(data.skipped)} skipped"
    )


def _choices(result: AuditResult) -> list[str]:
    """Write one line per kind of choice: what the folds of each score chose, out of how many candidates."""
    kinds: dict[str, list[str]] = {}
    for report in result.attacks:
        for choice in report.choices:
            kind = f"{choice_name(choice)} by {CRITERIA[choice.criterion]}"
            taken = f"{attack_text(report.name)} {taken_text(choice.by_fold)}, {len(choice.search_space)} tried"
            kinds.setdefault(kind, []).append(taken)
    return [f"{kind}: {'; '.join(taken)}" for kind, taken in kinds.items()]


def _how_influence(config: Mapping[str, object]) -> str:
    """Name the estimator, and the options of the masks that are not the default."""
    parts = [str(config["influence"])]
    if config.get("gamma", 1.0) != 1.0:
        parts.append(f"weights to the power {config['gamma']:g}")
    if config.get("mask_scope") == "set":
        parts.append("one mask for all images")
    return ", ".join(parts)


def _how_levels(result: AuditResult) -> str:
    fixed = [len(report.search_space) == 1 for report in result.attacks if report.search_space]
    return "fixed beforehand" if all(fixed) else "by cross-fitting" + (" where there are several" if any(fixed) else "")
