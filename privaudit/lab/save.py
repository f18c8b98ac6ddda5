"""Write a pipeline as diffusers does, and its vocabulary as CLIP's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from privaudit.loading.components import quiet


def save_pipeline(pipeline: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers pipeline
    """Save a pipeline; each tokenizer also as ``vocab.json`` and ``merges.txt``, which older versions read."""
    with quiet():  # diffusers warns that a component that is None cannot be saved
        pipeline.save_pretrained(folder, safe_serialization=True)
    for name, part in pipeline.components.items():
        if isinstance(part, CLIPTokenizer):
            tokenizer: Any = part
            tokenizer.backend_tokenizer.model.save(str(folder / name))
