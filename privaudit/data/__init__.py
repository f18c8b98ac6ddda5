"""Image folders and manifests become samples with ids that depend on nothing but their pixels.

A sample's id is a hash of its decoded pixels *after* preprocessing, so the same picture has the same
id in any folder, under any name and in any lossless format. Everything the audit stores for an image
(noise, mask, latent, score) is keyed by that id.
"""

from privaudit.data.pixels import read_pixels, sample_id
from privaudit.data.samples import (
    OnImage,
    Sample,
    SampleSet,
    Skipped,
    load_images,
    read_set,
)
from privaudit.data.sets import AuditData, separate

__all__ = [
    "AuditData",
    "OnImage",
    "Sample",
    "SampleSet",
    "Skipped",
    "load_images",
    "read_pixels",
    "read_set",
    "sample_id",
    "separate",
]
