"""Conditions of U-Nets that no family reads."""

from __future__ import annotations

from typing import Any

CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type")
"""Keys of the configuration that name a condition next to text."""


def unread_conditions(config: Any, read: str | None = None) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """Name the conditions of a U-Net that would be left out."""
    return [
        f"expected a U-Net without conditions or conditioned on text, got {key} = {config[key]}; "
        "class labels and the like are not read yet"
        for key in CONDITIONS
        if config.get(key) is not None and (key, config[key]) != ("addition_embed_type", read)
    ]
