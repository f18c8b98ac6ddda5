"""One score per image for each line of a report: a candidate chosen on the other folds, or a model fitted to them."""

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
WIDER = 1.1
"""Spread from which on tests and intervals allow for it."""


@dataclass(frozen=True)
class Entry:
    """What becomes one line of the report.

    Attributes:
        name: Name in the report.
        kind: Published attack, attack minus reference, or learned from other images.
        methods: The scorer, or the attacks that were compared: mostly one.
        axis: What the columns of an attack are.
        scores: Mask to ``(n,)``, higher = more likely a member.
        level_of_image: ``(n,)``, the value on the axis that each image's score came from; NaN without one.
        search_space: The candidates that were compared; empty if there is one score.
        chosen: The one of each fold.
        levels_by_fold: Its value on the axis; empty without one.
        choices: All that was chosen, by fold; empty if everything was fixed beforehand.
        columns: Mask to ``(n, levels)``, the scores at each of `levels`, of which one was taken; without hard masks if
            these drop several shares.
        levels: What those columns are; empty unless noise levels alone were compared.
        spread: Factor by which its AUROC spreads wider than that of a fixed score, since the other folds had a part in
            it: that of models that were fitted to them (`privaudit.evaluation.metrics.sd_inflation`), or of a choice
            (`privaudit.evaluation.choice_inflation`).
        learners: Kinds of classifiers that it is the mean of; empty if none was fitted.
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
        """Whether tests and intervals have to allow for the spread."""
        return self.spread > WIDER

    @property
    def method(self) -> Attack | Scorer:
        """The first of the methods, which have name and reference in common."""
        return self.methods[0]

    @property
    def reference(self) -> str:
        """Where it was published."""
        return self.method.citation

    @property
    def report_name(self) -> str:
        """What was asked for: the name, without what marks a difference from the reference."""
        return self.method.report_name if isinstance(self.method, Attack) else self.method.label

    @property
    def level(self) -> float | None:
        """What most folds chose; None without one."""
        return max(self.levels_by_fold, key=self.levels_by_fold.count) if self.levels_by_fold else None

    @property
    def order(self) -> float | None:
        """Order of the norm; None if there is none or several were compared."""
        found = {getattr(method, "order", None) for method in self.methods}
        return found.pop() if len(found) == 1 else None

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters; the list of values where several were compared."""
        every = [encode(method) for method in self.methods]
        named = {name: [found[name] for found in every] for name in every[0] if name not in ("variant", "candidate_of")}
        return {name: found[0] if all(v == found[0] for v in found) else found for name, found in named.items()}


def needs_folds(methods: Methods, drops: Sequence[float]) -> bool:
    """Say whether anything is chosen or fitted, so that images have to be assigned to folds."""
    several = len(drops) > 1 or len(lines(methods.attacks)) < len(methods.attacks)
    return several or bool(methods.scorers) or any(a.learned or len(a.candidates) > 1 for a in methods.attacks)


def lines(attacks: Sequence[Attack]) -> dict[str, tuple[Attack, ...]]:
    """Group attacks by the line of the report that they are candidates of, which mostly is their own."""
    found: dict[str, tuple[Attack, ...]] = {}
    for attack in attacks:
        found[attack.report_name] = (*found.get(attack.report_name, ()), attack)
    return found


def attack_entries(
    attacks: Sequence[Attack],
    tables: Sequence[ErrorTable],
    references: Sequence[ErrorTable],
    is_member: Booleans,
    folds: Integers,
    seed: int,
) -> list[Entry]:
    """Make the lines of all attacks, then those of their errors minus the reference's.

    Args:
        attacks: Attacks that were run.
        tables: What each found.
        references: What each found on the reference model; empty without one.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of what is fitted to the features of a learned attack.

    Returns:
        One entry per line, and one more with a reference.
    """
    groups = lines(attacks)
    found = [
        replace(plain(group[0], _table(line, group, tables), is_member, folds, seed), methods=group)
        for line, group in groups.items()
    ]
    for line, group in groups.items() if references else ():
        own, other = _table(line, group, tables), _table(line, group, references)
        found.append(replace(calibrated(group[0], own, other, is_member, folds, seed), methods=group))
    return found


def plain(attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int) -> Entry:
    """Choose the level of an attack for each fold on the others, on its unmasked score, for all masks.

    Args:
        attack: The attack.
        table: What it found.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of what is fitted to the features of a learned attack.

    Returns:
        Its entry.
    """
    return _entry("published" if attack.published else "ours", attack, table, is_member, folds, seed)


def calibrated(
    attack: Attack, table: ErrorTable, reference: ErrorTable, is_member: Booleans, folds: Integers, seed: int
) -> Entry:
    """Subtract from every error the same error on the reference model, with the same noise.

    Args:
        attack: The attack.
        table: What it found on the target.
        reference: What it found on the reference.
        is_member: ``(n,)``.
        folds: ``(n,)``.
        seed: Seed of what is fitted to the features of a learned attack.

    Returns:
        The entry of the difference.
    """
    return _entry("reference", attack, minus(table, reference), is_member, folds, seed)


def learned(scorer: Scorer, evidence: Evidence) -> Entry:
    """Let a scorer score."""
    found = scorer.score(evidence)
    return Entry(
        name=scorer.label,
        kind="learned",
        methods=(scorer,),
        axis="level",
        scores=found.scores,
        learners=found.learners,
        level_of_image=np.full(len(evidence.is_member), np.nan),
        choices=found.choices,
        spread=max(found.inflation, sd_inflation(np.unique(evidence.folds).size)) if scorer.fitted else found.inflation,
    )


def _table(line: str, group: Sequence[Attack], tables: Sequence[ErrorTable]) -> ErrorTable:
    """What the attacks of a line found, with the parameters that tell them apart in the names of the candidates."""
    own = {table.name: table for table in tables}
    if len(group) == 1:
        return own[group[0].label]
    every = [encode(attack) for attack in group]
    names = [
        name
        for name in every[0]
        if name not in ("variant", "candidate_of") and any(found[name] != every[0][name] for found in every)
    ]
    called = [", ".join(f"{name} {found[name]:g}" for name in names) for found in every]
    return join(line, [own[attack.label] for attack in group], called)


def _entry(kind: Kind, attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int) -> Entry:
    unknown = np.full(len(is_member), np.nan)
    if table.learned:
        return _fitted(kind, attack, table, is_member, folds, seed)
    selection = select(table, is_member, folds)
    values = np.asarray(table.candidates) if table.candidates else None
    what = f"parameters and {table.axis}" if table.names else table.axis
    of_levels = table.axis == "level" and bool(table.candidates) and not table.names
    return Entry(
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
    """Levels by fold, or none if they are none."""
    return () if np.isnan(values).any() else tuple(float(value) for value in values)


def _fitted(kind: Kind, attack: Attack, table: ErrorTable, is_member: Booleans, folds: Integers, seed: int) -> Entry:
    """Classify features under every mask; a fraction to drop is as good for a fold as its classifier on inner folds."""
    under = mask_names(table.drops or (0.0,))
    models = {mask: out_of_fold(table.by_mask[mask], is_member, folds, seed=seed) for mask in under}
    scores = {mask: model.scores for mask, model in models.items()}
    listed = [
        choice if mask == "none" else replace(choice, mask=mask)
        for mask, model in models.items()
        for choice in model.choices
    ]
    if table.drops:
        shares = {mask: [models[hard_mask(mask, drop, table.drops)] for drop in table.drops] for mask in HARD}
        merit = np.nan_to_num([model.inner_auroc for model in shares["influence"]]).T
        stacked = {mask: np.column_stack([model.scores for model in of_mask]) for mask, of_mask in shares.items()}
        choice = cross_fit(stacked["influence"], table.drops, is_member, folds, merit)
        scores |= {mask: apply_choice(found, choice, is_member, folds) for mask, found in stacked.items()}
        listed.append(Choice("drop", table.drops, choice.chosen, "inner_auroc_influence_mask"))
    return Entry(
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
