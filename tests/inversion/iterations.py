"""The iterations one image at a time, in float64, as the formulas say: the evaluated points, nothing is safeguarded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Operator = Callable[[np.ndarray], np.ndarray]


def operator(autoencoder, image: Tensor) -> tuple[Operator, Operator, np.ndarray]:
    """T(z), D(z) - x and E(x) of one image, flat, in float64."""
    batch = image[None].double()
    encoded = autoencoder.encode(batch)

    def apply(z: np.ndarray, pixels: bool) -> np.ndarray:
        decoded = autoencoder.decode(torch.from_numpy(z).view(encoded.shape))
        found = decoded - batch if pixels else autoencoder.encode(decoded) - encoded
        return found.flatten().numpy()

    return lambda z: apply(z, False), lambda z: apply(z, True), encoded.flatten().numpy().copy()


def forward_steps(t: Operator, start: np.ndarray, count: int, rho: float) -> list[np.ndarray]:
    points = [start]
    while len(points) < count:
        points.append(points[-1] - rho * t(points[-1]))
    return points


def inertial_steps(
    t: Operator, start: np.ndarray, count: int, alpha: float, lam: float, beta: float
) -> list[np.ndarray]:
    """The y_k, at which T is evaluated."""
    z_before, z = start, start
    points = []
    while len(points) < count:
        y = z + alpha * (z - z_before)  # (10)
        z_before, z = z, y - 2 * lam * beta * t(y)  # (11)
        points.append(y)
    return points


def rates(peak: float, iterations: int) -> list[float]:
    """A tenth of linear warm-up, then a cosine towards 0, held from eight tenths on."""
    length = min(iterations, 100)
    warm, hold = math.ceil(length / 10), int(length * 8 / 10)
    found = [peak * (k + 1) / warm for k in range(warm)]
    found += [peak * (1 + math.cos(math.pi * (k - warm) / (length - warm))) / 2 for k in range(warm, length)]
    found = found[: hold + 1] + [found[hold]] * (length - hold - 1)
    return found + [found[-1]] * (iterations - length)


def adam_steps(
    slope: Operator, start: np.ndarray, count: int, rate_of: Callable[[int], float], epsilon: float
) -> list[np.ndarray]:
    point = torch.nn.Parameter(torch.from_numpy(start.copy()))
    adam = torch.optim.Adam([point], betas=(0.9, 0.999), eps=epsilon)
    points = [start]
    while len(points) < count:
        adam.param_groups[0]["lr"] = rate_of(len(points) - 1)
        point.grad = torch.from_numpy(slope(points[-1]))
        adam.step()
        points.append(point.detach().numpy().copy())
    return points


def anderson_steps(
    t: Operator, minimised: Operator, start: np.ndarray, count: int, memory: int, rho: float
) -> list[np.ndarray]:
    """gamma from an unregularised least-squares problem over ``minimised``: T itself, or the error in pixels."""
    points = [start]
    while len(points) < count:
        last = points[-memory - 1 :]
        mixed, slope = last[-1], t(last[-1])
        if len(last) > 1:
            values, slopes = [minimised(z) for z in last], [t(z) for z in last]
            d_z, d_t, d_r = (
                np.stack([b - a for a, b in zip(them[:-1], them[1:], strict=True)], axis=1)
                for them in (last, slopes, values)
            )
            gamma = np.linalg.lstsq(d_r, values[-1], rcond=None)[0]
            mixed, slope = mixed - d_z @ gamma, slope - d_t @ gamma
        points.append(mixed - rho * slope)
    return points


def gmres_residuals(matrix: np.ndarray, first: np.ndarray, count: int) -> list[np.ndarray]:
    """r_k = argmin ||r_0 - M y|| over y in span(r_0, M r_0, ..., M^(k-1) r_0)."""
    found, basis = [first], first[:, None]
    while len(found) < count:
        krylov = matrix @ np.linalg.qr(basis)[0]
        found.append(first - krylov @ np.linalg.lstsq(krylov, first, rcond=None)[0])
        basis = np.concatenate([basis, matrix @ basis[:, -1:]], axis=1)
    return found
