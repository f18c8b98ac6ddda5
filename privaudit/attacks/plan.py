"""The plan of an audit: the passes per image of each attack, and which of them attacks share.

To make a plan, the attacks run once on a blank target of the same shape, whose networks return constants, and their
passes are counted in the cache. A plan therefore cannot differ from what the audit does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from privaudit.attacks.base import Attack
from privaudit.attacks.batch import Batch, PassCache, Work
from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule
from privaudit.model.target import Target, TargetInfo

WORK: tuple[Work, ...] = ("forward", "backward", "encode", "decode")


@dataclass(frozen=True)
class Step:
    """Cost of one attack.

    Attributes:
        label: Label of the attack.
        alone: Passes per image by kind, if the attack ran by itself.
        added: Passes per image by kind that it adds to the attacks before it in the plan.
        shares: Labels of the attacks before it whose results it reuses.
    """

    label: str
    alone: Mapping[Work, int]
    added: Mapping[Work, int]
    shares: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Cost of a set of attacks per image.

    Attributes:
        steps: One step per attack, in the order in which they run.
        expected: Number of requests for each shared result (see `PassCache.expected`).
    """

    steps: tuple[Step, ...]
    expected: Mapping[Hashable, int] = field(default_factory=dict, repr=False)

    def total(self, work: Work) -> int:
        """Passes of all attacks together."""
        return sum(step.added[work] for step in self.steps)

    def alone(self, work: Work) -> int:
        """Passes if each attack ran by itself."""
        return sum(step.alone[work] for step in self.steps)


def make_plan(attacks: Sequence[Attack], target: Target, masks: Sequence[str] = ("none",)) -> Plan:
    """Count the passes of some attacks without running the target.

    Args:
        attacks: Attacks with levels of the target (`Attack.for_target`).
        target: Target that gives the shapes and the schedule.
        masks: Names of the masks; their number matters to attacks that differentiate a masked loss.

    Returns:
        The plan.
    """
    blank = blank_target(target)
    together = _trace(attacks, blank, masks)
    steps = []
    for attack in attacks:
        requested = {key for label, key in together.requests if label == attack.label}
        earlier = [other.label for other in attacks[: list(attacks).index(attack)]]
        # Two attacks share passes if both request the result of the same pass. It is counted for the first of them.
        shares = tuple(
            label
            for label in earlier
            if any(key in requested and _is_pass(key) for name, key in together.requests if name == label)
        )
        alone = _trace([attack], blank, masks)
        steps.append(
            Step(
                attack.label,
                {work: alone.work[attack.label, work] for work in WORK},
                {work: together.work[attack.label, work] for work in WORK},
                shares,
            )
        )
    expected: Counter[Hashable] = Counter()
    for (_, key), times in together.requests.items():
        expected[key] += times
    return Plan(tuple(steps), expected)


def blank_target(target: Target) -> Target:
    """Make a target of the same shapes whose networks return constants."""
    blank = _Blank(target.info)
    return replace(target, autoencoder=blank, denoiser=blank, device=torch.device("cpu"), conditioner=None)


def _trace(attacks: Sequence[Attack], blank: Target, masks: Sequence[str]) -> PassCache:
    latents = torch.ones(1, *blank.info.latent_shape)
    images = torch.zeros(1, *blank.info.sample_shape)
    batch = Batch(blank, latents, ["blank"], [Prompt("one two three four")], 0, images)
    with torch.no_grad():
        for attack in attacks:
            batch.cache.attack = attack.label
            attack.measure(batch, {name: latents for name in masks})
    return batch.cache


def _is_pass(key: Hashable) -> bool:
    """Whether a shared result took a pass; embedded captions take none."""
    return isinstance(key, tuple) and key[-1] != "condition"


@dataclass(frozen=True)
class _Blank:
    """Autoencoder and denoiser with the right shapes that compute nothing."""

    like: TargetInfo
    dtype: torch.dtype = torch.float32
    module: nn.Module = field(
        default_factory=lambda: nn.ParameterList([nn.Parameter(torch.ones(()), requires_grad=False)])
    )

    @property
    def channel_axis(self) -> int:
        return 1

    def encode(self, images: Tensor) -> Tensor:
        return torch.ones(len(images), *self.like.latent_shape)

    def decode(self, latents: Tensor) -> Tensor:
        return torch.ones(len(latents), *self.like.sample_shape)

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        del level, condition
        # Times the parameter, so that attacks on gradients have something to differentiate.
        return torch.ones_like(noisy) * next(self.module.parameters())


def model_for_counting(prediction_type: str = "epsilon") -> Target:
    """Make a blank target with the schedule of DDPM or of a flow, to count the passes of an attack without a model."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    diffusion = DiffusionSchedule(tuple((1 - betas).cumprod(0).tolist()))
    schedule = FlowSchedule() if prediction_type == "flow" else diffusion
    info = TargetInfo("blank", "", "", "text-to-image", prediction_type, (1, 2, 2), (3, 4, 4))
    blank = _Blank(info)
    return Target(info, blank, blank, schedule, torch.device("cpu"))
