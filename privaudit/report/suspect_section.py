"""Images of unknown membership on the terminal: the answer, what it rests on, how often it would be wrong."""

from __future__ import annotations

import math
from collections import Counter

from rich.console import Group
from rich.text import Text

from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.console import rows, section
from privaudit.report.numbers import interval_text, number_text, percent, plain_p


def suspects_section(report: SuspectReport, *, stated: bool = True) -> Group:
    """Lay out what can be said about the suspects."""
    flagged = ", ".join(f"{count} at {percent(float(rate))}" for rate, count in report.flagged.items())
    known = f", {report.known_members} known members" if report.known_members else ""
    lines = [
        (
            "suspects",
            f"{_number(report.count, report.suspect_groups)} against "
            f"{_number(report.nonmembers, report.nonmember_groups)} non-members{known}",
        ),
        ("set", f"{p_meaning(report)}; evidence if {report.alpha:g} or less"),
        ("score", f"{_chosen(report)}: {report.selected_on}"),
        ("beside", _beside(report)),
        ("null", null_text(report)),
        ("images", f"flagged at a false discovery rate: {flagged}; least possible p {report.smallest_p:.2g}"),
        *([("note", report.reason)] if report.reason else []),
    ]
    found = rows([(Text(name), Text(line)) for name, line in lines], 9)
    title = "Suspects: were images of unknown membership trained on?"
    return section(title, Group(found, Text(report.statement)) if stated else found)


def p_meaning(report: SuspectReport) -> str:
    """Say what the p-value of the set is the chance of.

    Returns:
        Such as ``p = 0.88: the chance of scores as high if none was trained on (9999 permutations)``.
    """
    if math.isnan(report.set_p):
        return "p n/a: the set was not tested"
    return f"{plain_p(report.set_p)}: the chance of scores as high if none was trained on ({_by(report.permutations)})"


def null_text(report: SuspectReport) -> str:
    """Say how often the procedure finds something among non-members, where there is nothing to find."""
    rate = report.type_i_rate
    if math.isnan(rate.value):
        return f"not measured: {rate.reason}"
    note = f" ({rate.reason})" if rate.reason else ""
    return (
        f"{interval_text(rate)} of {report.type_i_repeats} splits of the non-members gave p <= "
        f"{report.alpha:g} ({percent(report.alpha)} are expected), {interval_text(report.false_flag_rate)} a flagged "
        f"image{note}"
    )


def _number(images: int, groups: int) -> str:
    return f"{images}" if images == groups else f"{images} ({groups} groups)"


def _by(permutations: int) -> str:
    return f"{permutations} permutation{'s' if permutations != 1 else ''}"


def _beside(report: SuspectReport) -> str:
    area, welch = f"AUROC {number_text(report.auroc)}", f"Welch's {plain_p(report.welch_p)}"
    if report.known_members:
        return f"{area}, {welch}"
    tested = f"with the score chosen on other folds: {plain_p(report.out_of_fold_p)}, {area}"
    return f"{tested}; {welch} as if folds were independent"


def _chosen(report: SuspectReport) -> str:
    others = Counter(name for name in report.chosen_by_fold if name != report.chosen)
    if not others:
        return report.chosen
    return f"{report.chosen}, in other folds {', '.join(f'{name} ({count})' for name, count in others.items())}"
