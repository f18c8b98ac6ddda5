"""Reports that earlier versions of the schema describe, brought to the current one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED_IN_5 = {"role": "design", "members": "positives"}
"""Keys of ``data`` that have another name since version 5 of the schema."""


def upgraded(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rename what has another name now.

    Args:
        values: A report.json of any version, of an audit or of one that ended with an error.

    Returns:
        Version 4 as version 5; every other version as it is.
    """
    if values.get("schema_version") != 4:
        return values
    data = values.get("data")
    if isinstance(data, dict):
        values = {**values, "data": {RENAMED_IN_5.get(key, key): value for key, value in data.items()}}
    return {**values, "schema_version": 5}
