"""Evaluation of an audit: cross-fitted levels, fitted scorers, metrics, comparisons, checks and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from privaudit.auditing.assess.attack_reports import Reporter, score_table
from privaudit.auditing.assess.attack_scores import ReportEntry, attack_entries, learned, report_lines
from privaudit.auditing.assess.blind_baseline import blind_families, blind_report
from privaudit.auditing.assess.evaluated_scores import evaluate_scores
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.assess.run_checks import all_checks
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Judgement
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditOptions
from privaudit.evaluation import Check, Verdict, decide
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.model.schedule import Schedule
from privaudit.results.audit_result import AttackReport, BlindReport
from privaudit.scorers import Evidence, Methods


@dataclass(frozen=True)
class Assessment:
    """Evaluation of the scores of an audit.

    Attributes:
        attacks: Reports of the attacks and fitted scores.
        blind: Blind baseline.
        checks: Checks of what could make the numbers untrustworthy.
        verdict: Finding, gates and status.
        scores: Rows of ``scores.parquet``, one per image, attack and mask.
        judgement: Further results of the design, such as tests of suspects or canaries.
    """

    attacks: tuple[AttackReport, ...]
    blind: BlindReport
    checks: tuple[Check, ...]
    verdict: Verdict
    scores: pd.DataFrame
    judgement: Judgement


def assess(
    measured: Measurements,
    data: AuditData,
    split: Split,
    methods: Methods,
    options: AuditOptions,
    schedule: Schedule,
    passes: Mapping[str, int],
    reading: Sequence[Check] = (),
    on_progress: OnProgress = no_progress,
) -> Assessment:
    """Evaluate the measurements of an audit.

    The level of an attack is chosen by its unmasked score and used for every mask. So a mask is compared with no mask
    at the same level, from the same denoiser passes.

    Args:
        measured: Measurements of all images.
        data: The image sets.
        split: Assignment of the images to folds.
        methods: Attacks that were run, and scorers.
        options: Options of the audit.
        schedule: Noise schedule of the target.
        passes: Denoiser passes per image, by line of the report.
        reading: Checks of how the model was read.
        on_progress: Called with ("evaluation", done, total).

    Returns:
        Everything in a result except its provenance.
    """
    # suspects next to known members are judged by the design alone
    compared = measured.rows(slice(len(data.compared)))
    attack_lines = len(report_lines(methods.attacks)) * (2 if compared.references else 1)
    steps = 3 + attack_lines + len(methods.scorers)
    on_progress("evaluation", 0, steps)
    blind = blind_families(compared.pixels, data, split, options.seed)
    on_progress("evaluation", 1, steps)
    entries = _entries(compared, data, split, methods, options.seed)
    on_progress("evaluation", 2, steps)
    gates = options.fail_on
    evaluated = evaluate_scores(entries, blind, data, split, options, gates)
    on_progress("evaluation", 3, steps)
    reporter = Reporter(evaluated, data, split, options, schedule, passes, compared.geometry.distortion)
    reports = []
    for done, entry in enumerate(entries, start=4):
        reports.append(reporter.report(entry))
        on_progress("evaluation", min(done, steps), steps)
    checks = (*all_checks(evaluated, compared, data, split), *reading)
    judgement = data.design.judge(measured, data, split, options, checks)
    return Assessment(
        attacks=tuple(reports),
        blind=blind_report(evaluated),
        checks=(*checks, *judgement.checks),
        verdict=decide(
            evaluated.evaluation,
            evaluated.scores,
            gates=gates,
            checks=checks,
            side=options.gate_bound,
            perfect=evaluated.perfect,
            conclusion=judgement.conclusion,
        ),
        scores=score_table(data, entries),
        judgement=judgement,
    )


def _entries(measured: Measurements, data: AuditData, split: Split, methods: Methods, seed: int) -> list[ReportEntry]:
    """Scores of the attacks, of the attacks minus the reference's errors, and of the scorers."""
    tables, references, folds = measured.tables, measured.references, split.folds
    is_member = data.is_positive
    entries = attack_entries(methods.attacks, tables, references, is_member, folds, seed)
    evidence = Evidence(
        tables=tables,
        references=references,
        chosen={(entry.name, mask): values for entry in entries for mask, values in entry.scores.items()},
        published=tuple(attack.label for attack in methods.attacks if attack.published),
        distortion=measured.geometry.distortion,
        images=measured.pixels.statistics,
        is_member=is_member,
        folds=folds,
        seed=seed,
    )
    return entries + [learned(scorer, evidence) for scorer in methods.scorers]
