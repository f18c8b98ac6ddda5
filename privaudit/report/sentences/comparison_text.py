"""Sentences about a comparison of two runs, which all its reports share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from privaudit.compare import Change, ComparisonResult
from privaudit.evaluation.facts import Fact
from privaudit.evaluation.finding import TESTED_MASKS
from privaudit.report.numbers import COMPACT, Style, counted, listed
from privaudit.report.sentences.design_words import WORDS
from privaudit.report.sentences.fact_text import fact_text, facts_text, metric_name, sentence
from privaudit.report.sentences.names import score_text

MAX_SHOWN = 3
"""Maximum number of differences that are described in sentences, in either direction."""
Mark = Literal["", "worse", "better"]
DIRECTIONS = {"worse": "worse", "better": "better", "unclear": "", "unmeasured": ""}
"""Marks in the tables of texts, in the order in which a table is sorted."""
SHOWN = {"worse": "worse", "better": "better", "unclear": "neither", "unmeasured": "not tested"}
"""The same on the HTML page."""
Tone = Literal["worse", "better", "inconclusive", "neutral"]


def tone(result: ComparisonResult) -> Tone:
    """Sum up a comparison in one word, from which the colour of a report follows."""
    if result.verdict.status == "inconclusive":
        return "inconclusive"
    if risen(result) or any(gate.regressed for gate in result.gates):
        return "worse"
    return "better" if fallen(result) else "neutral"


def headline(result: ComparisonResult) -> str:
    """Sum up a comparison in a few words, in capitals."""
    subject, came_to = WORDS[result.new.design].subject, tone(result)
    if came_to == "inconclusive":
        return "INCONCLUSIVE"
    if came_to == "worse":
        return f"{subject} MORE{', AND LESS ELSEWHERE' if fallen(result) else ''}"
    if came_to == "better":
        return f"{subject} LESS"
    same = "NOTHING CHANGED" if unchanged(result) else "NO CHANGE SHOWN"
    return f"{same} (GATES DIFFER)" if gates_differ(result) else same


def gates_differ(result: ComparisonResult) -> bool:
    """Whether the runs had different gates, or a gate had different outcomes."""
    return any(gate.old != gate.new for gate in result.gates)


def unchanged(result: ComparisonResult) -> bool:
    """Whether all differences that could be measured are zero to three decimals."""
    differences = [change.difference.value for change in result.changes if not math.isnan(change.difference.value)]
    # "Nothing changed" needs at least one difference that was measured.
    return bool(differences) and all(abs(difference) < 0.0005 for difference in differences)


def risen(result: ComparisonResult) -> list[Change]:
    """List the differences that are worse, the largest first."""
    return sorted((c for c in result.changes if c.direction == "worse"), key=lambda c: -c.rise)


def fallen(result: ComparisonResult) -> list[Change]:
    """List the differences that are better, the largest first."""
    return sorted((c for c in result.changes if c.direction == "better"), key=lambda c: c.fall)


def lead_lines(result: ComparisonResult, style: Style = COMPACT) -> tuple[tuple[Mark, str], ...]:
    """List the outcomes, the worst first: a mark and a sentence each."""
    up, down = risen(result), fallen(result)
    lines: list[tuple[Mark, str]] = []
    if result.verdict.status == "inconclusive":
        lines.append(("", sentence(facts_text(result.verdict.reasons))))
    if strongest := _strongest(result, style):
        lines.append(("", strongest))
    if result.tests:
        beyond = f" by more than {style.number(result.margin)}" if result.margin else ""
        joint = f"At {style.percent(result.confidence)} joint confidence"
        counts = f"{len(up)} of {counted(result.tests, 'difference')} got worse and {len(down)} better{beyond}"
        lines.append(("", f"{joint}, {counts}."))
    worst, best = (_by_attack(changes)[:MAX_SHOWN] for changes in (up, down))
    lines += [("worse", change_text(change, style)) for change in worst]
    lines += [
        ("worse", f"gate {gate.gate} passed and fails now: {fact_text(gate.reason)}")
        for gate in result.gates
        if gate.regressed
    ]
    lines += [("better", change_text(change, style)) for change in best]
    hidden = len(up) + len(down) - len(worst) - len(best)
    return (*lines, ("", f"{hidden} more below.")) if hidden else tuple(lines)


def what_differs(result: ComparisonResult, style: Style = COMPACT) -> tuple[tuple[str, str], ...]:
    """List all other differences between the runs: a name, and a line with both values."""
    to = style.arrow
    lines = [("allowed", f"{item.what}: {item.old} {to} {item.new} (--allow {item.kind})") for item in result.allowed]
    lines += [
        (
            "left out",
            f"{item.attack}: it combines all attacks of its run, and only one run has {listed(list(item.differs_by))}",
        )
        for item in result.not_compared
    ]
    lines += [("added", ", ".join(result.added))] if result.added else []
    lines += [("removed", ", ".join(result.removed))] if result.removed else []
    lines += [
        (
            "check",
            f"{item.check}: {item.old or 'not made'} {to} {item.new or 'not made'}. {sentence(facts_text(item.facts))}",
        )
        for item in result.checks
    ]
    lines += [("setting", f"{item.name}: {item.old} {to} {item.new}") for item in result.settings]
    return tuple(lines) or (("", "nothing" if result.same_model else "nothing but the model"),)


def note_lines(result: ComparisonResult) -> tuple[str, ...]:
    """List what to keep in mind, one sentence each; facts of one code about several attacks share a sentence."""
    grouped: dict[str, list[Fact]] = {}
    for fact in result.notes:
        grouped.setdefault(fact.code, []).append(fact)
    notes = [sentence(_note(facts)) for facts in grouped.values()]
    untested = "some differences have no limit and were not tested"
    notes += [sentence(f"{untested}: {fact_text(reason)}") for reason in result.untested]
    return (*notes, _CORRECTED.format(tests=counted(result.tests, "test")))


_CORRECTED = (
    "“Worse” and “better” are corrected for {tests} together; each p is for one difference alone, uncorrected; the "
    "random mask is a control and not tested."
)


def _note(facts: Sequence[Fact]) -> str:
    """Write one clause for all facts of one code."""
    names = [str(fact.values["attack"]) for fact in facts if "attack" in fact.values]
    if facts[0].code == "level_differs":
        return fact_text(Fact("level_differs", {"attack": listed(names)}))
    if facts[0].code == "interval_widened":
        factors = [f"{name} {fact.values['factor']:.2f}" for name, fact in zip(names, facts, strict=True)]
        return (
            "what is chosen or learned by cross-fitting varies from run to run, even if nothing changes; the intervals "
            f"allow for this by a factor on the standard deviation: {', '.join(factors)}"
        )
    return facts_text(facts)


def pairing_text(result: ComparisonResult) -> str:
    """Say which images were compared."""
    pairing, facts = result.pairing, facts_text(result.pairing.facts)
    if not (pairing.old_only or pairing.new_only):
        return facts
    return f"{facts}; {counted(pairing.old_only, 'image')} in the old run alone, {pairing.new_only} in the new"


def _strongest(result: ComparisonResult, style: Style) -> str | None:
    """Say what the best score of the new run reaches, and what it reached in the old run."""
    known = [c for c in result.changes if c.mask in TESTED_MASKS and not math.isnan(c.new.value)]
    # The strongest score is that of the largest AUROC; its other metrics are quoted with it, even if others do better.
    if not any(change.metric == "auroc" for change in known):
        return None
    best = max((c for c in known if c.metric == "auroc"), key=lambda change: change.new.value)
    numbers = [
        f"{metric_name(c.metric)} {style.number(c.new.value)} (was {style.number(c.old.value)})"
        for c in known
        if (c.attack, c.mask) == (best.attack, best.mask)
    ]
    left_out = [item.attack for item in result.not_compared]
    of = f" of those compared ({', '.join(left_out)} {'is' if len(left_out) == 1 else 'are'} not)" if left_out else ""
    return f"Strongest now{of} is {score_text(best.attack, best.mask)}: {', '.join(numbers)}."


def _by_attack(changes: list[Change]) -> list[Change]:
    """Keep the largest difference of each attack and metric, since the masks of an attack behave much alike."""
    # Changes are sorted by size. Read backwards, the largest is the last one that is stored under a key.
    return list({(change.attack, change.metric): change for change in reversed(changes)}.values())[::-1]


def table_title(result: ComparisonResult, metric: str, style: Style = COMPACT) -> str:
    """Title a table: ``AUROC, 95 % intervals, paired``."""
    if not measured(result, metric):
        return f"{metric_name(metric)}, without intervals of the differences"
    kind = "paired" if result.pairing.paired else "not paired"
    return f"{metric_name(metric)}, {style.percent(result.confidence)} intervals, {kind}"


def change_text(change: Change, style: Style = COMPACT) -> str:
    """Write a difference in one line: ``TPR@1%FPR of sima, no mask: .120 -> .344, +.224 [+.180,+.268]``."""
    return (
        f"{metric_name(change.metric)} of {score_text(change.attack, change.mask)}: "
        f"{style.number(change.old.value)} {style.arrow} {style.number(change.new.value)}, "
        f"{style.difference(change.difference)}"
    )


def plot_caption(result: ComparisonResult, metric: str, drawn: int) -> str:
    """Say how to read the plot of the differences of a metric, and how many of them it shows."""
    count = len(worst_first(result, metric))
    further = f" The first {drawn} of {count} rows are drawn; the table has all." if drawn < count else ""
    return (
        f"{metric_name(metric)} of the new run minus that of the old one; right of 0 is worse. A triangle that points "
        "right marks a difference that is shown to be worse, one that points left a better one, and a circle neither. "
        "Each interval is for one difference alone; what is shown is corrected for "
        f"{counted(result.tests, 'test')}.{further}"
    )


def plot_text(result: ComparisonResult, metric: str, style: Style = COMPACT) -> str:
    """Describe the plot of the differences of a metric for readers who cannot see it."""
    known = measured(result, metric)
    marks = [change.direction for change in known]
    ends = [pick(known, key=lambda change: change.difference.value) for pick in (max, min)]
    return (
        f"{counted(len(known), 'difference')} with an interval: {marks.count('worse')} worse, {marks.count('better')} "
        f"better. The largest and the smallest: {'; '.join(change_text(change, style) for change in ends)}. The table "
        "has every number."
    )


def worst_first(result: ComparisonResult, metric: str) -> list[Change]:
    """List the differences of a metric: the worse ones, the better ones, then the others."""
    changes = [change for change in result.changes if change.metric == metric]
    return sorted(changes, key=lambda change: [*DIRECTIONS].index(change.direction))


def measured(result: ComparisonResult, metric: str) -> list[Change]:
    """List the differences of a metric that have an interval, in the order of `worst_first`."""
    return [change for change in worst_first(result, metric) if not math.isnan(change.difference.lo)]


def metrics_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """List the metrics that were compared, in the order of the first attack."""
    return tuple(dict.fromkeys(change.metric for change in changes))


def exit_text(result: ComparisonResult) -> str:
    """Say what the exit code means."""
    if not result.fail_on_regression:
        return "--fail-on-regression was not given, so the exit code is 0."
    return f"--fail-on-regression: {result.verdict.status.upper()}"
