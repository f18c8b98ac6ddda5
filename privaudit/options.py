"""Every option of an audit, checked together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from privaudit.errors import ConfigError
from privaudit.evaluation import parse_gates
from privaudit.geometry import make_estimator, wrong_cut
from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
from privaudit.inversion import DEFAULT, make_solver
from privaudit.scorers import parse_methods

LatentSource = Literal["encoder", "inversion"]


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
        solver: Inversion solver, with parameters if wanted (see `privaudit.inversion.make_solver`).
        influence: Estimator, with parameters if wanted (see `privaudit.geometry.make_estimator`).
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: Of the denoiser: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        batch_size: Images a pass; None chooses. The geometry takes fewer where memory is short, and every stage halves
            when it runs out.
        memory: GiB that the geometry may take; None takes half of what is free (`privaudit.memory.SHARE`).
        seed: Of noise, probes, masks, folds and resampling.
        folds: Of the cross-fitting.
        replicates: Bootstrap resamples.
        confidence: Of all intervals.
        fail_on: Gates, such as ``tpr@1%fpr>0.05``.
        gate_bound: Confidence limit that a gate looks at: ``lower`` fails if more leakage than it allows is shown,
            ``upper`` unless more is ruled out.
        strict: Stop at an unreadable image instead of skipping it.
        fresh: Forget what an earlier run left in ``out``.
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

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            ConfigError: One or more options are wrong.
        """
        problems = self._wrong_sets()
        problems += [f"expected 0 <= drop < 1, got {drop}" for drop in self.drops if not 0 <= drop < 1]
        if not self.drops or len(set(self.drops)) < len(self.drops):
            problems.append(f"expected one share to drop, or several that differ, got {self.drops}")
        for name, allowed in (
            ("geometry_latents", ("encoder", "inversion")),
            ("attack_latents", ("encoder", "inversion")),
            ("mask_scope", ("image", "set")),
            ("gate_bound", ("lower", "upper")),
        ):
            if getattr(self, name) not in allowed:
                problems.append(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)}")
        if not 0 <= self.gamma < float("inf"):
            problems.append(f"expected 0 <= gamma < infinity, got {self.gamma}")
        for name, least in (("folds", 2), ("replicates", 100)):
            if getattr(self, name) < least:
                problems.append(f"expected {name} >= {least}, got {getattr(self, name)}")
        if self.batch_size is not None and self.batch_size < 1:
            problems.append(f"expected a batch size >= 1 or auto, got {self.batch_size}")
        if not 0.5 < self.confidence < 1:
            problems.append(f"expected 0.5 < confidence < 1, got {self.confidence}")
        elif self.replicates * (1 - self.confidence) < 2:
            needed = round(2 / (1 - self.confidence))
            problems.append(f"expected at least {needed} replicates for this confidence, got {self.replicates}")
        if not 0 <= self.seed < 2**32:
            problems.append(f"expected 0 <= seed < 2^32, got {self.seed}")
        parsers: tuple[tuple[str, Callable[[Any], object]], ...] = (
            ("attacks", parse_methods),
            ("fail_on", parse_gates),
            ("solver", make_solver),
            ("influence", make_estimator),
        )
        for name, parse in parsers:
            value = getattr(self, name)
            if isinstance(value, str) and name in ("attacks", "fail_on"):
                problems.append(f"expected a tuple of texts for {name}, got the text {value!r}")
                continue
            try:
                parse(value)
            except ConfigError as error:
                problems.extend(error.problems)
        if not problems:
            problems += self._wrong_cut()
        if self.memory is not None and not 0 < self.memory < float("inf"):
            problems.append(f"expected memory > 0 GiB, got {self.memory}")
        if problems:
            raise ConfigError(problems)

    def _wrong_cut(self) -> list[str]:
        """An estimator that settles the cut of one mask, with another share to drop or with several."""
        found = [problem for drop in self.drops for problem in wrong_cut(make_estimator(self.influence), drop)]
        if found and len(self.drops) > 1:
            return [f"expected one share to drop with {self.influence}, which settles one cut, got {self.drops}"]
        return found

    def _wrong_sets(self) -> list[str]:
        """What is missing or too much among the image sets."""
        given = [name for name in ("members", "nonmembers", "suspects") if getattr(self, name) is not None]
        if self.canaries is not None:
            return [f"expected canaries alone, which are both sets, got {', '.join(given)}, too"] if given else []
        if self.nonmembers is None:
            return [
                "expected nonmembers, images that the model was not trained on, got none; pass them with members or "
                "suspects, or pass canaries"
            ]
        if self.members is None and self.suspects is None:
            return ["expected members or suspects to compare with the nonmembers, got neither"]
        return []

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
