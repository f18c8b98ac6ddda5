"""Before a long run: is the decoder fit for derivatives, and how many images fit into memory?"""

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
    most: int,
    *,
    latent_shape: Sequence[int] | None = None,
    budget: int | None = None,
) -> int:
    """Check the decoder on the first images, and choose a batch that stays within a memory budget.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, n >= 1; the first two are tried.
        sample_ids: One id per image.
        estimator: How much it needs is `Estimator.memory`.
        most: Largest batch that is wanted.
        latent_shape: That a latent should have, if it is known.
        budget: Bytes; a share of what is free (`privaudit.execution.memory.MAX_MEMORY_FRACTION`) by default.

    Returns:
        Images per batch, 1 to ``most``.

    Raises:
        DataError: The latents do not fit to their ids, or have the wrong shape.
        TargetError: The decoder is not a differentiable function of each latent alone.
        NonFiniteError: The decoder or its derivative is NaN or infinite.
    """
    first = latents[:2]
    check_decoder(decode, first, sample_ids[:2], latent_shape=latent_shape)
    with forward_mode():  # its attention keeps the most
        kept = pass_bytes(decode, first)
    room = int(MAX_MEMORY_FRACTION * free_bytes(latents.device)) if budget is None else budget
    return items_within(room, int(estimator.memory * kept), most)
