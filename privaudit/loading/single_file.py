"""Stub until the branch lands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SingleFile:
    path: Path
    parts: frozenset[str] = frozenset()


def open_single_file(path: Path, index: Any) -> SingleFile:
    return SingleFile(path)


def build_component(file: Any, component: str, kind: Any, folder: Path, dtype: Any) -> Any: ...
