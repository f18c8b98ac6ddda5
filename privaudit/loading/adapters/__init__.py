"""Adapters such as LoRA: read from their files, and merged into networks exactly or not at all."""

from privaudit.loading.adapters.adapter_file import AdapterFile, AdapterLayer, adapter_path, read_adapter
from privaudit.loading.adapters.header_words import read_header_words
from privaudit.loading.adapters.merge import merge_adapter

__all__ = ["AdapterFile", "AdapterLayer", "adapter_path", "merge_adapter", "read_adapter", "read_header_words"]
