"""`compare_runs` and `run_comparison`, which put the parts of a comparison together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import privaudit
from privaudit.compare.comparable import common_attacks, differing_settings, incomparable_scores, require_comparable
from privaudit.compare.compare_options import CompareChoices, CompareOptions
from privaudit.compare.comparison import COMPARISON_SCHEMA, ComparisonResult, RunSummary
from privaudit.compare.judging import find_changes, judge
from privaudit.compare.paired import measure_paired
from privaudit.compare.pairing import match_images
from privaudit.compare.reader_notes import notes, untested
from privaudit.compare.saved_runs import Run, load_runs
from privaudit.compare.tracking import gates_of, track_checks, track_gates
from privaudit.compare.unpaired import measure_unpaired


def compare_runs(old: Path | str, new: Path | str, **choices: Unpack[CompareChoices]) -> ComparisonResult:
    """Compare two audits, as `privaudit compare` does, without writing anything.

    Args:
        old: Run folder or ``report.json`` of the earlier audit.
        new: Run folder or ``report.json`` of the later audit.
        choices: Fields of `CompareOptions`, such as ``margin=0.02`` or ``allow=("seed",)``.

    Returns:
        The comparison; its verdict says whether there is a regression.

    Raises:
        ConfigError: An option is wrong, a run cannot be read, or the runs did not measure the same quantity; every
            reason is named.
    """
    allow = choices.get("allow", ())
    fields: dict[str, Any] = {**choices, "allow": (allow,) if isinstance(allow, str) else tuple(allow)}
    return run_comparison(old, new, CompareOptions(**fields))


def run_comparison(old: Path | str, new: Path | str, options: CompareOptions) -> ComparisonResult:
    """Compare two runs.

    Differences are paired if both run folders contain the scores of the same images. Without saved scores, or with less
    than half of the images in common, they are computed from the confidence intervals of the two reports.

    Args:
        old: Run folder or ``report.json`` of the earlier audit.
        new: Run folder or ``report.json`` of the later audit.
        options: Options of the comparison.

    Returns:
        The comparison; its verdict says whether there is a regression.

    Raises:
        ConfigError: A run cannot be read, or the runs did not measure the same quantity; every reason is named.
    """
    before, after = load_runs(Path(old), Path(new))
    allowed = require_comparable(before.result, after.result, options)
    not_compared = () if options.allows("preset") else incomparable_scores(before.result, after.result)
    skipped = {item.attack for item in not_compared}
    attacks = [pair for pair in common_attacks(before.result, after.result) if pair[0] not in skipped]
    gates = gates_of(before.result, after.result)
    pairing, shared = match_images(before, after)
    if shared is None or before.images is None or after.images is None:
        measured, sizes = measure_unpaired(before.result, after.result, attacks, gates)
    else:
        measured, sizes = measure_paired(before.images.scores, after.images.scores, shared, attacks, gates, options)
    changes, tests = find_changes(measured, options)
    tracked = track_gates(before.result, after.result)
    names = [[report.name for report in run.result.attacks] for run in (before, after)]
    return ComparisonResult(
        schema_version=COMPARISON_SCHEMA,
        privaudit_version=privaudit.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        old=_summary(before),
        new=_summary(after),
        same_model=before.result.target.hash == after.result.target.hash,
        fail_on_regression=options.fail_on_regression,
        margin=options.margin,
        confidence=options.confidence,
        tests=tests,
        allowed=allowed,
        settings=differing_settings(before.result, after.result),
        pairing=pairing,
        changes=changes,
        not_compared=not_compared,
        added=tuple(name for name in names[1] if name not in names[0]),
        removed=tuple(name for name in names[0] if name not in names[1]),
        gates=tracked,
        checks=track_checks(before.result, after.result),
        notes=notes(before.result, after.result, pairing, attacks, changes, tracked),
        untested=untested(changes),
        verdict=judge(after.result, changes, tracked, tests, sizes, options),
    )


def _summary(run: Run) -> RunSummary:
    result = run.result
    return RunSummary(
        run=run.name,
        created=result.created,
        privaudit_version=result.privaudit_version,
        target=result.target.id,
        hash=result.target.hash,
        family=result.target.family,
        design=result.data.design,
        positives=result.data.positives,
        nonmembers=result.data.nonmembers,
        split_hash=result.data.split_hash,
        status=result.verdict.status,
        level=result.verdict.finding.level,
    )
