"""A batch of images and the denoiser; results that several attacks need are computed once.

An attack requests what it needs by name: the prediction at the clean latent, at a noise draw, along an inversion. The
batch runs the denoiser on the first request and answers later ones from memory, whichever attack makes them. The
`PassCache` records each request; a run on a blank target therefore gives the plan of an audit.
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
"""Operations that cost time: a denoiser pass, a backward pass through it, an encoding, a decoding."""


@dataclass
class PassCache:
    """Shared results of a batch, and a record of the work and the requests of each attack.

    Attributes:
        attack: Label of the attack that runs now.
        work: Passes per image, by attack and kind; an answer from memory costs nothing.
        requests: Number of requests, by attack and shared result.
        expected: Total number of requests for each shared result, if known. The result is freed after the last one.
    """

    attack: str = ""
    work: Counter[tuple[str, Work]] = field(default_factory=Counter)
    requests: Counter[tuple[str, Hashable]] = field(default_factory=Counter)
    expected: Mapping[Hashable, int] | None = None
    _results: dict[Hashable, Any] = field(default_factory=dict)
    _served: Counter[Hashable] = field(default_factory=Counter)

    def note(self, kind: Work, passes: int = 1) -> None:
        """Count work of the current attack."""
        self.work[self.attack, kind] += passes

    def shared(self, key: Hashable, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever was computed
        """Answer from memory, or compute and remember."""
        self.requests[self.attack, key] += 1
        if key not in self._results:
            self._results[key] = compute()
        result = self._results[key]
        self._served[key] += 1
        # Free the result after the last request that the plan foresees, or the predictions of all attacks pile up.
        if self.expected is not None and self._served[key] >= self.expected.get(key, 0):
            del self._results[key]
        return result


@dataclass(frozen=True)
class Batch:
    """Latents of a batch of images and the denoiser, with each distinct pass run once.

    Results are cached by name. Other latents, noise or captions therefore need another cache, or `with_images` and
    `with_captions`, which mark their results.

    Attributes:
        target: The audited model.
        latents: z_0, ``(n, *latent)``.
        sample_ids: One id per image; noise belongs to the id.
        prompts: One per image; ``Prompt()`` is the null condition.
        seed: Seed of the audit.
        images: ``(n, 3, h, w)`` in [-1, 1], for attacks that need them.
        cache: Shared results and the record of requests.
        tag: Name of a batch derived from another one; it marks the results of the batch in the cache that both share.
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
        condition: Condition | None = self.cache.shared(
            (self.tag, "condition"), lambda: self.target.condition(tuple(self.prompts))
        )
        return condition

    def noise(self, level: int, draw: int = 0) -> Tensor:
        """Standard normal noise that depends on (seed, sample id, level, draw) alone, ``(n, *latent)``."""
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
        """eps_hat(z_0, t, c), with no noise added.

        On a flow model the latent is scaled to the power of its level, sqrt(alpha^2 + sigma^2) z_0, because a flow
        sample divided by this power is a variance-preserving sample. An unscaled z_0 would not look like a clean latent
        of the level, and a memorised image would get the largest prediction instead of the smallest.

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
        """Follow the predicted noise from z_0 along a path of levels, without fresh noise (DDIM inversion).

        The prediction at z_0 is `predict_clean` of the first level; paths with the same beginning share it.

        Returns:
            The latents at the last level, ``(n, *latent)``.
        """
        latents = self.latents
        # The key of a step is the whole path so far, so attacks whose paths begin alike share the steps they have in
        # common.
        for place, (start, stop) in enumerate(pairwise(path)):
            latents = self._shared(
                ("path", tuple(path[: place + 2])), self._step(latents, start, stop, first=not place)
            )
        return latents

    def step(self, latents: Tensor, noise: Tensor, start: int, stop: int) -> Tensor:
        """Move from one level to another along a noise prediction, without fresh noise (`privaudit.model.ddim`)."""
        return ddim_move(self.target, latents, noise, start, stop)

    def _step(self, latents: Tensor, start: int, stop: int, *, first: bool) -> Callable[[], Tensor]:
        def compute() -> Tensor:
            noise = self.predict_clean(start) if first else self.predict(latents, start)
            return self.step(latents, noise, start, stop)

        return compute

    def with_images(self, name: str, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return a batch of the same images with changed pixels, under the same noise and captions.

        Args:
            name: Name of the change; one name must always mean the same change.
            change: Function of the images, ``(n, 3, h, w)`` in [-1, 1], that keeps the shape.

        Returns:
            A batch whose latents are E(x'), where x' are the changed images.
        """
        tag = (self.tag, "altered", name)

        def compute() -> Tensor:
            self.cache.note("encode")
            return self.target.encode(change(self.require_images())).to(self.latents)

        return replace(self, latents=self.cache.shared((tag, "latents"), compute), tag=tag)

    def crop(self, fraction: float) -> Batch:
        """Return a batch of the same images, cropped to the centre and enlarged again (see `crop_centre`)."""
        return self.with_images(f"crop {fraction:g}", lambda images: crop_centre(images, fraction))

    def with_captions(self, name: str, captions: Sequence[str | None]) -> Batch:
        """Return a batch of the same images and noise under other captions.

        Args:
            name: Name of the change to the captions; one name must always mean the same captions.
            captions: One caption per image.

        Returns:
            A batch that shares no prediction with this one.
        """
        prompts = [replace(prompt, caption=caption) for prompt, caption in zip(self.prompts, captions, strict=True)]
        return replace(self, prompts=prompts, tag=(self.tag, "caption", name))

    def require_images(self) -> Tensor:
        """Return the images, for attacks that name them in their `needs`."""
        if self.images is None:
            raise ValueError("expected a batch with images, got none; add 'images' to the attack's needs")
        return self.images

    def _shared(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        result: Tensor = self.cache.shared((self.tag, key), compute)
        return result


def crop_centre(images: Tensor, fraction: float) -> Tensor:
    """Crop images to their centre and resize them to their former size, bilinearly with antialiasing.

    Args:
        images: ``(n, 3, h, w)``.
        fraction: Fraction of each side that remains, at least one pixel.

    Returns:
        ``(n, 3, h, w)``.
    """
    height, width = images.shape[-2:]
    inner_height, inner_width = (max(1, round(fraction * side)) for side in (height, width))
    y, x = (height - inner_height) // 2, (width - inner_width) // 2
    cropped = images[..., y : y + inner_height, x : x + inner_width]
    with torch.no_grad():
        return interpolate(cropped, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
