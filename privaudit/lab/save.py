"""Write a pipeline as diffusers does, and its vocabulary as CLIP's files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffusers.utils import logging
from transformers import CLIPTokenizer

from privaudit.loading.components import no_progress_bars


def save_pipeline(pipeline: Any, folder: Path) -> None:  # noqa: ANN401 - a diffusers pipeline
    """Save a pipeline; each tokenizer also as ``vocab.json`` and ``merges.txt``, which older versions read.

    Args:
        pipeline: Of diffusers.
        folder: To write to.
    """
    with no_progress_bars(), _errors_only():  # diffusers warns that a component that is None cannot be saved
        pipeline.save_pretrained(folder, safe_serialization=True)
    for name, part in pipeline.components.items():
        if isinstance(part, CLIPTokenizer):
            tokenizer: Any = part
            tokenizer.backend_tokenizer.model.save(str(folder / name))


@contextmanager
def _errors_only() -> Generator[None]:
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
