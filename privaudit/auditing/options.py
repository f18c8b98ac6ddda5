"""Every option of an audit, checked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from privaudit.errors import ConfigError
from privaudit.evaluation import parse_gates
from privaudit.geometry import ESTIMATORS, wrong_cut
from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
from privaudit.inversion import DEFAULT, SOLVERS
from privaudit.loading.device import resolve_device, resolve_dtype
from privaudit.loading.model_source import ModelSource
from privaudit.scorers import parse_methods

LatentSource = Literal["encoder", "inversion"]

Problem = tuple[str, tuple[str, ...]]
"""A sentence, and the names of the options that it is about."""


class OptionsError(ConfigError):
    """Options of an audit that are wrong.

    Attributes:
        about: For each of ``problems`` the names of the options that it is about.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Join the problems into one message.

        Args:
            problems: At least one.
        """
        super().__init__([text for text, _ in problems])
        self.about = tuple(names for _, names in problems)


def default_folder(target: str) -> Path:
    """Run folder of a target if none is chosen: its name below ``privaudit-runs``."""
    return Path("privaudit-runs") / Path(target).resolve().name


@dataclass(frozen=True)
class AuditOptions:
    """What to audit and how; the defaults are those of `privaudit scan`.

    Attributes:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set; None with ``suspects`` or ``canaries``.
        nonmembers: Folder or manifest of images said not to be; None with ``canaries``.
        out: The run folder.
        suspects: Folder or manifest of images of unknown membership, compared with ``nonmembers``.
        canaries: What `privaudit canaries make` wrote: members and non-members drawn by lot before training.
        attacks: Specifications (see `privaudit.scorers.parse_methods`); none means the default ones.
        reference: A diffusers folder or hub id whose errors are subtracted, such as the base of a fine-tune.
        drop: Share of latent dimensions that the hard masks drop; of several, one is chosen for each fold.
        gamma: Power of the influence in the soft weights.
        mask_scope: Masks and weights from the influence of each ``image``, or one for all from their mean, ``set``.
        geometry_latents: Where the decoder's influence is taken.
        attack_latents: Where the attack's statistic is taken; the denoiser was trained at the encoder's.
        solver: Inversion solver, with parameters if wanted (see `privaudit.inversion.SOLVERS`).
        influence: Estimator, with parameters if wanted (see `privaudit.geometry.ESTIMATORS`).
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: Of the denoiser: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        batch_size: Images a pass; None chooses. The geometry takes fewer where memory is short, and every stage halves
            when it runs out.
        memory: GiB that the geometry may take; None takes half of what is free (`privaudit.execution.memory.SHARE`).
        seed: Of noise, probes, masks, folds and resampling.
        folds: Of the cross-fitting.
        replicates: Bootstrap resamples at least; more are drawn where limits are corrected for many tests.
        confidence: Of all intervals.
        fail_on: Gates, such as ``tpr@1%fpr>0.05``.
        gate_bound: Confidence limit that a gate looks at: ``lower`` fails if more leakage than it allows is shown,
            ``upper`` unless more is ruled out.
        strict: Stop at an unreadable image instead of skipping it.
        fresh: Forget what an earlier run left in ``out``.
        config_file: The file that options came from; SARIF points to it. It decides nothing.
    """

    target: str
    members: Path | None
    nonmembers: Path | None
    out: Path
    suspects: Path | None = None
    canaries: Path | None = None
    attacks: tuple[str, ...] = ()
    reference: str | None = None
    drop: float | tuple[float, ...] = 0.4
    gamma: float = 1.0
    mask_scope: Literal["image", "set"] = "image"
    geometry_latents: LatentSource = "inversion"
    attack_latents: LatentSource = "encoder"
    solver: str = DEFAULT
    influence: str = DEFAULT_ESTIMATOR
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    memory: float | None = None
    seed: int = 0
    folds: int = 5
    replicates: int = 2000
    confidence: float = 0.95
    fail_on: tuple[str, ...] = ()
    gate_bound: Literal["lower", "upper"] = "lower"
    strict: bool = False
    fresh: bool = False
    config_file: Path | None = None

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            OptionsError: One or more options are wrong.
        """
        problems = [*self._wrong_sets(), *self._wrong_names(), *self._wrong_numbers(), *self._wrong_texts()]
        if not problems:
            problems += self._wrong_cut()
        if problems:
            raise OptionsError(problems)

    def _wrong_sets(self) -> list[Problem]:
        """What is missing or too much among the image sets."""
        given = [name for name in ("members", "nonmembers", "suspects") if getattr(self, name) is not None]
        if self.canaries is not None:
            alone = f"expected canaries alone, which are both sets, got {', '.join(given)}, too"
            return [(alone, ("canaries", *given))] if given else []
        if self.nonmembers is None:
            missing = (
                "expected nonmembers, images that the model was not trained on, got none; pass them with members or "
                "suspects, or pass canaries"
            )
            return [(missing, ("nonmembers",))]
        if self.members is None and self.suspects is None:
            return [
                ("expected members or suspects to compare with the nonmembers, got neither", ("members", "suspects"))
            ]
        return []

    def _wrong_names(self) -> list[Problem]:
        """What is none of a few words."""
        return [
            (f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)}", (name,))
            for name, allowed in (
                ("geometry_latents", ("encoder", "inversion")),
                ("attack_latents", ("encoder", "inversion")),
                ("mask_scope", ("image", "set")),
                ("gate_bound", ("lower", "upper")),
            )
            if getattr(self, name) not in allowed
        ]

    def _wrong_numbers(self) -> list[Problem]:
        problems: list[Problem] = [
            (f"expected 0 <= drop < 1, got {drop}", ("drop",)) for drop in self.drops if not 0 <= drop < 1
        ]
        if not self.drops or len(set(self.drops)) < len(self.drops):
            problems.append((f"expected one share to drop, or several that differ, got {self.drops}", ("drop",)))
        if not 0 <= self.gamma < float("inf"):
            problems.append((f"expected 0 <= gamma < infinity, got {self.gamma}", ("gamma",)))
        for name, least in (("folds", 2), ("replicates", 100)):
            if getattr(self, name) < least:
                problems.append((f"expected {name} >= {least}, got {getattr(self, name)}", (name,)))
        if self.batch_size is not None and self.batch_size < 1:
            problems.append((f"expected a batch size >= 1 or auto, got {self.batch_size}", ("batch_size",)))
        if not 0.5 < self.confidence < 1:
            problems.append((f"expected 0.5 < confidence < 1, got {self.confidence}", ("confidence",)))
        elif self.replicates * (1 - self.confidence) < 2:
            needed = round(2 / (1 - self.confidence))
            few = f"expected at least {needed} replicates for this confidence, got {self.replicates}"
            problems.append((few, ("replicates", "confidence")))
        if not 0 <= self.seed < 2**32:
            problems.append((f"expected 0 <= seed < 2^32, got {self.seed}", ("seed",)))
        if self.memory is not None and not 0 < self.memory < float("inf"):
            problems.append((f"expected memory > 0 GiB, got {self.memory}", ("memory",)))
        return problems

    def _wrong_texts(self) -> list[Problem]:
        """What cannot be read as attacks, gates, a solver, an estimator, a device or a precision."""
        problems: list[Problem] = []
        parsers: tuple[tuple[str, Callable[[Any], object]], ...] = (
            ("attacks", parse_methods),
            ("fail_on", parse_gates),
            ("solver", SOLVERS.build),
            ("influence", ESTIMATORS.build),
            ("device", resolve_device),
            ("dtype", resolve_dtype),
        )
        for name, parse in parsers:
            value = getattr(self, name)
            if isinstance(value, str) and name in ("attacks", "fail_on"):
                problems.append((f"expected a tuple of texts for {name}, got the text {value!r}", (name,)))
                continue
            try:
                parse(value)
            except ConfigError as error:
                problems.extend((problem, (name,)) for problem in error.problems)
        return problems

    def _wrong_cut(self) -> list[Problem]:
        """An estimator that settles the cut of one mask, with another share to drop or with several."""
        found = [problem for drop in self.drops for problem in wrong_cut(ESTIMATORS.build(self.influence), drop)]
        if found and len(self.drops) > 1:
            found = [f"expected one share to drop with {self.influence}, which settles one cut, got {self.drops}"]
        return [(problem, ("drop", "influence")) for problem in found]

    @property
    def model(self) -> ModelSource:
        """The audited model, and how it is loaded."""
        return ModelSource(self.target, self.device, self.dtype)

    @property
    def reference_model(self) -> ModelSource | None:
        """The reference model, loaded as the audited one is."""
        return None if self.reference is None else replace(self.model, path=self.reference)

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every folder or file that images are read from."""
        return tuple(p for p in (self.members, self.nonmembers, self.suspects, self.canaries) if p is not None)

    @property
    def drops(self) -> tuple[float, ...]:
        """The shares to drop, also of a single one."""
        return self.drop if isinstance(self.drop, tuple) else (self.drop,)

    @property
    def inverts(self) -> bool:
        """Whether any stage needs the inverted latents."""
        return "inversion" in (self.geometry_latents, self.attack_latents)
