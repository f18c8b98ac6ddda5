"""Maps of the decoder's geometry over sets of images: what is asked, what is read, what is found."""

from privaudit.mapping.options import (
    BOUND,
    BOUND_LEFT_OUT,
    BOUND_REFERENCE,
    BOUND_SUMMARY,
    GeometryOptions,
    distortion_method,
)
from privaudit.mapping.result import EXTREMES, GeometryMap, half_share, quarters
from privaudit.mapping.run import MAPS, RESULTS, OnProgress, choose_shown, run_geometry
from privaudit.mapping.sets import ImageSet, read_sets, set_labels

__all__ = [
    "BOUND",
    "BOUND_LEFT_OUT",
    "BOUND_REFERENCE",
    "BOUND_SUMMARY",
    "EXTREMES",
    "MAPS",
    "RESULTS",
    "GeometryMap",
    "GeometryOptions",
    "ImageSet",
    "OnProgress",
    "choose_shown",
    "distortion_method",
    "half_share",
    "quarters",
    "read_sets",
    "run_geometry",
    "set_labels",
]
