"""How an image of any shape is resized and cropped to the size that a model takes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from privaudit.data.reading import Crop, Resampling
from privaudit.errors import DataError

MAX_RESIZED = 2**25
"""Pixels of a resized image, beyond which only the crop is computed: 134 MB."""


@dataclass(frozen=True)
class Framing:
    """A resized image and a crop of it. Sizes are (height, width).

    Attributes:
        original: Size of the image.
        resized: Size of the resized image.
        crop: Top and left edge of the crop, in pixels of the resized image.
        size: Size of the crop.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    crop: tuple[int, int]
    size: tuple[int, int]

    @property
    def loss(self) -> float:
        """Fraction of the image's area that the crop leaves out."""
        return 1.0 - self.size[0] * self.size[1] / (self.resized[0] * self.resized[1])

    @property
    def enlarged(self) -> bool:
        """Whether a side of the image is shorter than that of the resized image."""
        return self.resized[0] > self.original[0] or self.resized[1] > self.original[1]


def framing(
    original: tuple[int, int], size: tuple[int, int], crop: Crop, listed: tuple[int, int] | None = None
) -> Framing:
    """Place the crop of an image.

    Args:
        original: Height and width of the image.
        size: Height and width of the crop.
        crop: Kind of crop. All but ``none`` resize the image by the smallest factor with which it covers the crop.
        listed: Top and left edge of a ``listed`` crop, in pixels of the resized image.

    Returns:
        The framing.

    Raises:
        DataError: The crop is ``listed``, and it is missing or outside of the resized image.
    """
    if crop == "none":
        return Framing(original, size, (0, 0), size)
    # The larger factor covers the target on both axes; max() because rounding could fall one pixel short of it.
    scale = max(size[0] / original[0], size[1] / original[1])
    height, width = max(size[0], round(original[0] * scale)), max(size[1], round(original[1] * scale))
    if crop != "listed":
        return Framing(original, (height, width), ((height - size[0]) // 2, (width - size[1]) // 2), size)
    if listed is None:
        raise DataError("expected a crop in the manifest, got none; add crop_top and crop_left, or use --crop center")
    if not (0 <= listed[0] <= height - size[0] and 0 <= listed[1] <= width - size[1]):
        raise DataError(
            f"expected a crop inside the image, which is resized to {width}x{height}, got {size[1]}x{size[0]} pixels "
            f"at left {listed[1]}, top {listed[0]}; crop_top and crop_left count pixels of the resized image"
        )
    return Framing(original, (height, width), listed, size)


def frame(image: Image.Image, framing: Framing, resampling: Resampling) -> Image.Image:
    """Resize and crop an image; one of the right size keeps its pixels.

    Args:
        image: Image of the size `Framing.original`.
        framing: Sizes and crop.
        resampling: Filter.

    Returns:
        Image of the size `Framing.size`.
    """
    (height, width), (y, x) = framing.resized, framing.crop
    box = (x, y, x + framing.size[1], y + framing.size[0])
    if framing.resized == framing.original:
        return image if framing.size == framing.original else image.crop(box)
    chosen = Image.Resampling[resampling.upper()]
    if height * width <= MAX_RESIZED:
        return image.resize((width, height), chosen).crop(box)
    # A strip of 1x20,000 pixels would become 512x10,240,000. The same filter at the same places, over the crop alone;
    # Pillow rounds its box to float32, and may resize the two sides in the other order.
    across, down = image.width / width, image.height / height
    source = (box[0] * across, box[1] * down, min(box[2] * across, image.width), min(box[3] * down, image.height))
    return image.resize((framing.size[1], framing.size[0]), chosen, box=source)
