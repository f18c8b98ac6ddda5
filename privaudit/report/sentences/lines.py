"""Sentences at the beginning of every text report, about the run, and about a run that failed."""

from __future__ import annotations

from privaudit.evaluation.finding import TESTED_MASKS
from privaudit.report.numbers import counted, of_hundred
from privaudit.report.quoted import quoted
from privaudit.report.sentences.attacker import NEEDS, NOT_TESTED, base_rate, rests_on, worst_case
from privaudit.report.sentences.design_text import canary_reach
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.finding_text import gives_limit, statement
from privaudit.report.sentences.model_text import header_lines, unmerged_line
from privaudit.report.sentences.names import score_text
from privaudit.report.sentences.overall import answer, answers_with_reach
from privaudit.report.sentences.verdict_text import exit_text, limits_note, pass_meaning
from privaudit.results.audit_result import AuditFailure, AuditResult


def opening_lines(result: AuditResult) -> tuple[str, ...]:
    """State the findings.

    Returns:
        That of the attacks in a sentence, in numbers, for which attacker, what could have been found at most, and about
        which model, if an adapter was left out; then what the files say by themselves.
    """
    worst = worst_case(result) if result.verdict.finding.leaks else ""
    # The answer and the meaning of a passed gate may already contain the reach.
    reach = "" if answers_with_reach(result) or pass_meaning(result) else canary_reach(result)
    lines = (answer(result), statement(result), worst, reach, unmerged_line(result.target))
    return (*filter(None, lines), *header_lines(result.target.files))


def gate_lines(result: AuditResult, code: int | None = None) -> tuple[str, ...]:
    """Say what limits and passed gates mean, and which exit code the scan has (see `exit_text`)."""
    return (*gate_notes(result), exit_text(result, code))


def gate_notes(result: AuditResult) -> tuple[str, ...]:
    """Say what limits and passed gates mean; `opening_lines` may have said the reach."""
    return tuple(filter(None, (limits_note(result), *pass_meaning(result, reach=not answers_with_reach(result)))))


def reach_lines(result: AuditResult) -> tuple[str, ...]:
    """State the scope of the finding: what "no leak" rests on, who an attacker is, how sure one accusation is."""
    if not result.data.membership_known:
        return (NOT_TESTED,)
    sure = f"How sure is one accusation? {base_rate(result)}" if result.verdict.finding.leaks else ""
    return tuple(filter(None, (rests_on(result), NEEDS, sure, NOT_TESTED)))


def score_note(result: AuditResult) -> str:
    """Say which score is quoted, and that its intervals ignore that it was chosen as the best of several."""
    score = quoted(result)
    this = f"This is the attack “{score_text(score.report.name, score.mask)}”"
    compared = sum(mask in TESTED_MASKS for report in result.attacks for mask in report.masks)
    if compared == 1:
        return f"{this}, the only score."
    if result.verdict.finding.attack is None:
        return f"{this}, the strongest attack without mask."
    strongest = f"{this}, the strongest of {compared} scores that were compared"
    limit = result.verdict.finding.limit
    if limit is None or not gives_limit(result):
        return f"{strongest}. Its intervals do not allow for that choice; the p-value of the finding does."
    return f"{strongest}. Quote “at least {of_hundred(limit)}”: only it, and not the intervals, allows for that choice."


def compared_text(result: AuditResult) -> str:
    """Say which images were compared, and how."""
    data = result.data
    sets = words_of(data).compared.format(positives=data.positives, nonmembers=data.nonmembers)
    further = f" (and {counted(data.additional_suspects, 'suspect')})" if data.additional_suspects else ""
    return f"Whether {sets}{further} can be told apart with the model's help. {scale_text(result)}."


def scale_text(result: AuditResult) -> str:
    """Count attacks and scores: ``5 attacks gave 17 scores per image: 13 are compared, ...``."""
    masks = [mask for report in result.attacks for mask in report.masks]
    controls = sum(mask not in TESTED_MASKS for mask in masks)
    scale = f"{counted(len(result.attacks), 'attack')} gave {counted(len(masks), 'score')} per image"
    if not controls:
        return scale
    compared = len(masks) - controls
    random = f"{controls} (random masks) are controls" if controls > 1 else "1 (random mask) is a control"
    return f"{scale}: {compared} {'are' if compared > 1 else 'is'} compared, {random}"


REQUESTED = "What was requested"
"""Heading above the command of a run that failed."""
NOTHING_KNOWN = "The audit ended with an error, so nothing is known about the model."


def remedy(failure: AuditFailure) -> str:
    """Say what to do next."""
    if failure.defect:
        return f"This is a defect of privaudit ({failure.kind}). Please report it with the command and its output."
    problems = "each of these" if len(failure.verdict.reasons) > 1 else "this"
    return f"Fix {problems} and run the same command again: what was already computed is reused."
