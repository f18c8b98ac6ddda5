"""The prompt of an image: everything that may condition the model, in addition to the noisy latent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """Condition of the prediction for one image; ``Prompt()`` is the null condition of the model.

    A model reads the parts that it was trained with (see `privaudit.loading.families`) and ignores the others.

    Attributes:
        caption: Caption; None and the empty text mean none.
        class_label: Index of the class, from 0.
        original_size: Height and width of the image file in pixels, upright, before it was resized.
        crop: Top and left edge of the crop, in pixels of the resized image.
    """

    caption: str | None = None
    class_label: int | None = None
    original_size: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
