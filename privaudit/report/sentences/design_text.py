"""Sentences about the tests of special designs: images of unknown membership, and canaries drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence

from privaudit.evaluation.canary_audit import SIGNIFICANCE, CanaryReport
from privaudit.evaluation.direction import DIRECTION
from privaudit.evaluation.doubts import doubtful_checks
from privaudit.evaluation.facts import Check, Fact
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.reading_checks import READING_CHECKS, failed_readings
from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.numbers import COMPACT, Style, counted, of_hundred, p_text
from privaudit.report.sentences.fact_text import fact_text, facts_text, sentence
from privaudit.report.sentences.names import candidate_text, taken_text
from privaudit.results.audit_result import AuditResult

SUSPECTS_TITLE = "Suspects: was the model trained on images of unknown membership?"
CONDITION = (
    "This holds only if the suspects differ from the non-members in nothing but membership: one source, one way of "
    "preparing the files, and no choice of the suspects by what the model does with them."
)


def suspect_statement(report: SuspectReport) -> str:
    """Say what the test of the suspects shows, and what it does not show."""
    if misread := [name for name in report.failed_checks if name in READING_CHECKS]:
        return (
            "Whether the model was trained on the suspects cannot be told as the model was read: it may be read "
            f"otherwise than it was trained (failed checks: {', '.join(misread)})."
        )
    if DIRECTION in report.failed_checks:
        return (
            "Whether the model was trained on the suspects cannot be told from these images: the model fits the "
            f"non-members better than what they are compared with (failed checks: {', '.join(report.failed_checks)})."
        )
    if report.failed_checks:
        return (
            "Whether the model was trained on the suspects cannot be told from these images. Suspects and non-members "
            f"differ even without the model (failed checks: {', '.join(report.failed_checks)}), so high scores need "
            "not come from training on the suspects."
        )
    # Count and rate of the flags belong together: both are of the false discovery rate that allows most flags.
    one, flagged, rate = report.count == 1, flagged_count(report), max(map(float, report.flagged), default=0.0)
    those = "this image" if one else f"some of these {report.count} images"
    them = "it scores" if one else "together they score"
    against = f"than {report.nonmembers} images that are known not to be in the training set ({p_text(report.set_p)})"
    if report.set_p <= report.alpha:
        first = f"There is evidence that the model was trained on {those}: {them} higher {against}."
    elif flagged and not one:
        first = f"As a set they are no evidence: {them} not clearly higher {against}. Single images do stand out."
    else:
        first = (
            f"No evidence was found that the model was trained on {those}: {them} not clearly higher {against}. This "
            f"does not clear {'it' if one else 'them'}."
        )
    second = "Nothing can be said with certainty about a single image."
    if not one:
        second = "No image stands out enough to be flagged by itself."
        if flagged:
            are = f"{counted(flagged, 'image')} {'is' if flagged == 1 else 'are'}"
            second = f"{are} flagged singly; up to {COMPACT.percent(rate)} of such flags are expected to be wrong."
    return f"{first} {second} Evidence is not proof. {CONDITION}"


def suspect_lines(report: SuspectReport, style: Style) -> tuple[tuple[str, str], ...]:
    """List what the test of the suspects rests on: names, and a line for each."""
    known = f"; {report.known_members} known members" if report.known_members else ""
    lines = [
        (
            "compared",
            f"{_images(report.count, 'suspect', report.suspect_groups)} with "
            f"{_images(report.nonmembers, 'non-member', report.nonmember_groups)}{known}",
        ),
        ("as a set", f"{set_p_meaning(report)}; evidence at {report.alpha:g} or less"),
        ("score", f"{_chosen(report)}: {_how_chosen(report)}"),
        ("next to it", _descriptions(report, style)),
        ("how often wrong", null_text(report, style)),
        ("singly", f"{flagged_text(report)}; the smallest possible p is {report.smallest_p:.2g}"),
    ]
    if report.cautions:
        lines.append(("keep in mind", facts_text(report.cautions)))
    return tuple(lines)


def set_p_meaning(report: SuspectReport) -> str:
    """Say what the p-value of the set means."""
    if math.isnan(report.set_p):
        return "p n/a: the set was not tested"
    permutations = counted(report.permutations, "permutation")
    return f"{p_text(report.set_p)}: the chance of scores this high if the model was trained on none ({permutations})"


def null_text(report: SuspectReport, style: Style) -> str:
    """Say how often the procedure finds evidence among non-members, where there is none."""
    rate = report.type_i_rate
    if math.isnan(rate.value):
        return _not_measured(rate.reason)
    note = "" if rate.reason is None else f" ({fact_text(rate.reason)})"
    return (
        f"{style.estimate(rate)} of {report.type_i_repeats} splits of the non-members gave p at most {report.alpha:g} "
        f"({style.percent(report.alpha)} are expected), {style.estimate(report.false_flag_rate)} flagged an image{note}"
    )


def flagged_text(report: SuspectReport) -> str:
    """Say how many single suspects are flagged."""
    counts = [
        f"{count} at a false discovery rate of {COMPACT.percent(float(rate))}" for rate, count in report.flagged.items()
    ]
    return f"flagged: {', '.join(counts) or 'none'}"


def set_p_of_hundred(report: SuspectReport) -> str:
    """Write the p-value of the set as a count of 100 cases."""
    return of_hundred(report.set_p) if report.set_p >= 0.001 else "fewer than 0.1"


def flagged_count(report: SuspectReport | None) -> int:
    """Count the flagged suspects, at the false discovery rate that flags most; 0 without suspects."""
    return 0 if report is None else max(report.flagged.values(), default=0)


def _not_measured(reason: Fact | None) -> str:
    return f"not measured{'' if reason is None else f': {fact_text(reason)}'}"


def _images(images: int, noun: str, groups: int) -> str:
    of_groups = "" if images == groups else f" ({counted(groups, 'group')})"
    return f"{counted(images, noun)}{of_groups}"


def _chosen(report: SuspectReport) -> str:
    others = [candidate_text(c) for c in report.chosen_by_fold if c != report.chosen]
    return f"{candidate_text(report.chosen)}{f', in other folds {taken_text(others)}' if others else ''}"


def _how_chosen(report: SuspectReport) -> str:
    space = counted(len(report.search_space), "candidate")
    if report.known_members:
        return f"the best of {space} for {report.known_members} known members against suspects and non-members together"
    return f"the best of {space} for suspects against non-members, chosen anew in every permutation and for every image"


def _descriptions(report: SuspectReport, style: Style) -> str:
    area, welch = f"AUROC {style.number(report.auroc)}", f"Welch's {p_text(report.welch_p)}"
    if report.known_members:
        return f"{area}, {welch}; descriptions only"
    return (
        f"with the score chosen on other folds {p_text(report.out_of_fold_p)}; {area} and {welch} (as if folds were "
        "independent) are descriptions only"
    )


CANARIES_TITLE = "Canaries: drawn at random, so the false-positive rate is known"


def canary_statement(report: CanaryReport, checks: Sequence[Check] = ()) -> str:
    """Say what the guesses about the canaries show, given the checks of the audit."""
    if not report.guesses:
        return sentence(_not_measured(report.reason))
    right = f"{report.correct} of {report.guesses} guesses about canaries were right"
    if report.epsilon_lower > 0.0:
        private = f"(epsilon, {report.delta:g})" if report.delta else "epsilon"
        shows = (
            f"{right}: at {COMPACT.percent(report.confidence)} confidence this training is not "
            f"{private}-differentially private for any epsilon below {report.epsilon_lower:.3g}."
        )
    else:
        shows = f"{right}, too few to show that epsilon is above 0."
    if math.isnan(report.p):
        return shows
    if report.p <= SIGNIFICANCE:
        return (
            f"{shows} Evidence of leakage: scores like these would be rare if the model knew nothing of the coins "
            f"({p_text(report.p)})."
        )
    if misread := failed_readings(checks):
        return (
            f"{shows} This says nothing about leakage, since the model may be read otherwise than it was trained "
            f"(failed checks: {', '.join(misread)})."
        )
    if hiding := [*failed_checks(checks), *doubtful_checks(checks)]:
        names = ", ".join(check.name for check in hiding)
        return f"{shows} This says nothing about leakage, since something can hide it (checks: {names})."
    return f"{shows} No evidence of leakage by these attacks ({p_text(report.p)})."


def canary_lines(report: CanaryReport, style: Style) -> tuple[tuple[str, str], ...]:
    """List what the audit of canaries rests on: names, and a line for each."""
    if not report.guesses:
        return (("result", _not_measured(report.reason)),)
    delta = f", delta {report.delta:g}" if report.delta else ""
    chance = f"{p_text(report.p)}: the chance of such scores if the model knew nothing of the coins"
    if math.isnan(report.p):
        chance = "n/a" if report.reason is None else fact_text(report.reason)
    return (
        (
            "canaries",
            f"{report.canaries}: {report.pilot} to choose on, {report.audited} audited ({report.included} of them "
            "trained on)",
        ),
        ("score", f"{candidate_text(report.chosen)}, out of {counted(len(report.search_space), 'candidate')}"),
        ("guesses", f"{report.guesses_in} in, {report.guesses_out} out; {report.correct} of {report.guesses} right"),
        (
            "epsilon",
            f"at least {style.number(report.epsilon_lower)} ({style.percent(report.confidence)} confidence{delta}); "
            f"even a perfect attack could have shown only {style.number(report.epsilon_most)}",
        ),
        ("chance", f"{chance} ({counted(report.draws, 'rearrangement')} of the audited coins)"),
    )


def canary_reach(result: AuditResult) -> str:
    """Say what the audit of canaries could have shown at most; empty without such an audit."""
    report = result.canaries
    if report is None or math.isnan(report.epsilon_most):
        return ""
    return f"Even a perfect attack could have shown an epsilon of only {report.epsilon_most:.1f} with these canaries."
