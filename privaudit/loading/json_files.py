"""Reads the configuration files of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Returns:
        Its keys and values.

    Raises:
        TargetError: The file is missing or does not hold a JSON object.
    """
    if not path.is_file():
        raise TargetError(
            f"expected {path.name} in {path.parent}, found none; "
            "pass a folder that save_pretrained of a diffusers pipeline wrote"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TargetError(f"expected JSON in {path}: {error}") from error
    if not isinstance(values, dict):
        raise TargetError(f"expected a JSON object in {path}, got {type(values).__name__}")
    return values
