"""Local distortion log sqrt(det G), how much the decoder stretches volume around a latent. One method per file."""

from privaudit.decoder_geometry.distortion.bound import distortion_bound
from privaudit.decoder_geometry.distortion.measurement import measure_distortion
from privaudit.decoder_geometry.distortion.method import DISTORTIONS, Distortion, Method, register

__all__ = ["DISTORTIONS", "Distortion", "Method", "distortion_bound", "measure_distortion", "register"]
