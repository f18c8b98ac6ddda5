"""Image folders and manifests become samples with ids that depend on nothing but their pixels.

The id of a sample is a hash of its decoded pixels *after* preprocessing. The same image therefore has the same id in
any folder, under any name and in any lossless format. Everything that an audit stores for an image (noise, mask,
latent, score) is keyed by this id.
"""

from privaudit.data.image_file import ImageFileInfo
from privaudit.data.perceptual_hash import phash, thumbnail
from privaudit.data.pixel_budget import PixelBudget
from privaudit.data.pixels import decode_image, read_pixels, sample_id
from privaudit.data.samples import (
    OnImage,
    Sample,
    SampleSet,
    Skipped,
    load_images,
    read_listing,
    read_set,
)

__all__ = [
    "ImageFileInfo",
    "OnImage",
    "PixelBudget",
    "Sample",
    "SampleSet",
    "Skipped",
    "decode_image",
    "load_images",
    "phash",
    "read_listing",
    "read_pixels",
    "read_set",
    "sample_id",
    "thumbnail",
]
