"""Names of attacks, masks, scores, candidates and choices in sentences and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from privaudit.evaluation.selection import Candidate, Choice, Criterion, Label
from privaudit.report.numbers import counted
from privaudit.results.audit_result import AttackReport

MASKS = {"none": "no mask", "random": "random mask", "influence": "influence mask", "weighted": "weighted mask"}
FAMILIES = {
    "pixels": "pixel, colour and frequency statistics",
    "compression": "traces of compression and editing",
    "files": "file properties",
    "captions": "captions",
}
"""What each blind classifier looks at."""
QUARTILES = ("lowest", "second", "third", "highest")
"""Quarters of the images by local distortion."""
CRITERIA: Mapping[Criterion, str] = {
    "auroc": "AUROC on the other folds",
    "auroc_no_mask": "AUROC without mask on the other folds",
    "auroc_influence_mask": "AUROC under the influence mask on the other folds",
    "inner_auroc": "AUROC on inner folds of the other folds",
    "inner_auroc_influence_mask": "AUROC under the influence mask on inner folds of the other folds",
    "residual": "absolute residual of non-members on inner folds of the other folds",
}
"""Quantity that is best for the chosen candidate."""


def attack_text(name: str) -> str:
    """Name an attack; one whose name could be taken for a quantity gets a suffix: ``epsilon (attack)``."""
    return "epsilon (attack)" if name == "epsilon" else name


def score_text(attack: str, mask: str) -> str:
    """Name a score, such as ``sima, weighted mask``; without a mask, it has the name of its attack."""
    return attack_text(attack) if mask == "none" else f"{attack_text(attack)}, {MASKS.get(mask, mask)}"


def candidate_text(candidate: Candidate | None) -> str:
    """Name a candidate, such as ``sima at 40, weighted mask``."""
    if candidate is None:
        return "none"
    if candidate.attack is None or candidate.mask is None:
        return "mean of all"
    at = "" if candidate.at is None else f" at {label_text(candidate.at)}"
    return f"{attack_text(candidate.attack)}{at}, {MASKS.get(candidate.mask, candidate.mask)}"


def label_text(label: Label) -> str:
    """Write a value from a search space."""
    return label if isinstance(label, str) else f"{label:g}"


def choice_name(choice: Choice) -> str:
    """Name what was chosen, such as ``level`` or ``penalty of the logistic classifier``."""
    what = {"drop": "fraction to drop"}.get(choice.what, choice.what)
    learner = f" of the {choice.learner} classifier" if choice.learner else ""
    return f"{what}{learner}{f' ({choice.mask} mask)' if choice.mask else ''}"


def taken_text(labels: Iterable[Label]) -> str:
    """List what the folds chose, with the number of folds if they differ: ``60 (2 folds), 80 (1 fold)``."""
    taken = Counter(map(label_text, labels))
    folds = {label: f" ({counted(count, 'fold')})" if len(taken) > 1 else "" for label, count in taken.items()}
    return ", ".join(f"{label}{of}" for label, of in folds.items())


def selection_text(report: AttackReport) -> str:
    """Say what part of a score was chosen or learned, and by which criterion."""
    parts = [f"{choice_name(choice)} by {CRITERIA[choice.criterion]}" for choice in report.choices if not choice.mask]
    if report.learners:
        parts.insert(0, f"{' and '.join(report.learners)} classifier{'s' if len(report.learners) > 1 else ''}")
    if parts:
        return f"cross-fitted: {'; '.join(parts)}"
    return "fixed beforehand" if report.search_space else "nothing to choose"


def settings_text(settings: Mapping[str, str]) -> str:
    """List what the network was told and no file records: ``guidance 1.0, text_length 512``."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())
