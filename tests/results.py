"""Results that no model was needed for: simulated scores, evaluated and judged by the real code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from privaudit.errors import ConfigError
from privaudit.evaluation import (
    Candidate,
    Check,
    Choice,
    Fact,
    GateOutcome,
    Verdict,
    by_group,
    by_quartile,
    compare,
    decide,
    evaluate,
    fact,
    parse_gates,
    required_fprs,
)
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.evaluation.checks import BLIND
from privaudit.evaluation.curves import histogram, roc_curves
from privaudit.evaluation.delong import auroc_estimate
from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.facts import CODES, Value
from privaudit.evaluation.finding import PERFECT, perfect_scores
from privaudit.evaluation.selection import MEAN
from privaudit.evaluation.suspects import SuspectReport
from privaudit.evaluation.verdict import GateTest
from privaudit.model.model_files import HeaderWords, LeftOut, MergedAdapter, ModelFiles
from privaudit.results.audit_result import (
    SCHEMA_VERSION,
    AttackReport,
    AuditFailure,
    AuditResult,
    BlindReport,
    FailedVerdict,
    InfluenceReport,
    LevelReport,
    RefusedReport,
    TargetReport,
)
from privaudit.results.data_report import DataReport, LeftOutReport, SetReport, SkippedReport
from privaudit.results.exemplars import Exemplar


def set_reports(images: int) -> tuple[SetReport, ...]:
    """Two folders, one of which has captions, masks and a text."""
    nothing = SetReport("nonmembers", "folder", images, 0, images, 0, 0, "", "", ())
    left_out = (LeftOutReport("mask", "", 3), LeftOutReport("other format", ".txt", 1))
    captioned = SetReport("members", "folder, kohya", images, images, 0, 2, 1, ".txt files", ".caption files", left_out)
    return captioned, nothing


MASKS = ("none", "random", "influence", "weighted")
NAMES = ("sima", "pia", "loss", "mirror", "secmi", "pfami", "clid", "rediffuse", "recon", "pian", "flow_mc", "epsilon")
LEVELS = (20.0, 60.0, 100.0)
CREATED = "2026-01-01T00:00:00+00:00"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""A PNG of one grey pixel, in base64."""
SIMA, MIRROR = Candidate("sima", None, "none"), Candidate("mirror", None, "none")
SUSPECTS = SuspectReport(
    count=12,
    nonmembers=400,
    known_members=0,
    suspect_groups=10,
    nonmember_groups=400,
    search_space=(SIMA, MIRROR, MEAN),
    chosen=SIMA,
    chosen_by_fold=(SIMA,) * 5,
    auroc=0.71,
    set_p=0.0004,
    out_of_fold_p=0.002,
    welch_p=0.001,
    permutations=9999,
    alpha=0.05,
    type_i_rate=Estimate(0.048, 0.03, 0.07),
    false_flag_rate=Estimate(float("nan"), float("nan"), float("nan"), fact("no_splits_requested")),
    type_i_repeats=500,
    flagged={"0.05": 3, "0.1": 4},
    smallest_p=0.0025,
    cautions=(fact("no_out_of_fold_test"),),
)
"""Evidence of training on some of twelve images."""
CANARIES = CanaryReport(
    canaries=200,
    pilot=50,
    audited=150,
    included=80,
    chosen=MEAN,
    search_space=(SIMA, MIRROR, MEAN),
    guesses_in=20,
    guesses_out=10,
    correct=28,
    epsilon_lower=1.234,
    epsilon_most=3.5,
    confidence=0.95,
    delta=1e-5,
    p=0.00012,
    draws=9999,
    seed=0,
)
"""Of two hundred, and a bound above 0."""


FACT_VALUES: Mapping[str, Value] = {
    "attack": "sima",
    "family": "files",
    "mask": "influence",
    "metric": "auroc",
    "old": 0.5,
    "side": "lower",
}
"""Values of facts that have to be one of few."""


def sample_fact(code: str) -> Fact:
    """Make a fact of a code, with values that it could have."""
    plain: Mapping[type, Value] = {int: 3, float: 0.25, str: "word"}
    values = {}
    for name, kind in CODES[code].items():
        usual = FACT_VALUES.get(name)
        values[name] = usual if isinstance(usual, kind) else plain[kind]
    return Fact(code, values)


def noted(text: str) -> tuple[Fact, ...]:
    """What a check noticed, as a report of an earlier version has it."""
    return (fact("text", text=text),)


def gate_outcome(gate: str, status: str, text: str = "why", tests: tuple[GateTest, ...] = ()) -> GateOutcome:
    """The outcome of a gate, decided by a text; one that is no gate counts as that of another version."""
    try:
        parsed = parse_gates([gate])[0]
    except ConfigError:
        return GateOutcome(gate, "other", None, float("nan"), status, noted(text)[0], tests)  # type: ignore[arg-type]
    return GateOutcome(gate, parsed.metric, parsed.fpr, parsed.limit, status, noted(text)[0], tests)  # type: ignore[arg-type]


@cache
def make_result(
    *,
    strength: float = 1.0,
    images: int = 800,
    attacks: tuple[str, ...] = ("sima", "mirror"),
    learned: bool = True,
    gates: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
    groups: tuple[str, ...] = (),
    target: str = "models/small",
    seed: int = 0,
    split: str = "b" * 32,
    model: str = "a" * 32,
) -> AuditResult:
    """Evaluate simulated scores.

    Args:
        strength: Distance of members from non-members, in standard deviations: 0 leaks nothing, 1 a lot.
        images: Of each set.
        attacks: Names of the published ones.
        learned: Whether ``combined`` is among the scores.
        gates: Such as ``tpr@1%fpr>0.05``.
        checks: Beside a blind baseline that is ok.
        groups: Names that are dealt to the images in turn.
        target: Name of the model, which is one of the hub's.
        seed: Of the scores.
        split: Hash of the split.
        model: Hash of the model.

    Returns:
        A result as a scan would write it, without a run folder.
    """
    random = np.random.default_rng(seed)
    is_member = np.arange(2 * images) < images
    folds = np.arange(2 * images) % 5
    shift, common = strength * is_member, random.normal(size=2 * images)
    columns = {
        (name, mask): np.stack([
            common * 0.5 + random.normal(size=2 * images) + shift * (1.0 - 0.2 * step - 0.05 * row) for step in range(3)
        ]).T
        for row, name in enumerate(attacks)
        for mask in MASKS
    }
    scores = {pair: values[:, 0] for pair, values in columns.items()}
    if learned:
        scores["combined", "none"] = sum(scores[name, "none"] for name in attacks) / len(attacks)
    blind = (BLIND, "pixels")
    every_score = {**scores, blind: random.normal(size=2 * images)}
    parsed = parse_gates(gates)
    settings = {"fprs": required_fprs(parsed), "replicates": 400}
    evaluation = evaluate(every_score, is_member, folds, learned=[blind, ("combined", "none")], **settings)
    names = [*attacks, *(["combined"] if learned else [])]
    curves = roc_curves(evaluation, every_score, is_member, limited=[(name, "none") for name in names], seed=seed)
    distortion = random.normal(size=2 * images)
    of_group = [groups[i % len(groups)] if groups else None for i in range(2 * images)]
    best = max(attacks, key=lambda name: evaluation.metrics[name, "none"].auroc.value)
    every = (Check("blind baseline", "ok", (fact("blind_not_told_apart", auroc=0.51, upper=0.54),)), *checks)
    verdict = decide(
        evaluation,
        list(scores),
        gates=parsed,
        checks=every,
        perfect=evaluate({PERFECT: perfect_scores(is_member)}, is_member, folds, **settings),
    )

    def report(name: str) -> AttackReport:
        own = {mask: scores[name, mask] for mask in MASKS if (name, mask) in scores}
        fixed = name == "combined"

        def gain(mask: str):
            return compare(evaluation, (name, mask), (name, "none")) if mask in own and mask != "none" else None

        return AttackReport(
            name=name,
            kind="learned" if fixed else "ours" if name == "mirror" else "published",
            reference="this project" if fixed or name == "mirror" else "Rao et al. 2025, arXiv:2509.25003",
            level=None if fixed else LEVELS[0],
            log_snr=None if fixed else 5.07,
            axis="level",
            levels_by_fold=() if fixed else LEVELS[:1] * 5,
            search_space=() if fixed else LEVELS,
            choices=() if fixed else (Choice("level", LEVELS, LEVELS[:1] * 5, "auroc_no_mask"),),
            order=None if fixed else 4.0,
            parameters={} if fixed else {"order": 4.0, "levels": list(LEVELS)},
            passes=0 if fixed else 3,
            learners=("logistic", "trees") if fixed else (),
            latents="encoder",
            masks={mask: evaluation.metrics[name, mask] for mask in own},
            random_vs_none=gain("random"),
            influence_vs_none=gain("influence"),
            weighted_vs_none=gain("weighted"),
            best_published=best if fixed else None,
            versus_published=compare(evaluation, (name, "none"), (best, "none")) if fixed else None,
            distortion_quartiles=by_quartile(distortion, own["none"], is_member),
            groups=by_group(of_group, own["none"], is_member) if groups else (),
            curves={mask: curves[name, mask] for mask in own},
            histograms={mask: histogram(values, is_member) for mask, values in own.items()},
            spread=1.5 if fixed else 1.0,
            levels=()
            if fixed
            else tuple(
                LevelReport(
                    level,
                    8.0 - level / 20.0,
                    {mask: auroc_estimate(columns[name, mask][:, at], is_member) for mask in MASKS},
                )
                for at, level in enumerate(LEVELS)
            ),
        )

    area = evaluation.metrics[blind].auroc
    return AuditResult(
        schema_version=SCHEMA_VERSION,
        privaudit_version="0.1.0",
        created=CREATED,
        target=TargetReport(target, model, "unconditional", "epsilon", (4, 8, 8)),
        data=DataReport("members", images, images, 0, 3, 1, 0, len(set(groups)), (), split, set_reports(images)),
        config=make_config(target=target, seed=seed, fail_on=list(gates)),
        hardware={"device": "cpu", "name": "x86_64", "cores": 2, "python": "3.11.7", "torch": "2.13.0+cpu"},
        timing={"loading": 0.4, "latents": 20.0, "influence": 12.5, "scores": 50.25, "evaluation": 10.0},
        attacks=tuple(report(name) for name in names),
        refused=(RefusedReport("clid", "needs a text-conditional model"),),
        blind=BlindReport(area, "pixels", {"pixels": area}, curves[blind]),
        checks=every,
        verdict=verdict,
        suspects=None,
        canaries=None,
        influence=InfluenceReport(
            everywhere=tuple(tuple(1.0 + 0.1 * (row - column) for column in range(8)) for row in range(8)),
            exposed=tuple(tuple(1.0 + 0.1 * (column - row) for column in range(8)) for row in range(8)),
            images=20,
            attack=best,
            channels=(0.1, 0.2, 0.3, 0.4),
        ),
        folders=(),
    )


def make_config(**chosen: object) -> dict[str, object]:
    """The options of an audit as they stand in a report."""
    from privaudit.auditing.options import AuditOptions

    options = AuditOptions(
        target="models/small", members=Path("images/members"), nonmembers=Path("images/others"), out=Path("runs/small")
    )
    return {**options.texts(), **chosen}


def make_failure(*problems: str, kind: str = "TargetError", defect: bool = False) -> AuditFailure:
    """A run that ended with an error."""
    return AuditFailure(
        schema_version=SCHEMA_VERSION,
        privaudit_version="0.1.0",
        created=CREATED,
        target="models/small",
        config=make_config(),
        kind=kind,
        defect=defect,
        verdict=FailedVerdict("error", problems or ("expected a model folder at models/small, found none",)),
    )


def make_exemplars(*names: str) -> tuple[Exemplar, ...]:
    """Exemplars of images of those names, all of one grey pixel."""
    ramp = tuple(tuple(0.5 + (row + column) / 14.0 for column in range(8)) for row in range(8))
    return tuple(
        Exemplar(f"{number:032x}", f"images/members/{name}", None, "sima", 3.0 - number, 0.99, ramp, PIXEL)
        for number, name in enumerate(names or ("one.png", "two.png"))
    )


def with_verdict(result: AuditResult, status: str) -> AuditResult:
    """The same result with another status, for what depends on nothing else."""
    return replace(result, verdict=replace(result.verdict, status=status))  # type: ignore[arg-type]


def with_hostile_names(result: AuditResult, name: str) -> AuditResult:
    """Put a name wherever a user's text can stand."""
    attack = replace(
        result.attacks[0],
        groups=tuple(replace(group, name=name) for group in result.attacks[0].groups),
        parameters={"preset": name},
    )
    result = with_model_files(result, name)
    return replace(
        result,
        target=replace(result.target, id=name),
        data=replace(result.data, skipped=(SkippedReport(f"images/{name}.png", f"cannot be read: {name}"),)),
        config={**result.config, "target": name, "members": name, "nonmembers": name, "reference": name},
        attacks=(attack, *result.attacks[1:]),
        refused=(RefusedReport("clid", f"needs {name}"),),
        checks=(*result.checks, Check("captions", "warn", noted(f"the caption {name}"))),
        verdict=Verdict(
            result.verdict.status,
            (fact("gate_failed", gate=name), *result.verdict.reasons),
            result.verdict.gates,
            result.verdict.finding,
        ),
    )


def with_model_files(result: AuditResult, name: str) -> AuditResult:
    """The same result of a model whose files and their headers have a name, with folders in front of it."""
    style, other = f"folders/style {name}", f"folders/other {name}"
    files = ModelFiles(
        adapters=(MergedAdapter(style, "c" * 32, name, name, 0.8, {"unet": 24}, (4, 16)),),
        sources={"unet": f"folders/unet {name}"},
        embeddings={f"<{name}>": f"folders/embedding {name}"},
        left_out=(LeftOut(other, "adapter", "folders"), LeftOut(f"{other} ema", "average", other)),
        headers=(HeaderWords(style, (f"5_{name}", "1_reg"), 120, 40, {"ss_output_name": name}),),
    )
    config = {
        "lora": [f"{style}@0.8"],
        "components": [f"unet=folders/unet {name}"],
        "embeddings": [f"folders/embedding {name}@<{name}>"],
        "config_from": f"folders/configuration {name}",
    }
    return replace(result, target=replace(result.target, files=files), config={**result.config, **config})


def make_suspects() -> SuspectReport:
    """Seven of them, against twenty non-members."""
    rate = Estimate(0.05, 0.01, 0.1)
    return SuspectReport(
        count=7,
        nonmembers=20,
        known_members=0,
        suspect_groups=7,
        nonmember_groups=20,
        search_space=(SIMA,),
        chosen=SIMA,
        chosen_by_fold=(SIMA,),
        auroc=0.7,
        set_p=0.03,
        out_of_fold_p=0.04,
        welch_p=0.01,
        permutations=999,
        alpha=0.05,
        type_i_rate=rate,
        false_flag_rate=rate,
        type_i_repeats=100,
        flagged={"0.05": 2, "0.1": 3},
        smallest_p=0.05,
        cautions=(),
    )
