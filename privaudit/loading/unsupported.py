"""Pipelines of diffusers that cannot be audited, with the reason."""

from __future__ import annotations

UNSUPPORTED: dict[str, str] = {}
"""The reason by class name, as it follows the name in a sentence: "makes videos, which are not supported yet"."""
