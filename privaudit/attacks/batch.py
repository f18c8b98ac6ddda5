"""Some images and the denoiser, with everything that two attacks may ask for computed once.

An attack asks for what it needs by name: the prediction at the clean latent, at a noise draw, along an inversion. The
batch runs the denoiser the first time and answers from memory afterwards, whichever attack asks. What was asked for,
and by whom, stands in the `PassCache`; run once on a blank target it is the plan of an audit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from privaudit.model.condition import Condition
from privaudit.model.ddim import ddim_move
from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

Work = Literal["forward", "backward", "encode", "decode"]
"""What costs time: a pass of the denoiser, one back through it, and the autoencoder's two halves."""


@dataclass
class PassCache:
    """Who asked for what, what has been computed, and what is still kept.

    Attributes:
        attack: Label of the attack that is asking now.
        work: Passes per image, by attack and kind; what was answered from memory costs nothing.
        asked: How often each attack has asked for each shared result.
        expected: How often each shared result will be asked for, if known: it is forgotten after the last time.
    """

    attack: str = ""
    work: Counter[tuple[str, Work]] = field(default_factory=Counter)
    asked: Counter[tuple[str, Hashable]] = field(default_factory=Counter)
    expected: Mapping[Hashable, int] | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict)
    _given: Counter[Hashable] = field(default_factory=Counter)

    def note(self, kind: Work, passes: int = 1) -> None:
        """Count work of the attack that is asking."""
        self.work[self.attack, kind] += passes

    def shared(self, key: Hashable, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever was computed
        """Answer from memory, or compute and remember."""
        self.asked[self.attack, key] += 1
        if key not in self._kept:
            self._kept[key] = compute()
        found = self._kept[key]
        self._given[key] += 1
        if self.expected is not None and self._given[key] >= self.expected.get(key, 0):
            del self._kept[key]
        return found


@dataclass(frozen=True)
class Batch:
    """Latents of some images and the denoiser, with each distinct pass run once.

    What has been computed is kept by name: other latents, noise or captions need another cache, or `with_images` and
    `with_captions`.

    Attributes:
        target: The audited model.
        latents: z_0, ``(n, *latent)``.
        sample_ids: One id per image; noise belongs to the id.
        prompts: One per image; ``Prompt()`` is the null condition.
        seed: Seed of the audit.
        images: ``(n, 3, h, w)`` in [-1, 1], for attacks that need them.
        cache: What has been asked for and computed.
        tag: Name of a batch derived from another one: marks its results in the cache that the two share.
    """

    target: Target
    latents: Tensor
    sample_ids: Sequence[str]
    prompts: Sequence[Prompt]
    seed: int
    images: Tensor | None = None
    cache: PassCache = field(default_factory=PassCache, repr=False, compare=False)
    tag: Hashable = ()

    @property
    def condition(self) -> Condition | None:
        """The prompts, embedded."""
        found: Condition | None = self.cache.shared(
            (self.tag, "condition"), lambda: self.target.condition(tuple(self.prompts))
        )
        return found

    def noise(self, level: int, draw: int = 0) -> Tensor:
        """Standard normal noise of (seed, sample id, level, draw) alone, ``(n, *latent)``."""
        drawn = normal_for(self.seed, self.sample_ids, self.latents.shape[1:], "noise", level, draw)
        return drawn.to(self.latents)

    def noised(self, level: int, noise: Tensor) -> Tensor:
        """Return alpha z_0 + sigma noise."""
        alpha, sigma = self.target.alpha_sigma(level)
        return alpha * self.latents + sigma * noise

    def predict(self, noisy: Tensor, level: int) -> Tensor:
        """Predict the noise in any latents at a level, ``(n, *latent)``: one pass, shared with no other attack."""
        self.cache.note("forward")
        return self.target.predict_noise(noisy, level, self.condition)

    def predict_clean(self, level: int) -> Tensor:
        """eps_hat(z_0, t, c): no noise added.

        On a flow model the latent is brought to the power of its level, sqrt(alpha^2 + sigma^2) z_0: a flow sample
        divided by that is a variance-preserving one. Unscaled, z_0 would be no clean latent of the level, and a
        memorised image would get the largest prediction and not the smallest.

        Returns:
            The prediction, ``(n, *latent)``.
        """
        return self._shared(("clean", level), lambda: self.predict(self._power(level) * self.latents, level))

    def _power(self, level: int) -> float:
        """sqrt(alpha^2 + sigma^2), exactly 1 where the schedule preserves the variance."""
        power = math.hypot(*self.target.alpha_sigma(level))
        return 1.0 if math.isclose(power, 1.0, abs_tol=1e-6) else power

    def predict_noised(self, level: int, draw: int = 0) -> Tensor:
        """eps_hat(alpha z_0 + sigma eps, t, c) at one draw of the noise."""
        return self._shared(
            ("noised", level, draw), lambda: self.predict(self.noised(level, self.noise(level, draw)), level)
        )

    def residual(self, level: int, draw: int = 0) -> Tensor:
        """Eps - eps_hat(alpha z_0 + sigma eps, t, c): what the training loss squares."""
        return self.noise(level, draw) - self.predict_noised(level, draw)

    def ddim_invert(self, path: Sequence[int]) -> Tensor:
        """Follow the model's own noise from z_0 along a path of levels, without fresh noise (DDIM inversion).

        The prediction at z_0 is `predict_clean` of the first level; paths with the same beginning share it.

        Returns:
            The latents at the last level, ``(n, *latent)``.
        """
        latents = self.latents
        for place, (start, stop) in enumerate(pairwise(path)):
            latents = self._shared(
                ("path", tuple(path[: place + 2])), self._step(latents, start, stop, first=not place)
            )
        return latents

    def step(self, latents: Tensor, noise: Tensor, start: int, stop: int) -> Tensor:
        """Go from one level to another along a noise prediction, no fresh noise (see `privaudit.model.ddim`)."""
        return ddim_move(self.target, latents, noise, start, stop)

    def _step(self, latents: Tensor, start: int, stop: int, *, first: bool) -> Callable[[], Tensor]:
        def compute() -> Tensor:
            noise = self.predict_clean(start) if first else self.predict(latents, start)
            return self.step(latents, noise, start, stop)

        return compute

    def with_images(self, name: str, change: Callable[[Tensor], Tensor]) -> Batch:
        """Take the same images after a change of their pixels, with the same noise and captions.

        Args:
            name: Name of the change; the same name must mean the same change.
            change: ``(n, 3, h, w)`` in [-1, 1] to the same shape.

        Returns:
            A batch whose latents are E(x'), x' the changed images.
        """
        tag = (self.tag, "altered", name)

        def compute() -> Tensor:
            self.cache.note("encode")
            return self.target.encode(change(self.require_images())).to(self.latents)

        return replace(self, latents=self.cache.shared((tag, "latents"), compute), tag=tag)

    def crop(self, share: float) -> Batch:
        """Take the same images, cut to their centre and enlarged again (see `with_images` and `crop_centre`)."""
        return self.with_images(f"crop {share:g}", lambda images: crop_centre(images, share))

    def with_captions(self, name: str, captions: Sequence[str | None]) -> Batch:
        """Take the same images and noise under other captions.

        Args:
            name: Name of what was done to the captions; the same name must mean the same captions.
            captions: One per image.

        Returns:
            The batch; its predictions are its own.
        """
        prompts = [replace(prompt, caption=own) for prompt, own in zip(self.prompts, captions, strict=True)]
        return replace(self, prompts=prompts, tag=(self.tag, "caption", name))

    def require_images(self) -> Tensor:
        """Give the images, which an attack that asks for them has named in its `needs`."""
        if self.images is None:
            raise ValueError("expected a batch with images; name them in the attack's needs")
        return self.images

    def _shared(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        found: Tensor = self.cache.shared((self.tag, key), compute)
        return found


def crop_centre(images: Tensor, share: float) -> Tensor:
    """Cut images to the centre and resize them to what they were, bilinearly with antialiasing.

    Args:
        images: ``(n, 3, h, w)``.
        share: Fraction of each side that is kept; at least one pixel is.

    Returns:
        ``(n, 3, h, w)``.
    """
    height, width = images.shape[-2:]
    kept_height, kept_width = (max(1, round(share * side)) for side in (height, width))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    cut = images[..., top : top + kept_height, left : left + kept_width]
    with torch.no_grad():
        return interpolate(cut, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
