"""`evaluate_masks`: what a mask of a user's own gains, next to those that every audit scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.auditing.assess import split_images
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions, ScoreChoices
from privaudit.auditing.run import choose_methods
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.decoder_geometry import MaskRule, check_names, control_of
from privaudit.errors import ConfigError
from privaudit.escape import encodable
from privaudit.evaluation import Comparison, Metrics, apply_choice, compare, evaluate
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.loading import load_target
from privaudit.scorers import ErrorTable, Methods
from privaudit.scorers.level_selection import select
from privaudit.storage.files import make_folder

NOT_SCORED = {"reference": "masks are compared on the target alone", "fail_on": "there is no verdict"}
"""Options of an audit that the evaluation of masks has no use for, and why."""


@dataclass(frozen=True, eq=False)
class MaskEvaluation:
    """What every attack tells under every mask.

    Attributes:
        metrics: By attack and mask.
        gains: Gain of each mask over none, by attack and mask, paired.
        controls: Gain of each own mask over its control, the same weights dealt to random dimensions, paired.
        scores: One row per image, attack and mask, as in ``scores.parquet``.
    """

    metrics: Mapping[tuple[str, str], Metrics]
    gains: Mapping[tuple[str, str], Comparison]
    controls: Mapping[tuple[str, str], Comparison]
    scores: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Lay the AUROCs out as a table.

        Returns:
            One row per attack and mask: ``auroc`` with its limits, its ``gain`` over no mask, and for an own mask its
            gain ``over_shuffled``, each with limits and p-value.
        """
        rows = []
        for (attack, mask), metrics in self.metrics.items():
            area = metrics.auroc
            row = {"attack": attack, "mask": mask, "auroc": area.value, "auroc_lo": area.lo, "auroc_hi": area.hi}
            for name, found in (("gain", self.gains), ("over_shuffled", self.controls)):
                if (paired := found.get((attack, mask))) is not None:
                    delta = paired.auroc_delta
                    row |= {name: delta.value, f"{name}_lo": delta.lo, f"{name}_hi": delta.hi, f"{name}_p": delta.p}
            rows.append(row)
        return pd.DataFrame(rows)


def evaluate_masks(
    rules: Mapping[str, MaskRule],
    target: str | Path,
    members: str | Path,
    nonmembers: str | Path,
    out: str | Path | None = None,
    *,
    folds: int = 5,
    replicates: int = 2000,
    on_progress: OnProgress | None = None,
    **choices: Unpack[ScoreChoices],
) -> MaskEvaluation:
    """Score the attacks of an audit under masks of one's own.

    Latents and influence come from the run folder where an audit with the same options has left them; the attacks ask
    the model again. Reports in the folder stay as they are.

    Args:
        rules: Functions by the name of their mask, from the influence ``(n, *latent)`` to masks or weights of that
            shape, each image's from its own influence alone.
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: The run folder; as of `privaudit.audit` by default.
        folds: Folds of the cross-fitting.
        replicates: Minimum of bootstrap resamples.
        on_progress: Called with (stage, done, total).
        choices: As of `privaudit.audit`. An audit's gates and reference model have no place here and are refused.

    Returns:
        Metrics and scores under the usual masks, the own ones, and the control of each: its weights shuffled.

    Raises:
        ConfigError: A name is taken, a mask is not one, or an option is wrong; all problems are named.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    sets = {"members": members, "nonmembers": nonmembers}
    options = _parse(rules, target=target, out=out, folds=folds, replicates=replicates, **sets, **choices)
    progress = on_progress or no_progress
    sources = list_sources(options)
    make_folder(options.out)
    loaded = load_target(options.model)
    data = read_sources(sources, options, loaded, progress)
    methods, _ = choose_methods(options, loaded, [sample.caption for sample in data.samples])
    attacks = tuple(attack for attack in methods.attacks if not attack.learned)
    if not attacks:
        raise ConfigError(["expected an attack with a score of its own under a mask, got features alone; add sima"])
    methods = Methods(attacks, ())
    split = split_images(data, methods, options)
    measured = measure(loaded, data.samples, methods, options, progress, rules=rules)
    is_member = data.is_positive
    read = {table.name: _read(table, rules, is_member, split.folds) for table in measured.tables}
    scores = {(attack, mask): values for attack, found in read.items() for mask, values in found.scores.items()}
    evaluation = evaluate(
        scores,
        is_member,
        split.folds,
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        inflation={pair: read[pair[0]].inflation for pair in scores},
        units=split.labels,
    )
    return MaskEvaluation(
        metrics={pair: evaluation.metrics[pair] for pair in scores},
        gains={
            (attack, mask): compare(evaluation, (attack, mask), (attack, "none"))
            for attack, mask in scores
            if mask != "none"
        },
        controls={
            (attack, mask): compare(evaluation, (attack, mask), (attack, control_of(mask)))
            for attack, mask in scores
            if mask in rules
        },
        scores=_rows(data, scores),
    )


def _parse(rules: Mapping[str, MaskRule], **chosen: Any) -> AuditOptions:  # noqa: ANN401 - of any option
    """Parse the options; what is wrong with the names of the masks is raised together with what is wrong with them."""
    problems = [f"expected no {name}, since {reason}" for name, reason in NOT_SCORED.items() if chosen.get(name)]
    try:
        check_names(rules)
    except ConfigError as error:
        problems += error.problems
    try:
        options = AuditOptions.parse(**chosen)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from error
    if problems:
        raise ConfigError(problems)
    return options


@dataclass(frozen=True)
class _Read:
    """Scores of an attack by mask, and how far the choice of its level spreads their AUROC."""

    scores: Mapping[str, NDArray[np.float64]]
    inflation: float


def _read(
    table: ErrorTable, rules: Mapping[str, MaskRule], is_member: NDArray[np.bool_], folds: NDArray[np.int64]
) -> _Read:
    """Take every mask at the level that each fold chose without one, own masks like those of every audit."""
    selection = select(table, is_member, folds)
    own = [name for rule in rules for name in (rule, control_of(rule))]
    read = {mask: apply_choice(table.by_mask[mask], selection.columns, is_member, folds) for mask in own}
    return _Read(selection.scores | read, selection.inflation)


def _rows(data: AuditData, scores: Mapping[tuple[str, str], NDArray[np.float64]]) -> pd.DataFrame:
    base = {
        "id": [sample.id for sample in data.compared],
        "path": [encodable(str(sample.path)) for sample in data.compared],
        "set": data.labels[: len(data.compared)],
    }
    tables = [
        pd.DataFrame({**base, "attack": attack, "mask": mask, "score": values})
        for (attack, mask), values in scores.items()
    ]
    return pd.concat(tables, ignore_index=True)
