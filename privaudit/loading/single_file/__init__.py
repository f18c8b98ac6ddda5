"""Single-file checkpoints: weights of several components in one safetensors file, in the names of the original code."""

from privaudit.loading.single_file.build import build_component
from privaudit.loading.single_file.checkpoint import SingleFile, open_single_file

__all__ = ["SingleFile", "build_component", "open_single_file"]
