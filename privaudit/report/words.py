"""What every report says in words: the headline, and what to do about it."""

from __future__ import annotations

from privaudit.result import AuditResult

HEADLINES = {
    "none": "NO LEAK FOUND",
    "low": "LEAK FOUND: LOW",
    "medium": "LEAK FOUND: MEDIUM",
    "high": "LEAK FOUND: HIGH",
    "unclear": "INCONCLUSIVE",
}
ABOUT_SUSPECTS = {
    "none": "NO EVIDENCE OF TRAINING ON THE SUSPECTS",
    "unclear": "INCONCLUSIVE",
}
"""Headlines where membership is the question; any other level is evidence."""
SETS = {"members": "members", "canaries": "included canaries", "suspects": "suspects"}
"""What the first of the two compared sets is called."""


def headline(result: AuditResult) -> str:
    """Sum up a result in a few words, in capitals.

    Args:
        result: Of an audit.

    Returns:
        Such as ``LEAK FOUND: HIGH``.
    """
    level = result.verdict.finding.level
    if result.data.role != "suspects":
        return HEADLINES[level]
    flagged = max(result.suspects.flagged.values()) if result.suspects is not None else 0
    if level == "none" and flagged:
        return f"NO EVIDENCE FROM THE SUSPECTS AS A SET, {flagged} FLAGGED SINGLY"
    return ABOUT_SUSPECTS.get(level, "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS")


def advice(result: AuditResult) -> tuple[str, ...]:
    """Say what a reader should do next, the most urgent first.

    Args:
        result: Of an audit.

    Returns:
        One sentence or two each; never empty.
    """
    level, found = result.verdict.finding.level, []
    broken = [check.name for check in result.checks if check.status == "fail"]
    if broken:
        found.append(
            f"Mend what makes the images unfit for this question ({', '.join(broken)}) and scan again: both sets "
            "should be drawn from one source and prepared by one program."
        )
    elif level == "unclear":
        found.append("Add images to both sets, the smaller one first, and scan again: so few cannot tell.")
    elif result.data.role == "suspects":
        found += _about_suspects(level)
    elif level == "none":
        found.append(
            "Keep the report with the model. It speaks of these attacks and images; audit again after further "
            "training and with more images where a smaller leak would matter."
        )
    else:
        found += _about_leak(level)
    warned = [check.name for check in result.checks if check.status == "warn"]
    if warned:
        found.append(f"Read the checks that warn before you quote a number: {', '.join(warned)}.")
    if not result.verdict.gates:
        found.append(
            "Set a gate, such as --fail-on 'tpr@1%fpr>0.05', so that a pipeline stops at more than you accept."
        )
    return tuple(found)


def _about_suspects(level: str) -> list[str]:
    if level == "none":
        return ["Absence of evidence is not proof of absence: more suspects would show a weaker trace."]
    return [
        "Treat this as evidence about the set and not as proof about one image, and have somebody repeat it with other "
        "non-members of the same source before you act on it."
    ]


def _about_leak(level: str) -> list[str]:
    urgent = {
        "high": "Do not publish this model, its weights or an interface to its denoiser if its training images are "
        "confidential.",
        "medium": "Treat the training images as partly exposed to whoever can query the denoiser.",
        "low": "Some trace of the training images is there. Whether it matters depends on how sensitive they are.",
    }
    return [
        urgent[level],
        "To leak less: stop training earlier, train on more and deduplicated images, or train with differential "
        "privacy; then scan again with the same images and compare the two runs.",
    ]
