"""Trial before a long run: checks the decoder, and chooses a batch size that fits into memory."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from privaudit.decoder_geometry.decoder_checks import check_decoder
from privaudit.decoder_geometry.influence import Estimator
from privaudit.decoder_geometry.jacobian import Decode, forward_mode
from privaudit.execution.memory import MAX_MEMORY_FRACTION, free_bytes, items_within, pass_bytes


def images_at_once(
    decode: Decode,
    latents: Tensor,
    sample_ids: Sequence[str],
    estimator: Estimator,
    max_batch: int,
    *,
    latent_shape: Sequence[int] | None = None,
    budget: int | None = None,
) -> int:
    """Check the decoder on the first images, and choose a batch size within a memory budget.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, n >= 1; the first two are tried.
        sample_ids: One id per image.
        estimator: Estimator of the influence; `Estimator.memory` is what it needs.
        max_batch: Maximum batch size.
        latent_shape: Expected shape of one latent, if it is known.
        budget: Bytes; by default a fraction (`privaudit.execution.memory.MAX_MEMORY_FRACTION`) of the free memory.

    Returns:
        Images per batch, 1 to ``max_batch``.

    Raises:
        DataError: The latents do not match their ids, or have the wrong shape.
        TargetError: The decoder is not a differentiable function of each latent alone.
        NonFiniteError: The output of the decoder or its derivative is NaN or infinite.
    """
    first = latents[:2]
    check_decoder(decode, first, sample_ids[:2], latent_shape=latent_shape)
    with forward_mode():  # its unfused attention stores the most
        bytes_per_image = pass_bytes(decode, first)
    available = int(MAX_MEMORY_FRACTION * free_bytes(latents.device)) if budget is None else budget
    return items_within(available, int(estimator.memory * bytes_per_image), max_batch)
