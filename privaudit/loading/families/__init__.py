"""One file per family of pipelines: how its denoiser is conditioned, and how it is called."""

from privaudit.loading.families.contract import (
    FAMILIES,
    Family,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)

__all__ = ["FAMILIES", "Family", "TextEncoder", "captions", "register_family", "width_problems"]
