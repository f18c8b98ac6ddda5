"""Scores of each line of a report, from a candidate chosen on the other folds or a model fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.decoder_geometry import HARD, MASKS, hard_mask, mask_names
from privaudit.evaluation import Choice, Label, apply_choice, cross_fit, out_of_fold
from privaudit.evaluation.metrics import sd_inflation
from privaudit.scorers import ErrorTable, Evidence, Methods, Scorer
from privaudit.scorers.error_table import join, minus
from privaudit.scorers.level_selection import choices, select
from privaudit.storage.exact_json import encode

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Kind = Literal["published", "ours", "reference", "learned"]
NOT_PARAMETERS = ("variant", "candidate_of")
"""Fields of an attack that name it and do not change its scores."""
MIN_SPREAD = 1.1
"""Spread above which tests and intervals allow for it."""


@dataclass(frozen=True)
class ReportEntry:
    """Scores of one line of the report.

    Attributes:
        name: Name in the report.
        kind: ``published``, ``ours``, ``reference`` (minus the reference's errors), or ``learned`` from other images.
        methods: The scorer, or the attacks that were compared, usually one.
        axis: Meaning of the candidates of an attack, such as ``level``.
        scores: Scores by mask, each ``(n,)``, higher = more likely a member.
        level_of_image: Value on the axis behind the score of each image, ``(n,)``; NaN without one.
        search_space: Candidates that were compared; empty if there is one score.
        chosen: Candidate of each fold.
        levels_by_fold: Value on the axis of each fold's candidate; empty without one.
        choices: Everything that was chosen for each fold; empty if everything was fixed beforehand.
        columns: Scores at each of `levels` by mask, each ``(n, levels)``; without hard masks if several fractions to
            drop are compared.
        levels: Noise levels that were compared; empty if anything else was compared, too.
        spread: Factor by which the standard deviation of the AUROC exceeds that of a fixed score, since the score
            depends on other folds: `privaudit.evaluation.metrics.sd_inflation` for models fitted to them,
            `privaudit.evaluation.choice_inflation` for a choice.
        learners: Kinds of the classifiers that are averaged; empty if none was fitted.
    """

    name: str
    kind: Kind
    methods: tuple[Attack | Scorer, ...]
    axis: str
    scores: Mapping[str, Floats]
    level_of_image: Floats
    search_space: tuple[Label, ...] = ()
    chosen: tuple[Label, ...] = ()
    levels_by_fold: tuple[float, ...] = ()
    choices: tuple[Choice, ...] = ()
    columns: Mapping[str, Floats] = field(default_factory=dict)
    levels: tuple[float, ...] = ()
    spread: float = 1.0
    learners: tuple[str, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether tests and intervals must allow for the spread."""
        return self.spread > MIN_SPREAD

    @property
    def method(self) -> Attack | Scorer:
        """First of the methods, which share name and citation."""
        return self.methods[0]

    @property
    def reference(self) -> str:
        """Citation of the publication."""
        return self.method.citation

    @property
    def report_name(self) -> str:
        """Name as requested, without the suffix of a difference from the reference."""
        return self.method.report_name if isinstance(self.method, Attack) else self.method.label

    @property
    def level(self) -> float | None:
        """Value on the axis that most folds chose; None without one."""
        return max(self.levels_by_fold, key=self.levels_by_fold.count) if self.levels_by_fold else None

    @property
    def order(self) -> float | None:
        """Order of the norm; None if there is none or several were compared."""
        orders = {getattr(method, "order", None) for method in self.methods}
        return orders.pop() if len(orders) == 1 else None

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters by name; a list of values where several were compared."""
        encoded = [encode(method) for method in self.methods]
        names = [name for name in encoded[0] if name not in NOT_PARAMETERS]
        values_by_name = {name: [parameters[name] for parameters in encoded] for name in names}
        return {
            name: values[0] if all(value == values[0] for value in values) else values
            for name, values in values_by_name.items()
        }


def needs_folds(methods: Methods, drops: Sequence[float]) -> bool:
    """Whether anything is chosen or fitted, so that images must be assigned to folds."""
    several = len(drops) > 1 or len(report_lines(methods.attacks)) < len(methods.attacks)
    return several or bool(methods.scorers) or any(a.learned or len(a.candidates) > 1 for a in methods.attacks)


def report_lines(attacks: Sequence[Attack]) -> dict[str, tuple[Attack, ...]]:
    """Group attacks by the line of the report that they are candidates of; usually each has a line of its own."""
    groups: dict[str, tuple[Attack, ...]] = {}
    for attack in attacks:
        groups[attack.report_name] = (*groups.get(attack.report_name, ()), attack)
    return groups


def attack_entries(
    attacks: Sequence[Attack],
    tables: Sequence[ErrorTable],
    references: Sequence[ErrorTable],
    is_member: Booleans,
    folds: Integers,
    seed: int,
) -> list[ReportEntry]:
    """Make the report entries of all attacks, then those of their errors minus the reference's.

    Args:
        attacks: Attacks that were run.
        tables: Scores of each attack.
        references: Scores of each attack on the reference model; empty without one.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of the classifiers of a learned attack.

    Returns:
        One entry per line, followed by the entries of the differences if there is a reference.
    """
    groups = report_lines(attacks)
    entries = [
        replace(plain(group[0], _table(line, group, tables), is_member, folds, seed), methods=group)
        for line, group in groups.items()
    ]
    for line, group in groups.items() if references else ():
        on_target, on_reference = _table(line, group, tables), _table(line, group, references)
        entry = calibrated(group[0], on_target, on_reference, is_member, folds, seed)
        entries.append(replace(entry, methods=group))
    return entries


def plain(attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int) -> ReportEntry:
    """Choose the level of an attack for each fold on the other folds, by its unmasked score, for all masks.

    Args:
        attack: The attack.
        table: Scores of the attack.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of the classifiers of a learned attack.

    Returns:
        Report entry of the attack.
    """
    return _entry("published" if attack.published else "ours", attack, table, is_member, folds, seed)


def calibrated(
    attack: Attack, table: ErrorTable, reference: ErrorTable, is_member: Booleans, folds: Integers, seed: int
) -> ReportEntry:
    """Subtract from every error the same error on the reference model, with the same noise.

    Args:
        attack: The attack.
        table: Scores of the attack on the target.
        reference: Scores of the attack on the reference.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of the classifiers of a learned attack.

    Returns:
        Report entry of the difference.
    """
    return _entry("reference", attack, minus(table, reference), is_member, folds, seed)


def learned(scorer: Scorer, evidence: Evidence) -> ReportEntry:
    """Compute the scores of a scorer.

    Args:
        scorer: The scorer.
        evidence: Scores of the attacks, and the folds.

    Returns:
        Report entry of the scorer.
    """
    scored = scorer.score(evidence)
    inflation = scored.inflation
    if scorer.fitted:
        inflation = max(inflation, sd_inflation(np.unique(evidence.folds).size))
    return ReportEntry(
        name=scorer.label,
        kind="learned",
        methods=(scorer,),
        axis="level",
        scores=scored.scores,
        learners=scored.learners,
        level_of_image=np.full(len(evidence.is_member), np.nan),
        choices=scored.choices,
        spread=inflation,
    )


def _table(line: str, group: Sequence[Attack], tables: Sequence[ErrorTable]) -> ErrorTable:
    """Join the tables of the attacks of a line; candidates are named by the parameters in which the attacks differ."""
    table_by_label = {table.name: table for table in tables}
    if len(group) == 1:
        return table_by_label[group[0].label]
    encoded = [encode(attack) for attack in group]
    names = [name for name in encoded[0] if name not in NOT_PARAMETERS]
    differing = [name for name in names if any(parameters[name] != encoded[0][name] for parameters in encoded)]
    prefixes = [", ".join(f"{name} {parameters[name]:g}" for name in differing) for parameters in encoded]
    return join(line, [table_by_label[attack.label] for attack in group], prefixes)


def _entry(
    kind: Kind, attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int
) -> ReportEntry:
    """Choose a candidate for each fold, or fit a classifier if the columns are features."""
    unknown = np.full(len(is_member), np.nan)
    if table.learned:
        return _fitted(kind, attack, table, is_member, folds, seed)
    selection = select(table, is_member, folds)
    values = np.asarray(table.candidates) if table.candidates else None
    what = f"parameters and {table.axis}" if table.names else table.axis
    # joined candidates have names, and differ in more than their level
    of_levels = table.axis == "level" and bool(table.candidates) and not table.names
    return ReportEntry(
        name=table.name,
        kind=kind,
        methods=(attack,),
        axis=table.axis,
        scores=selection.scores,
        level_of_image=unknown if values is None else values[selection.columns.index],
        search_space=table.labels if values is not None else (),
        chosen=selection.columns.chosen if values is not None else (),
        levels_by_fold=_finite(() if values is None else values[list(selection.columns.positions)]),
        choices=choices(selection, table, what),
        columns={mask: table.by_mask[mask] for mask in MASKS if mask in table.by_mask} if of_levels else {},
        levels=table.candidates if of_levels else (),
        spread=selection.inflation,
    )


def _finite(values: Sequence[float] | Floats) -> tuple[float, ...]:
    """Values by fold; empty if a candidate has no value."""
    return () if np.isnan(values).any() else tuple(float(value) for value in values)


def _fitted(
    kind: Kind, attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int
) -> ReportEntry:
    """Fit a classifier to the features under every mask; its AUROC on inner folds chooses the fraction to drop."""
    masks = mask_names(table.drops or (0.0,))
    models = {mask: out_of_fold(table.by_mask[mask], is_member, folds, seed=seed) for mask in masks}
    scores = {mask: model.scores for mask, model in models.items()}
    listed = [
        choice if mask == "none" else replace(choice, mask=mask)
        for mask, model in models.items()
        for choice in model.choices
    ]
    if table.drops:
        by_drop = {mask: [models[hard_mask(mask, drop, table.drops)] for drop in table.drops] for mask in HARD}
        # (folds, fractions): inner folds alone, since the scores of the fold itself must have no part in its choice
        criterion = np.nan_to_num([model.inner_auroc for model in by_drop["influence"]]).T
        stacked = {mask: np.column_stack([model.scores for model in fitted]) for mask, fitted in by_drop.items()}
        choice = cross_fit(stacked["influence"], table.drops, is_member, folds, criterion)
        # the random mask, which is the control, drops the fraction that the influence mask chose
        scores |= {mask: apply_choice(columns, choice, is_member, folds) for mask, columns in stacked.items()}
        listed.append(Choice("drop", table.drops, choice.chosen, "inner_auroc_influence_mask"))
    return ReportEntry(
        name=table.name,
        kind=kind,
        methods=(attack,),
        axis=attack.axis,
        scores={mask: scores[mask] for mask in MASKS},
        learners=models["none"].learners,
        level_of_image=np.full(len(is_member), np.nan),
        choices=tuple(listed),
        spread=sd_inflation(np.unique(folds).size),
    )
