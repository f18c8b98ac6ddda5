"""Distribution of the influence over positions and channels of the latent, per image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from privaudit.decoder_geometry.mask import influence_weights


def influence_maps(influence: Tensor, channel_axis: int = 1, max_side: int = 32) -> Tensor:
    """Sum the influence over channels and scale it, so that maps of different images can be averaged.

    Args:
        influence: ``(n, *latent)``, >= 0.
        channel_axis: Channel axis of the latents, with the batch as axis 0.
        max_side: Maximum height and width of a map; larger latents are averaged over patches.

    Returns:
        ``(n, height, width)``, with a mean of 1 per image before patches are averaged. A latent that does not have two
        position axes gives maps of one row.
    """
    flat = influence_weights(influence).sum(dim=channel_axis)
    maps = flat if flat.ndim == 3 else flat.flatten(1)[:, None, :]
    maps = maps * maps[0].numel()
    height, width = (min(max_side, side) for side in maps.shape[1:])
    return adaptive_avg_pool2d(maps, (height, width))


def same_shape(maps: Sequence[Tensor]) -> list[Tensor]:
    """Resample maps of images of several sizes to one shape, in which they can be averaged.

    Positions are then fractions of the height and width of an image, whatever its shape.

    Args:
        maps: Maps of the images of each size, each ``(n, height, width)``.

    Returns:
        The maps, with the largest height and the largest width among them; unchanged if all have one shape.
    """
    height, width = (max(part.shape[axis] for part in maps) for axis in (1, 2))
    return [resample(part, (height, width)) for part in maps]


def resample(maps: Tensor, shape: tuple[int, int]) -> Tensor:
    """Average maps over the fields of another grid on the same images.

    Args:
        maps: ``(n, height, width)``.
        shape: Height and width of the grid.

    Returns:
        ``(n, *shape)``; the maps themselves if they have this shape.
    """
    return maps if tuple(maps.shape[1:]) == shape else adaptive_avg_pool2d(maps, shape)


def channel_shares(influence: Tensor, channel_axis: int = 1) -> Tensor:
    """Fraction of the influence in each channel.

    Args:
        influence: ``(n, *latent)``, >= 0.
        channel_axis: Channel axis of the latents, with the batch as axis 0.

    Returns:
        ``(n, channels)``, summing to 1 per image.
    """
    return influence_weights(influence).movedim(channel_axis, 1).flatten(2).sum(dim=2)
