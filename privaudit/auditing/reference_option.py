"""What the reference model of an audit was, from the options in its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privaudit.auditing.model_parts import BASE_ALONE
from privaudit.auditing.options import NO_REFERENCE


def reference_text(config: Mapping[str, Any]) -> str | None:
    """Name the model whose errors were subtracted.

    Args:
        config: Options of the audit, from its report.

    Returns:
        Folder or id of the reference; words for a model with adapters that is its own reference without them; None
        without a reference.
    """
    named = config.get("reference")
    if named is not None:
        return None if named == NO_REFERENCE else str(named)
    adapters = config.get("lora")
    if not adapters or adapters == [BASE_ALONE]:
        return None
    return f"the same model without its LoRA{' and embeddings' if config.get('embeddings') else ''}"
