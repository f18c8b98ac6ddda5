"""Run folders that no model was needed for: simulated scores, measured by the real code and saved as by a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from results import make_config, make_result

from privaudit.evaluation import Check, decide, evaluate, parse_gates, required_fprs
from privaudit.evaluation.finding import PERFECT, perfect_scores
from privaudit.results.audit_result import AttackReport, AuditResult

Scores = Mapping[tuple[str, str], np.ndarray]


def labels(members: int, nonmembers: int | None = None) -> np.ndarray:
    """Members first."""
    return np.arange(members + (members if nonmembers is None else nonmembers)) < members


def make_ids(count: int, first: int = 0) -> list[str]:
    return [f"{number:032x}" for number in range(first, first + count)]


def write_run(
    folder: Path,
    scores: Scores,
    is_member: np.ndarray,
    *,
    ids: Sequence[str] | None = None,
    units: Sequence[str | None] | None = None,
    gates: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
    spreads: Mapping[str, float] | None = None,
    kinds: Mapping[str, str] | None = None,
    replicates: int = 200,
    keep_scores: bool = True,
    config: Mapping[str, object] | None = None,
    model: str = "a" * 32,
    split: str = "b" * 32,
    **changed: object,
) -> Path:
    """Write report.json, scores.parquet and samples.parquet of a made-up audit.

    Args:
        folder: The run folder.
        scores: (attack, mask) to ``(n,)``.
        is_member: ``(n,)``.
        ids: Of the images; 0, 1, 2, ... by default.
        units: What images belong together.
        gates: Such as ``auroc>0.6``.
        checks: Of the run.
        spreads: By attack; 1 by default.
        kinds: By attack; ``published`` by default.
        replicates: Of the bootstrap.
        keep_scores: Whether the scores of single images are there.
        config: Options that are not the defaults.
        model: Hash of the model.
        split: Hash of the split.
        changed: Other fields of the result.

    Returns:
        The folder.
    """
    count = len(is_member)
    names, parsed = list(make_ids(count) if ids is None else ids), parse_gates(gates)
    spread = {name: (spreads or {}).get(name, 1.0) for name, _ in scores}
    settings = {
        "fprs": required_fprs(parsed),
        "replicates": replicates,
        "units": None if units is None else [unit or f"image {at}" for at, unit in enumerate(units)],
    }
    folds = np.zeros(count, dtype=np.int64) if units is not None else np.arange(count) % 5
    evaluation = evaluate(scores, is_member, folds, inflation={pair: spread[pair[0]] for pair in scores}, **settings)
    verdict = decide(
        evaluation,
        list(scores),
        gates=parsed,
        checks=checks,
        perfect=evaluate({PERFECT: perfect_scores(is_member)}, is_member, folds, **settings),
    )
    template = make_result(images=100, attacks=("sima",), learned=False)

    def report(name: str) -> AttackReport:
        return replace(
            template.attacks[0],
            name=name,
            kind=(kinds or {}).get(name, "published"),
            spread=spread[name],
            masks={mask: evaluation.metrics[name, mask] for own, mask in scores if own == name},
        )

    result = replace(
        template,
        target=replace(template.target, hash=model),
        data=replace(
            template.data, positives=int(is_member.sum()), nonmembers=int((~is_member).sum()), split_hash=split
        ),
        config=make_config(fail_on=list(gates), **(config or {})),
        attacks=tuple(report(name) for name in dict.fromkeys(name for name, _ in scores)),
        checks=checks,
        verdict=verdict,
    )
    result = replace(result, **changed)
    (folder / "scores").mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(result.to_json(), encoding="utf-8")
    if keep_scores:
        sets = np.where(is_member, "member", "nonmember")
        tables = [
            pd.DataFrame({"id": names, "set": sets, "attack": name, "mask": mask, "score": values})
            for (name, mask), values in scores.items()
        ]
        pd.concat(tables).to_parquet(folder / "scores" / "scores.parquet", index=False)
        samples = pd.DataFrame({"id": names, "unit": [None] * count if units is None else list(units)})
        samples.to_parquet(folder / "samples.parquet", index=False)
    return folder


def rewrite(folder: Path, **changed: object) -> Path:
    """Change fields of a report that was written before."""
    result = replace(AuditResult.load(folder), **changed)
    (folder / "report.json").write_text(result.to_json(), encoding="utf-8")
    return folder
