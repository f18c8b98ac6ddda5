"""Image folders and manifests become samples with ids that depend on nothing but their pixels.

A sample's id is a hash of its decoded pixels *after* preprocessing, so the same picture has the same
id in any folder, under any name and in any lossless format. Everything the audit stores for an image
(noise, mask, latent, score) is keyed by that id.
"""

from privaudit.data.image_file import ImageFileInfo
from privaudit.data.perceptual_hash import fingerprint, thumbnail
from privaudit.data.pixel_budget import PixelBudget
from privaudit.data.pixels import read_picture, read_pixels, sample_id
from privaudit.data.samples import (
    OnImage,
    Sample,
    SampleSet,
    Skipped,
    load_images,
    read_entries,
    read_set,
)

__all__ = [
    "ImageFileInfo",
    "OnImage",
    "PixelBudget",
    "Sample",
    "SampleSet",
    "Skipped",
    "fingerprint",
    "load_images",
    "read_entries",
    "read_picture",
    "read_pixels",
    "read_set",
    "sample_id",
    "thumbnail",
]
