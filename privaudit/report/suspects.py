"""Images of unknown membership on the terminal: the answer, what it rests on, how often it would be wrong."""

from __future__ import annotations

import math
from collections import Counter

from rich.console import Console, Group
from rich.text import Text

from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.console import rows, section, standard_output
from privaudit.report.numbers import interval_text, number_text


def print_suspects(report: SuspectReport, console: Console | None = None) -> None:
    """Print what can be said about the suspects.

    Args:
        report: From `privaudit.evaluation.suspects.judge_suspects`.
        console: Standard output by default.
    """
    (console or standard_output()).print(suspects_section(report))


def suspects_section(report: SuspectReport, *, stated: bool = True) -> Group:
    """Lay out what can be said about the suspects.

    Args:
        report: From `privaudit.evaluation.suspects.judge_suspects`.
        stated: End with the statement.

    Returns:
        For a summary on the terminal.
    """
    flagged = ", ".join(f"{count} at {float(rate):.0%}" for rate, count in report.flagged.items())
    known = f", {report.known_members} known members" if report.known_members else ""
    lines = [
        (
            "suspects",
            f"{_number(report.count, report.suspect_groups)} against "
            f"{_number(report.nonmembers, report.nonmember_groups)} non-members{known}",
        ),
        ("set", f"p {_p(report.set_p)} of no member among them, by {report.permutations} permutations"),
        ("", _beside(report)),
        ("null", _null(report)),
        ("images", f"flagged at a false discovery rate: {flagged}; least possible p {report.smallest_p:.2g}"),
        ("score", f"{_chosen(report)}: {report.selected_on}"),
        *([("note", report.reason)] if report.reason else []),
    ]
    found = rows([(Text(name), Text(line)) for name, line in lines], 9)
    title = "Suspects: were images of unknown membership trained on?"
    return section(title, Group(found, Text(report.statement)) if stated else found)


def _number(images: int, groups: int) -> str:
    return f"{images}" if images == groups else f"{images} ({groups} groups)"


def _p(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{value:.2g}" if value > 0.0 else "< 1e-300"


def _beside(report: SuspectReport) -> str:
    area, welch = f"AUROC {number_text(report.auroc)}", f"Welch's p {_p(report.welch_p)}"
    if report.known_members:
        return f"{area}, {welch}"
    return f"with the score chosen on other folds: p {_p(report.out_of_fold_p)}, {area} ({welch} is too small)"


def _null(report: SuspectReport) -> str:
    rate = report.type_i_rate
    if math.isnan(rate.value):
        return f"not measured: {rate.reason}"
    note = f" ({rate.reason})" if rate.reason else ""
    return (
        f"{interval_text(rate)} of {report.type_i_repeats} splits of the non-members gave p <= {report.alpha:g}, "
        f"{interval_text(report.false_flag_rate)} a flagged image{note}"
    )


def _chosen(report: SuspectReport) -> str:
    others = Counter(name for name in report.chosen_by_fold if name != report.chosen)
    if not others:
        return report.chosen
    return f"{report.chosen}, in other folds {', '.join(f'{name} ({count})' for name, count in others.items())}"
