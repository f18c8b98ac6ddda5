"""Four images of an audit, masks for them, every attack by its specification, and a target on which it can run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch
from models import LATENT, gaussian_target, network_target, prompts, random_normal
from reference import Case
from torch import Tensor

from privaudit.attacks import ATTACKS, Attack, Batch, PassCache, parse_attacks, score_batch
from privaudit.decoder_geometry import build_masks
from privaudit.model.target import Target

IDS = ("a", "b", "c", "d")
CAPTIONS = ("a red fox sleeping", "two boats", "snow", "a house on a hill under dark clouds")
SEED = 5
ALL = slice(None)
SPECS = [spec for name in sorted(ATTACKS) for spec in (name, *(f"{name}@{each}" for each in ATTACKS[name].presets))]
"""Every attack with its defaults and with each of its presets."""
SHORT = [spec for spec in SPECS if spec not in ("pfami@met", "pia@sd", "sima@ddpm", "gsa@2")]
"""Without presets of many passes, for tests that run all of them together."""
NETWORKS = ("epsilon", "text", "flow")
"""Kinds of small networks, from which an attack runs on the first that it does not refuse."""


def a_network(kind: str) -> Target:
    return network_target("flow" if kind == "flow" else "epsilon", text=kind == "text")


def an_attack(spec: str) -> tuple[Attack, Target]:
    """An attack and a small network on which it can run, in float64."""
    (attack,) = parse_attacks([spec])
    kinds = [kind for kind in NETWORKS if attack.unsupported_reason(a_network(kind)) is None]
    target = a_network(kinds[0])
    return attack.for_target(target), target


def some_images(target: Target, dtype: torch.dtype = torch.float64) -> Tensor:
    """Images that the autoencoder cannot give back exactly, ``(4, 3, 8, 8)``."""
    decoded = target.decode(random_normal(4, *LATENT, seed=7, dtype=dtype))
    return decoded + 0.3 * random_normal(*decoded.shape, seed=9, dtype=dtype)


def a_batch(target: Target | None = None, rows: Any = ALL, **changes: Any) -> Batch:
    """The images a, b, c, d or some of them, at the latents of the encoder."""
    target = target or gaussian_target()
    images = some_images(target)
    chosen = range(len(IDS))[rows] if isinstance(rows, slice) else rows
    ids, own = [IDS[row] for row in chosen], prompts(*(CAPTIONS[row] for row in chosen))
    given = {"latents": target.encode(images)[rows], "prompts": own, "images": images[rows]} | changes
    return Batch(**({"target": target, "sample_ids": ids, "seed": SEED} | given))


def some_masks(rows: Any = ALL) -> dict[str, Tensor]:
    influence = random_normal(4, *LATENT, seed=8).abs()
    return {name: mask[rows] for name, mask in build_masks(influence, IDS, 0.4, 0).items()}


def ones() -> Tensor:
    return torch.ones(4, *LATENT)


def at(target: Target, *specs: str) -> list[Attack]:
    return [attack.for_target(target) for attack in parse_attacks(specs)]


def everything(kind: str) -> tuple[list[Attack], Target]:
    """All attacks that run on the network that one of them runs on."""
    _, target = an_attack(kind)
    return at(target, *(spec for spec in SHORT if parse_attacks([spec])[0].unsupported_reason(target) is None)), target


def cases_of(batch: Batch, mask: Tensor) -> list[Case]:
    """The images of a batch one by one, for the slow transcriptions."""
    assert batch.images is not None
    parts = zip(batch.latents, batch.sample_ids, mask, batch.prompts, batch.images, strict=True)
    return [
        Case(batch.target, latent, sample_id, batch.seed, own, prompt.caption, image)
        for latent, sample_id, own, prompt, image in parts
    ]


def scored(attack: Attack, batch: Batch, masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Scores of one attack by mask."""
    found = score_batch([attack], batch, masks or {"none": torch.ones(batch.latents.shape)})
    return {mask: values for (title, mask), values in found.items() if title == attack.label}


def agree(found: dict[Any, Tensor], wanted: dict[Any, Tensor], rtol: float = 1e-9) -> None:
    """The same scores under the same names."""
    assert found.keys() == wanted.keys()
    for key in found:
        torch.testing.assert_close(
            found[key], wanted[key], rtol=rtol, atol=1e-12, msg=lambda text, key=key: f"{key}: {text}"
        )


@dataclass(frozen=True)
class Counted:
    """An autoencoder or denoiser that counts the images that go through it."""

    inner: Any
    images: Counter[str]

    def encode(self, images: Tensor) -> Tensor:
        self.images["encode"] += len(images)
        return self.inner.encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        self.images["decode"] += len(latents)
        return self.inner.decode(latents)

    def predict_noise(self, noisy: Tensor, level: Any, condition: Any) -> Tensor:
        self.images["forward"] += len(noisy)
        return self.inner.predict_noise(noisy, level, condition)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def counted(target: Target) -> tuple[Target, Counter[str]]:
    """The same target, and how many images its parts were given."""
    images: Counter[str] = Counter()
    parts = {part: Counted(getattr(target, part), images) for part in ("autoencoder", "denoiser")}
    return replace(target, **parts), images


def passes(attacks: list[Attack], target: Target, cache: PassCache | None = None) -> dict[str, float]:
    """Passes an image that some attacks really take, counted at the networks."""
    watched, images = counted(target)
    batch = a_batch(target)
    batch = replace(batch, target=watched, cache=cache or PassCache())
    score_batch(attacks, batch, some_masks())
    return {work: images[work] / len(IDS) for work in ("forward", "encode", "decode")}
