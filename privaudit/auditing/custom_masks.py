"""`evaluate_masks`: compares custom masks with those that every audit scores."""

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
"""Options of an audit that the evaluation of masks refuses, and why."""


@dataclass(frozen=True, eq=False)
class MaskEvaluation:
    """Metrics of every attack under every mask.

    Attributes:
        metrics: Metrics by attack and mask.
        gains: Paired comparison of each mask with no mask, by attack and mask.
        controls: Paired comparison of each custom mask with its control, the same weights at random dimensions.
        scores: Scores with one row per image, attack and mask, as in ``scores.parquet``.
    """

    metrics: Mapping[tuple[str, str], Metrics]
    gains: Mapping[tuple[str, str], Comparison]
    controls: Mapping[tuple[str, str], Comparison]
    scores: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return the AUROCs as a table.

        Returns:
            One row per attack and mask: ``auroc`` with its limits, ``gain`` over no mask and, for a custom mask, gain
            ``over_shuffled``, each with limits and p-value.
        """
        rows = []
        for (attack, mask), metrics in self.metrics.items():
            area = metrics.auroc
            row = {"attack": attack, "mask": mask, "auroc": area.value, "auroc_lo": area.lo, "auroc_hi": area.hi}
            for name, comparisons in (("gain", self.gains), ("over_shuffled", self.controls)):
                if (paired := comparisons.get((attack, mask))) is not None:
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
    """Score the attacks of an audit under custom masks.

    Latents and influence are read from the run folder if an audit with the same options has stored them; the attacks
    run again. Reports in the folder are not changed.

    Args:
        rules: Mask functions by mask name. Each maps the influence, ``(n, *latent)``, to masks or weights of that
            shape, each image independently of the others.
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: Run folder; by default that of `privaudit.audit`.
        folds: Number of folds of the cross-fitting.
        replicates: Minimum number of bootstrap resamples.
        on_progress: Called with (stage, done, total).
        choices: Further options of `privaudit.audit`, except gates and a reference model, which are refused.

    Returns:
        Metrics and scores under the usual masks, the custom ones, and a control of each custom mask with its weights
        shuffled.

    Raises:
        ConfigError: A name is taken, a function does not return masks, or an option is wrong.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model returns NaN or infinity; names the images.
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
    by_attack = {table.name: _select(table, rules, is_member, split.folds) for table in measured.tables}
    scores = {
        (attack, mask): values for attack, selected in by_attack.items() for mask, values in selected.scores.items()
    }
    evaluation = evaluate(
        scores,
        is_member,
        split.folds,
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        inflation={(attack, mask): by_attack[attack].inflation for attack, mask in scores},
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
    """Parse the options; problems of the mask names and of the options are raised together."""
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
class _Selected:
    """Scores of an attack by mask, and the factor by which the choice of its level inflates the AUROC's error."""

    scores: Mapping[str, NDArray[np.float64]]
    inflation: float


def _select(
    table: ErrorTable, rules: Mapping[str, MaskRule], is_member: NDArray[np.bool_], folds: NDArray[np.int64]
) -> _Selected:
    """Select the scores under every mask at the level that each fold chose without a mask, as in an audit."""
    selection = select(table, is_member, folds)
    custom = [name for rule in rules for name in (rule, control_of(rule))]
    scores = {mask: apply_choice(table.by_mask[mask], selection.columns, is_member, folds) for mask in custom}
    return _Selected(selection.scores | scores, selection.inflation)


def _rows(data: AuditData, scores: Mapping[tuple[str, str], NDArray[np.float64]]) -> pd.DataFrame:
    """Make the table of scores, one row per image, attack and mask."""
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
