"""What every report of a comparison says in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from privaudit.compare import Change, ComparisonResult
from privaudit.evaluation.facts import Fact
from privaudit.evaluation.finding import TESTED_MASKS
from privaudit.report.numbers import COMPACT, counted, listed
from privaudit.report.sentences.design_words import WORDS
from privaudit.report.sentences.fact_text import fact_text, facts_text, metric_name, sentence
from privaudit.report.sentences.names import score_text

MAX_SHOWN = 3
"""Maximum number of differences that are put in words, in either direction."""
Mark = Literal["", "worse", "better"]
DIRECTIONS = {"worse": "worse", "better": "better", "unclear": "", "unmeasured": ""}


def headline(result: ComparisonResult) -> str:
    """Sum up a comparison in a few words, in capitals."""
    rises = bool(risen(result)) or any(gate.regressed for gate in result.gates)
    if result.verdict.status == "inconclusive":
        return "INCONCLUSIVE"
    subject = WORDS[result.new.design].subject
    if rises:
        return f"{subject} MORE{', AND LESS ELSEWHERE' if fallen(result) else ''}"
    if fallen(result):
        return f"{subject} LESS"
    same = "NOTHING CHANGED" if unchanged(result) else "NO CHANGE SHOWN"
    return f"{same} (GATES DIFFER)" if gates_differ(result) else same


def gates_differ(result: ComparisonResult) -> bool:
    """Whether the runs were held to other gates, or a gate came out in another way."""
    return any(gate.old != gate.new for gate in result.gates)


def unchanged(result: ComparisonResult) -> bool:
    """Whether nothing that was measured in both runs differs by what three decimals show."""
    differences = [change.difference.value for change in result.changes if not math.isnan(change.difference.value)]
    return bool(differences) and all(abs(difference) < 0.0005 for difference in differences)


def risen(result: ComparisonResult) -> list[Change]:
    """Differences that are worse, the largest first."""
    return sorted((c for c in result.changes if c.direction == "worse"), key=lambda c: -c.rise)


def fallen(result: ComparisonResult) -> list[Change]:
    """Differences that are better, the largest first."""
    return sorted((c for c in result.changes if c.direction == "better"), key=lambda c: c.fall)


def lead_lines(result: ComparisonResult) -> tuple[tuple[Mark, str], ...]:
    """Say what came out, the worst first: a mark and a sentence each."""
    up, down = risen(result), fallen(result)
    lines: list[tuple[Mark, str]] = []
    if result.verdict.status == "inconclusive":
        lines.append(("", sentence(facts_text(result.verdict.reasons))))
    if strongest := _strongest(result):
        lines.append(("", strongest))
    if result.tests:
        beyond = f" by more than {COMPACT.number(result.margin)}" if result.margin else ""
        confidence = COMPACT.percent(result.confidence)
        counts = f"{len(up)} got worse and {len(down)} better{beyond} ({confidence} confidence for all of them)."
        lines.append(("", f"Of {counted(result.tests, 'difference')} tested together, {counts}"))
    worst, best = (_by_attack(changes)[:MAX_SHOWN] for changes in (up, down))
    lines += [("worse", change_text(change)) for change in worst]
    lines += [
        ("worse", f"gate {gate.gate} passed and fails now: {fact_text(gate.reason)}")
        for gate in result.gates
        if gate.regressed
    ]
    lines += [("better", change_text(change)) for change in best]
    hidden = len(up) + len(down) - len(worst) - len(best)
    return (*lines, ("", f"{hidden} more below.")) if hidden else tuple(lines)


def what_differs(result: ComparisonResult) -> tuple[tuple[str, str], ...]:
    """List what else differs between the runs: what it is, and both values."""
    lines = [("allowed", f"{item.what}: {item.old} -> {item.new} (--allow {item.kind})") for item in result.allowed]
    lines += [
        ("left out", f"{item.attack}: made of all attacks of its run, which differ by {', '.join(item.differs_by)}")
        for item in result.not_compared
    ]
    lines += [("added", ", ".join(result.added))] if result.added else []
    lines += [("removed", ", ".join(result.removed))] if result.removed else []
    lines += [
        (
            "check",
            f"{item.check}: {item.old or 'not made'} -> {item.new or 'not made'}. {sentence(facts_text(item.facts))}",
        )
        for item in result.checks
    ]
    lines += [("setting", f"{item.name}: {item.old} -> {item.new}") for item in result.settings]
    return tuple(lines) or (("", "nothing" if result.same_model else "nothing but the model"),)


def note_lines(result: ComparisonResult) -> tuple[str, ...]:
    """List what to keep in mind, one sentence each; what is said of several attacks is said once."""
    grouped: dict[str, list[Fact]] = {}
    for fact in result.notes:
        grouped.setdefault(fact.code, []).append(fact)
    notes = [sentence(_note(facts)) for facts in grouped.values()]
    notes += [sentence(f"not tested where no limit can be given: {fact_text(reason)}") for reason in result.untested]
    return (*notes, _CORRECTED.format(tests=counted(result.tests, "test")))


_CORRECTED = (
    "Worse and better are corrected for {tests} together; p is of one difference by itself; the random mask is a "
    "control and not tested."
)


def _note(facts: Sequence[Fact]) -> str:
    """One clause for facts of one code."""
    names = [str(fact.values["attack"]) for fact in facts if "attack" in fact.values]
    if facts[0].code == "level_differs":
        return fact_text(Fact("level_differs", {"attack": listed(names)}))
    if facts[0].code == "interval_widened":
        factors = [f"{name} {fact.values['factor']:.2f}" for name, fact in zip(names, facts, strict=True)]
        return (
            "what was chosen or learned by cross-fitting varies from run to run, even if nothing changes; the "
            f"intervals allow for it by a factor on the standard deviation: {', '.join(factors)}"
        )
    return facts_text(facts)


def pairing_text(result: ComparisonResult) -> str:
    """Say which images the differences rest on."""
    pairing, facts = result.pairing, facts_text(result.pairing.facts)
    if not (pairing.old_only or pairing.new_only):
        return facts
    return f"{facts}; {counted(pairing.old_only, 'image')} in the old run alone, {pairing.new_only} in the new"


def _strongest(result: ComparisonResult) -> str | None:
    """What the best score of the new run reaches, and what it reached before."""
    known = [c for c in result.changes if c.mask in TESTED_MASKS and not math.isnan(c.new.value)]
    if not any(change.metric == "auroc" for change in known):
        return None
    best = max((c for c in known if c.metric == "auroc"), key=lambda change: change.new.value)
    numbers = [
        f"{metric_name(c.metric)} {COMPACT.number(c.new.value)} (was {COMPACT.number(c.old.value)})"
        for c in known
        if (c.attack, c.mask) == (best.attack, best.mask)
    ]
    left_out = [item.attack for item in result.not_compared]
    of = f" of those compared ({', '.join(left_out)} {'is' if len(left_out) == 1 else 'are'} not)" if left_out else ""
    return f"Strongest now{of} is {score_text(best.attack, best.mask)}: {', '.join(numbers)}."


def _by_attack(changes: list[Change]) -> list[Change]:
    """The largest difference of each attack and metric: masks of one attack tell much the same."""
    return list({(change.attack, change.metric): change for change in reversed(changes)}.values())[::-1]


def table_title(result: ComparisonResult, metric: str) -> str:
    """Say what a table holds: ``AUROC, 95 % intervals, paired``."""
    if all(math.isnan(change.difference.lo) for change in result.changes if change.metric == metric):
        return f"{metric_name(metric)}, without intervals of the differences"
    kind = "paired" if result.pairing.paired else "not paired"
    return f"{metric_name(metric)}, {COMPACT.percent(result.confidence)} intervals, {kind}"


def change_text(change: Change) -> str:
    """One difference in a line: ``TPR@1%FPR of sima, no mask: .120 -> .344, +.224 [+.180,+.268]``."""
    return (
        f"{metric_name(change.metric)} of {score_text(change.attack, change.mask)}: "
        f"{COMPACT.number(change.old.value)} -> {COMPACT.number(change.new.value)}, "
        f"{COMPACT.difference(change.difference)}"
    )


def metrics_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """Metrics that were compared, in the order of the first attack."""
    return tuple(dict.fromkeys(change.metric for change in changes))


def exit_text(result: ComparisonResult) -> str:
    """Say what the exit code stands for."""
    if not result.fail_on_regression:
        return "--fail-on-regression was not given, so the exit code is 0."
    return f"--fail-on-regression: {result.verdict.status.upper()}"
