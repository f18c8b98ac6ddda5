"""Families of pipelines, one per file: how the denoiser is conditioned and called."""

from privaudit.loading.families.contract import (
    FAMILIES,
    Family,
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)

__all__ = ["FAMILIES", "Family", "Setting", "TextEncoder", "captions", "register_family", "width_problems"]
