"""`invert`: images in, latents and diagnostics out; a module of that name would be hidden by the function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from privaudit.errors import ConfigError, DataError
from privaudit.inversion.cocoercivity import cocoercivity, not_along_t
from privaudit.inversion.fixed_point import solve
from privaudit.inversion.inversion_result import Inversion, nmse_db
from privaudit.inversion.problem import Problem
from privaudit.inversion.solver import SOLVERS, Invertible, Solver
from privaudit.model.target import require_finite

DEFAULT = "anderson"
"""The default solver."""


def invert(
    autoencoder: Invertible,
    images: Tensor,
    solver: str | Solver = DEFAULT,
    *,
    clip: bool = False,
    sample_ids: Sequence[str] | None = None,
    truth: Tensor | None = None,
    with_cocoercivity: bool = False,
) -> Inversion:
    """Find latents z with D(z) = x.

    Images may be pictures, videos or audio: the first axis counts them, the others are the autoencoder's.
    Latents and steps are float32 whatever the autoencoder's type. A batch that does not fit into memory is split.

    Args:
        autoencoder: A `Target`, or an autoencoder from `privaudit.loading`.
        images: ``(n, *image)``, in the range of the autoencoder ([-1, 1] for pictures) and on its device; a `Target`
            moves them there itself.
        solver: A specification (see `privaudit.inversion.SOLVERS`) or a solver.
        clip: The images come from files, which hold nothing outside [-1, 1]: clip what D gives before it is
            compared or encoded again. Without it, an image with saturated pixels has no exact inverse.
        sample_ids: One id per image, for messages; their numbers by default.
        truth: ``(n, *latent)``: the latents that the images were decoded from, if they are known.
        with_cocoercivity: Also check the assumption of the convergence theorems, for about 600 further evaluations.

    Returns:
        The best iterate of each image, its residual history and how it ended.

    Raises:
        ConfigError: The solver or a parameter of it cannot work.
        DataError: No images, or a wrong number of ids or true latents.
        NonFiniteError: An image or its encoding is NaN or infinite; names the ids.
        TargetError: The autoencoder does not round-trip its shapes.
    """
    chosen = SOLVERS.build(solver) if isinstance(solver, str) else solver
    if with_cocoercivity and (found_wrong := not_along_t(chosen)):
        raise ConfigError(found_wrong)
    if images.ndim < 2 or not len(images):
        raise DataError(f"expected one or more images to invert, (n, *image), got shape {tuple(images.shape)}")
    ids = [str(number) for number in range(len(images))] if sample_ids is None else list(sample_ids)
    if len(ids) != len(images):
        raise DataError(f"expected one sample id for each of {len(images)} images, got {len(ids)}")
    problem = Problem(autoencoder, require_finite(images, "image", ids), ids, clip=clip)
    if truth is not None and truth.shape != problem.encoded.shape:
        raise DataError(
            f"expected true latents of shape {tuple(problem.encoded.shape)}, like the encoder's, "
            f"got {tuple(truth.shape)}; pass one for each image, in the same order"
        )
    found = solve(problem, chosen)
    if truth is not None:
        found = replace(found, nmse=nmse_db(found.latents, truth.detach()))
    if with_cocoercivity:
        found = replace(found, cocoercivity=cocoercivity(problem, chosen))
    return found


def require_any_finite(residuals: Tensor, sample_ids: Sequence[str]) -> None:
    """Refuse an inversion in which the decoder gave nothing finite for any image: the weights are at fault.

    Args:
        residuals: ``(n,)``, of a whole run.
        sample_ids: One id per image.

    Raises:
        NonFiniteError: None of them is finite; names the images.
    """
    if not bool(torch.isfinite(residuals).any()):
        require_finite(residuals[:, None], "decoder output", sample_ids)
