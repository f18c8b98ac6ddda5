"""Local distortion log sqrt(det G): how much the decoder stretches volume around a latent. One method a file."""

from privaudit.geometry.distortion import exact, lanczos, truncated  # noqa: F401 - importing registers them
from privaudit.geometry.distortion.bound import distortion_bound
from privaudit.geometry.distortion.measurement import DEFAULT, measure_distortion
from privaudit.geometry.distortion.method import METHODS, Distortion, Method, make_method, register

__all__ = [
    "DEFAULT",
    "METHODS",
    "Distortion",
    "Method",
    "distortion_bound",
    "make_method",
    "measure_distortion",
    "register",
]
