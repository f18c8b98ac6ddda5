"""Where the change of an adapter's layer belongs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A module that a layer of an adapter changes.

    Attributes:
        component: Component of the pipeline, such as ``unet`` or ``text_encoder_2``.
        module: Dotted path of the module inside the component.
        rows: Output features of the layer that belong to the module, concatenated in this order; None for all. A layer
            with fused query, key and value has three places.
    """

    component: str
    module: str
    rows: tuple[slice, ...] | None = None
