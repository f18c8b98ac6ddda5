"""What a reader of a comparison should keep in mind."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.compare.comparison import Change, GateChange, Pairing
from privaudit.compare.measuring import CHANCE, Line
from privaudit.evaluation.verdict import TESTED_MASKS
from privaudit.results.audit_result import AuditResult

LEVELS = ("none", "low", "medium", "high")
"""Of a finding, in ascending order; ``unclear`` is none of them."""


def notes(
    old: AuditResult,
    new: AuditResult,
    pairing: Pairing,
    lines: Sequence[Line],
    changes: Sequence[Change],
    gates: Sequence[GateChange],
) -> tuple[str, ...]:
    """List what the numbers alone do not say."""
    found = []
    if old.target.hash == new.target.hash:
        found.append("Both runs audited the same model: its weights are the same.")
    found += _about_finding(old, new, changes)
    found += [
        f"Gate {gate.gate!r} passed and is inconclusive now."
        for gate in gates
        if (gate.old, gate.new) == ("pass", "inconclusive")
    ]
    broken = [check.name for check in old.checks if check.status == "fail"]
    if broken:
        found.append(f"In the old run the check of {', '.join(broken)} failed: read its numbers with care.")
    if old.privaudit_version != new.privaudit_version:
        found.append("The runs were made by different versions of privaudit; a change may come from the program.")
    found += _about_intervals(pairing, lines, changes)
    return tuple(found)


def _about_finding(old: AuditResult, new: AuditResult, changes: Sequence[Change]) -> list[str]:
    before, after = old.verdict.finding.level, new.verdict.finding.level
    if before not in LEVELS or after not in LEVELS or LEVELS.index(after) <= LEVELS.index(before):
        return []
    text = f"The finding rose from {before} to {after}."
    if not any(change.direction == "worse" for change in changes):
        text += " No difference is shown beyond chance, so that this alone is no regression."
    return [text]


def _about_intervals(pairing: Pairing, lines: Sequence[Line], changes: Sequence[Change]) -> list[str]:
    found = []
    moved = [name for name, old, new in lines if old.levels_by_fold != new.levels_by_fold]
    if moved:
        found.append(f"Each run chose its own noise level by cross-fitting; it is not the same for {', '.join(moved)}.")
    wider = {name: max(old.spread, new.spread) for name, old, new in lines}
    wider = {name: factor for name, factor in wider.items() if factor > 1.05}
    if wider and pairing.paired:
        factors = ", ".join(f"{name} {factor:.2f}" for name, factor in wider.items())
        found.append(
            "What was chosen or learned by cross-fitting varies from run to run even if nothing changes; the intervals "
            f"allow for it by a factor on the standard deviation: {factors}."
        )
    lost = {
        change.difference.reason
        for change in changes
        if change.metric in CHANCE and change.mask in TESTED_MASKS and not change.tested and change.difference.reason
    }
    found += [f"Not tested where no limit can be given: {reason}." for reason in sorted(lost)]
    if pairing.moved:
        found.append(f"{pairing.moved} images are members in one run and non-members in the other; they are left out.")
    return found
