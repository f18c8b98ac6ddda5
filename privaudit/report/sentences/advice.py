"""Advice: what a reader should do next."""

from __future__ import annotations

from dataclasses import dataclass

from privaudit.evaluation.direction import DIRECTION
from privaudit.evaluation.doubts import doubtful_checks
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.reading_checks import CONDITION, PREDICTION, READING_CHECKS, SCALE
from privaudit.report.sentences.design_words import positives_text, words_of
from privaudit.report.sentences.model_text import header_advice
from privaudit.report.sentences.overall import has_rate, is_tight
from privaudit.report.sentences.verdict_text import names_of, undecided
from privaudit.results.audit_result import AuditResult

FEW_IMAGES = 100
"""Images in the smaller set up to which advice is about where to get more from (``benchmarks/small_sets.py``)."""
_URGENT = {
    "high": "Do not publish the model, its weights or access to its denoiser if it must stay secret whether an "
    "image or a person was in the training set.",
    "medium": "Assume that anyone who can query the denoiser can recognise part of the training images.",
    "low": "The model shows a weak trace of its training images. Whether it matters depends on how sensitive they are.",
}


@dataclass(frozen=True)
class Step:
    """A piece of advice.

    Attributes:
        text: One sentence.
        reads_checks: Whether the advice is to read the checks, so that a page can link to them.
    """

    text: str
    reads_checks: bool = False


def advice(result: AuditResult) -> tuple[Step, ...]:
    """List what a reader should do next, the most urgent first."""
    level, data, steps = result.verdict.finding.level, result.data, []
    if failed := {check.name for check in failed_checks(result.checks)}:
        if misread := [name for name in (SCALE, PREDICTION) if name in failed]:
            steps.append(
                f"Correct how the model is read ({', '.join(misread)}), for example with --override "
                "scheduler.prediction_type=v_prediction or --override vae.scaling_factor=0.18215, and scan again."
            )
        elif CONDITION in failed:
            steps.append("Check that captions or labels, and the text encoder, are those of the training; scan again.")
        if DIRECTION in failed:
            steps.append(_about_direction(result))
        if unfit := [check.name for check in result.checks if check.name in failed - {*READING_CHECKS, DIRECTION}]:
            steps.append(
                f"Fix what makes the images unsuitable for this audit ({', '.join(unfit)}) and scan again: both sets "
                "should be drawn from one source and prepared by one program."
            )
    elif level == "unclear" and (doubtful := doubtful_checks(result.checks)):
        names = ", ".join(check.name for check in doubtful)
        steps.append(f"Settle what can hide a leak, as the checks say ({names}), and scan again.")
    elif level in _URGENT:  # what to do about a leak comes before gates that need more images
        steps += (_about_leak(level) if data.membership_known else _about_evidence()) + [*undecided(result)]
    else:
        steps += undecided(result)
        if level == "unclear" and not steps:
            more = "Add images to both sets, to the smaller one first, and scan again: so few cannot tell."
            steps.append(
                "Draw more canaries, and train and scan again: so few cannot tell." if data.drawn_at_random else more
            )
        elif level == "none":
            steps += _about_nothing(result)
        if _is_small(result):
            steps += _about_few()
    steps += header_advice(result.target.files)
    further = []
    if warned := names_of(result, "warn"):
        further.append(Step(f"Read the checks that warn before you quote a number: {warned}.", reads_checks=True))
    if not result.verdict.gates and level != "unclear" and data.membership_known:
        gate = "tpr@1%fpr>0.05" if has_rate(result) else "auroc>0.6"
        further.append(
            Step(
                f"In a pipeline, set a gate, such as --fail-on '{gate}', so that the pipeline stops when the leak is "
                "larger than you accept."
            )
        )
    return (*map(Step, steps), *further)


def _about_direction(result: AuditResult) -> str:
    if result.data.drawn_at_random:
        return (
            "Look up which side of the draw the training used (train.csv lists the included canaries), correct it, and "
            "train and scan again."
        )
    first = words_of(result.data).positives
    return (
        f"Look up which folder the model was trained on. If --{first} and --nonmembers are exchanged, exchange them "
        "and scan again; if not, take non-members that were never trained on, from the source of the others."
    )


def _is_small(result: AuditResult) -> bool:
    """Whether members are known and so few images were compared that more may not exist."""
    data = result.data
    known = data.membership_known and not data.drawn_at_random
    return known and min(data.positives, data.nonmembers) <= FEW_IMAGES


def _about_few() -> list[str]:
    return [
        "Non-members for so few images come from the same source: the same subject, camera and session, prepared by "
        "the same program, and held out before the training. Images of another source differ without the model.",
        "If none were held out, draw canaries from the images before the next training (privaudit canaries make): a "
        "coin per image makes both sets alike, so that less can go wrong with so few.",
    ]


def _about_leak(level: str) -> list[str]:
    return [
        _URGENT[level],
        "To leak less: stop training earlier, train on more and deduplicated images, or train with differential "
        "privacy; then scan again with the same images and compare the two runs.",
    ]


def _about_evidence() -> list[str]:
    return [
        "Treat this as evidence about the set and not as proof about one image. Before you act on it, have someone "
        "repeat the test with other non-members from the same source."
    ]


def _about_nothing(result: AuditResult) -> list[str]:
    data = result.data
    if not data.membership_known:
        return [
            "Do not take this as proof that the model was not trained on them. More suspects would show weaker traces."
        ]
    if result.verdict.status == "inconclusive":
        return []
    if result.verdict.status == "fail":
        return ["Add images to both sets, so that the limits become tighter, or justify a less strict gate."]
    if not is_tight(result):
        if _is_small(result):
            return [
                f"Do not rely on this: {positives_text(data)} and {data.nonmembers} non-members show only strong leaks."
            ]
        return [
            f"{words_of(data).more} before you rely on this: {positives_text(data)} and {data.nonmembers} non-members "
            "show only strong leaks."
        ]
    return [
        "Keep the report with the model. It covers these attacks and images only: audit again after further training, "
        "and with more images if a smaller leak would matter."
    ]
