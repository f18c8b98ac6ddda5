"""`invert`, from images to latents and diagnostics. A module called ``invert`` would be hidden by the function."""

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

    The inputs may also be videos or audio: the first axis counts them, and the other axes are those of the autoencoder.
    Latents and steps are float32 whatever the precision of the autoencoder. A batch that does not fit into memory is
    split.

    Args:
        autoencoder: A `Target`, or an autoencoder from `privaudit.loading`.
        images: ``(n, *image)``, in the range of the autoencoder ([-1, 1] for images) and on its device; a `Target`
            moves them to its device itself.
        solver: A specification (see `privaudit.inversion.SOLVERS`) or a solver.
        clip: Whether to clip the output of D before it is compared or encoded again. Set it for images from files,
            which hold nothing outside [-1, 1]: without it, an image with saturated pixels has no exact inverse.
        sample_ids: One id per image, for messages; positions by default.
        truth: Latents that the images were decoded from, ``(n, *latent)``, if they are known.
        with_cocoercivity: Whether to check the assumption of the convergence theorems, in about 600 more evaluations.

    Returns:
        The best iterate, the residual history and the outcome of each image.

    Raises:
        ConfigError: The solver is unknown or has invalid parameters.
        DataError: There are no images, or the number of ids or true latents is wrong.
        NonFiniteError: An image or its encoding is NaN or infinite; the message names the ids.
        TargetError: The autoencoder does not round-trip its shapes.
    """
    chosen = SOLVERS.build(solver) if isinstance(solver, str) else solver
    if with_cocoercivity and (problems := not_along_t(chosen)):
        raise ConfigError(problems)
    if images.ndim < 2 or not len(images):
        raise DataError(f"expected one or more images to invert, (n, *image), got shape {tuple(images.shape)}")
    ids = [str(number) for number in range(len(images))] if sample_ids is None else list(sample_ids)
    if len(ids) != len(images):
        raise DataError(f"expected one sample id for each of {len(images)} images, got {len(ids)}")
    problem = Problem(autoencoder, require_finite(images, "image", ids), ids, clip=clip)
    if truth is not None and truth.shape != problem.encoded.shape:
        raise DataError(
            f"expected true latents of shape {tuple(problem.encoded.shape)}, like the encoder's, "
            f"got {tuple(truth.shape)}; pass one per image, in the same order"
        )
    inversion = solve(problem, chosen)
    if truth is not None:
        inversion = replace(inversion, nmse=nmse_db(inversion.latents, truth.detach()))
    if with_cocoercivity:
        inversion = replace(inversion, cocoercivity=cocoercivity(problem, chosen))
    return inversion


def require_any_finite(residuals: Tensor, sample_ids: Sequence[str]) -> None:
    """Raise an error if the decoder output was not finite for any image, which means that the weights are at fault.

    Args:
        residuals: Residuals of all images of a run, ``(n,)``.
        sample_ids: One id per image.

    Raises:
        NonFiniteError: No residual is finite; the message names the images.
    """
    if not bool(torch.isfinite(residuals).any()):
        require_finite(residuals[:, None], "decoder output", sample_ids)
