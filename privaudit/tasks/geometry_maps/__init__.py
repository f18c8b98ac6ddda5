"""Maps of the decoder's geometry over sets of images: options, image sets, measurement and result."""

from privaudit.tasks.geometry_maps.geometry_map import EXTREMES, GeometryMap, half_share, quarters
from privaudit.tasks.geometry_maps.image_sets import ImageSet, read_sets, set_labels
from privaudit.tasks.geometry_maps.mapping import MAPS, RESULTS, choose_shown, run_geometry
from privaudit.tasks.geometry_options import (
    BOUND,
    BOUND_LEFT_OUT,
    BOUND_REFERENCE,
    BOUND_SUMMARY,
    GeometryOptions,
    read_distortion,
)

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
    "choose_shown",
    "half_share",
    "quarters",
    "read_distortion",
    "read_sets",
    "run_geometry",
    "set_labels",
]
