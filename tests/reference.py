"""Slow, literal transcriptions of what the package computes fast.

The attacks are written down image by image and value by value, in Python's floats. They share with the package the
noise of an image, the model (`predict_noise`, `encode`, `decode`, captions to conditions) and its schedule, no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target


def jacobian(decode, latent: Tensor) -> Tensor:
    """Dense J of one image by reverse mode, ``(pixels, dimensions)``."""
    found = torch.func.jacrev(lambda z: decode(z[None])[0].flatten())(latent)
    return found.reshape(found.shape[0], -1)


@dataclass(frozen=True)
class Case:
    """One image of an audit under one mask.

    Attributes:
        target: The audited model.
        latent: z_0, ``(*latent)``.
        sample_id: Its noise belongs to this.
        seed: Of the audit.
        mask: ``(*latent)``.
        caption: None is the null condition.
        image: ``(3, h, w)``.
    """

    target: Target
    latent: Tensor
    sample_id: str
    seed: int
    mask: Tensor
    caption: str | None = None
    image: Tensor | None = None

    @property
    def clean(self) -> list[float]:
        return numbers(self.latent)

    @property
    def weights(self) -> list[float]:
        return numbers(self.mask)

    def clean_at(self, level: int) -> list[float]:
        """z_0 at the length of a latent of this level: sqrt((1 - sigma)^2 + sigma^2) z_0 for a flow, z_0 for VP."""
        if self.target.info.prediction_type != "flow":
            return self.clean
        sigma = level / 1000
        return [math.sqrt((1 - sigma) ** 2 + sigma**2) * z for z in self.clean]

    def noise(self, level: int, draw: int = 0) -> list[float]:
        return numbers(normal_for(self.seed, [self.sample_id], self.latent.shape, "noise", level, draw))

    def predict(self, values: Sequence[float], level: int) -> list[float]:
        """eps_hat(values, level, caption)."""
        condition = self.target.condition([Prompt(self.caption)])
        latent = torch.tensor(values, dtype=torch.float64).view(1, *self.latent.shape)
        return numbers(self.target.predict_noise(latent, level, condition))

    def noised(self, values: Sequence[float], noise: Sequence[float], level: int) -> list[float]:
        """alpha z + sigma eps."""
        alpha, sigma = self.target.alpha_sigma(level)
        return [alpha * z + sigma * e for z, e in zip(values, noise, strict=True)]

    def power(self, errors: Sequence[float], order: float) -> float:
        """sum_i m_i |e_i|^p."""
        return sum(m * abs(e) ** order for m, e in zip(self.weights, errors, strict=True))

    def loss(self, level: int, draw: int = 0) -> float:
        """||eps - eps_hat(alpha z_0 + sigma eps, t, c)||^2."""
        noise = self.noise(level, draw)
        return self.power(minus(noise, self.predict(self.noised(self.clean, noise, level), level)), 2)


def numbers(values: Tensor) -> list[float]:
    return values.detach().double().flatten().tolist()


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def mean_of(rows: Sequence[Sequence[float]]) -> list[float]:
    return [mean(values) for values in zip(*rows, strict=True)]


def minus(left: Sequence[float], right: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(left, right, strict=True)]


def loss_error(case: Case, level: int, draws: int = 1) -> float:
    return mean([case.loss(level, draw) for draw in range(draws)])


def sima_error(case: Case, level: int, order: float = 4) -> float:
    return case.power(case.predict(case.clean_at(level), level), order)


def epsilon_error(case: Case, level: int, draws: int, order: float = 4) -> float:
    predicted = [case.predict(case.noised(case.clean, case.noise(level, draw), level), level) for draw in range(draws)]
    return case.power(mean_of(predicted), order)


def pia_error(case: Case, level: int, order: float = 4, size: float | None = None) -> float:
    """PIA, or PIAN where a size is given: eps_0 <- eps_0 * size / mean|eps_0|.

    A flow model has no noise at level 0; there eps_0 is taken at sigma = .01, that of DDPM's first level.
    """
    first = 10 if case.target.info.prediction_type == "flow" else 0
    own = case.predict(case.clean_at(first), first)
    if size is not None:
        factor = size / mean([abs(e) for e in own])
        own = [factor * e for e in own]
    return case.power(minus(own, case.predict(case.noised(case.clean, own, level), level)), order)


def deterministic_step(
    case: Case, values: Sequence[float], predicted: Sequence[float], start: int, stop: int
) -> list[float]:
    """VP: x_hat = (z - sigma_a eps_hat) / alpha_a, z_b = alpha_b x_hat + sigma_b eps_hat; flow: z + (s' - s) v_hat.

    Level -1 is the clean latent.
    """
    (alpha, sigma), (alpha_stop, sigma_stop) = (
        (1.0, 0.0) if level == -1 else case.target.alpha_sigma(level) for level in (start, stop)
    )
    found = []
    for z, e in zip(values, predicted, strict=True):
        clean = (z - sigma * e) / alpha
        if case.target.info.prediction_type == "flow":
            found.append(z + (sigma_stop - sigma) * (e - clean))
        else:
            found.append(alpha_stop * clean + sigma_stop * e)
    return found


def secmi_error(case: Case, level: int, step: int, order: float = 2) -> float:
    """z_0 up to level t - s, one step on to t and one back; both levels are multiples of s."""
    assert level % step == 0
    values = case.clean
    for start in range(0, level - step, step):
        values = deterministic_step(case, values, case.predict(values, start), start, start + step)
    reached = level - step
    on = deterministic_step(case, values, case.predict(values, reached), reached, level)
    back = deterministic_step(case, on, case.predict(on, level), level, reached)
    return case.power(minus(back, values), order)


def rediffuse_error(case: Case, level: int, step: int, draws: int, order: float = 2) -> float:
    """z_0 against the mean of its variations: noised to t, denoised by steps of k; t is a multiple of k."""
    assert level % step == 0
    variations = []
    for draw in range(draws):
        values = case.noised(case.clean, case.noise(level, draw), level)
        for start in range(level, 0, -step):
            stop = start - step if start > step else -1
            values = deterministic_step(case, values, case.predict(values, start), start, stop)
        variations.append(values)
    return case.power(minus(case.clean, mean_of(variations)), order)


def flow_mc_error(case: Case, level: int, draws: int, order: float = 2) -> float:
    """x - mean_n v(t x + (1 - t) eps_n, t); the head t = 1 is data says eps_hat = z_t - t v."""
    signal, _ = case.target.alpha_sigma(level)
    velocities = []
    for draw in range(draws):
        noisy = case.noised(case.clean, case.noise(level, draw), level)
        velocities.append([(z - e) / signal for z, e in zip(noisy, case.predict(noisy, level), strict=True)])
    return case.power(minus(case.clean, mean_of(velocities)), order)


def clid_error(case: Case, levels: Sequence[int], weight: float) -> float:
    """weight * L(c) - D; D = mean over reduced captions of L(c*) - L(c), L the mean loss over levels."""
    words = (case.caption or "").split()
    own = mean([case.loss(level) for level in levels])
    rises = []
    for kept in (3 * len(words) / 4, len(words) / 2, len(words) / 4, 0):
        assert kept == int(kept), "a test takes captions of 4, 8, ... words"
        reduced = replace(case, caption=" ".join(words[: int(kept)]) or None)
        rises.append(mean([reduced.loss(level) for level in levels]) - own)
    return weight * own - mean(rises)


def crop(image: Tensor, share: float) -> Tensor:
    """The centre of an image, enlarged again by linear interpolation between pixel centres, ``(3, h, w)``."""
    _, height, width = image.shape
    kept = [max(1, round(share * side)) for side in (height, width)]
    first = [(side - own) // 2 for side, own in zip((height, width), kept, strict=True)]

    def between(place: int, side: int, own: int) -> tuple[int, int, float]:
        at = min(max((place + 0.5) * own / side - 0.5, 0.0), own - 1.0)
        low = int(at)
        return low, min(low + 1, own - 1), at - low

    found = torch.empty_like(image, dtype=torch.float64)
    for channel, plane in enumerate(image.double().tolist()):
        for row in range(height):
            top, bottom, down = between(row, height, kept[0])
            for column in range(width):
                left, right, over = between(column, width, kept[1])
                corners = [[plane[first[0] + y][first[1] + x] for x in (left, right)] for y in (top, bottom)]
                upper, lower = ((1 - over) * pair[0] + over * pair[1] for pair in corners)
                found[channel, row, column] = (1 - down) * upper + down * lower
    return found


def pfami_error(case: Case, levels: Sequence[int], shares: Sequence[float]) -> float:
    """-mean over levels and crops of (L_t(x') - L_t(x)) / L_t(x)."""
    assert case.image is not None
    rises = []
    for share in shares:
        cropped = replace(case, latent=case.target.encode(crop(case.image, share)[None])[0])
        for level in levels:
            whole = case.loss(level)
            rises.append((cropped.loss(level) - whole) / whole)
    return -mean(rises)


def mirror_error(case: Case, level: int, flips: Sequence[tuple[int, ...]], order: float = 2) -> float:
    """log error of SimA, minus its mean over flipped images, whose masks are flipped along; axis 1 is the rows."""
    assert case.image is not None
    others = []
    for axes in flips:
        latent = case.target.encode(case.image.flip(axes)[None])[0]
        others.append(math.log(sima_error(replace(case, latent=latent, mask=case.mask.flip(axes)), level, order)))
    return math.log(sima_error(case, level, order)) - mean(others)


def recon_error(case: Case, *, latent: bool = False) -> float:
    """||x - D(E(x))||^2, the error of a patch spread over its position's channels; or ||E(D(E(x))) - E(x)||^2."""
    assert case.image is not None
    encoded = case.target.encode(case.image[None])
    decoded = case.target.decode(encoded)
    if latent:
        return case.power(minus(numbers(case.target.encode(decoded)), numbers(encoded)), 2)
    channels, rows, columns = case.latent.shape
    down, over = case.image.shape[1] // rows, case.image.shape[2] // columns
    total = 0.0
    for (colour, y, x), wanted in numbered(case.image):
        error = (wanted - float(decoded[0, colour, y, x])) ** 2
        total += sum(error * float(case.mask[c, y // down, x // over]) / channels for c in range(channels))
    return total


def numbered(values: Tensor) -> list[tuple[tuple[int, int, int], float]]:
    """Every value of an image with its place."""
    places = [(a, b, c) for a in range(values.shape[0]) for b in range(values.shape[1]) for c in range(values.shape[2])]
    return list(zip(places, numbers(values), strict=True))


def gsa_features(case: Case, levels: Sequence[int], *, each: bool, width: float = 1e-4) -> list[float]:
    """log ||dL/d theta_k||^2 for each tensor k, every derivative by a central difference.

    Of the mean loss over the levels; with ``each``, the squared norms are those of each level's loss, then averaged.
    """
    found = []
    for weight in case.target.denoiser.module.parameters():
        values = weight.data.view(-1)
        norms = [0.0] * len(levels)
        for place in range(len(values)):
            losses = []
            before = float(values[place])
            for moved in (before + width, before - width):
                values[place] = moved
                losses.append([case.loss(level) for level in levels])
            values[place] = before
            slopes = [(up - down) / (2 * width) for up, down in zip(*losses, strict=True)]
            norms = [norm + (slope if each else mean(slopes)) ** 2 for norm, slope in zip(norms, slopes, strict=True)]
        found.append(math.log(mean(norms)))
    return found
