"""Blind baseline: how well classifiers without access to the target separate members from non-members.

If pixels, file properties or captions separate the two sets, an attack may measure this difference instead of the
training (Das, Zhang, Tramer 2024, arXiv:2406.16201).
"""

from privaudit.evaluation.blind.caption_features import caption_scores
from privaudit.evaluation.blind.families import FAMILIES, family_scores
from privaudit.evaluation.blind.file_features import file_features
from privaudit.evaluation.blind.pixel_features import image_features
from privaudit.evaluation.blind.traces import compression_traces
from privaudit.evaluation.blind.trees import blind_scores

__all__ = [
    "FAMILIES",
    "blind_scores",
    "caption_scores",
    "compression_traces",
    "family_scores",
    "file_features",
    "image_features",
]
