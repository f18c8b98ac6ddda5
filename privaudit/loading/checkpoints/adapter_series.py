"""Reads the numbered files of kohya's scripts: ``style-000002`` after two epochs, ``style-step00000500``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from privaudit.errors import TargetError
from privaudit.loading.checkpoints.training_output import Unit
from privaudit.loading.weight_files import has_adapter, read_header

NUMBERED = re.compile(r"(?P<name>.+)-(?:step(?P<step>\d{6,})|(?P<epoch>\d{6}))")
COUNTS: dict[Unit, str] = {"step": "ss_steps", "epoch": "ss_epoch"}
"""Entries of the header with the number of steps and epochs at which a file was saved."""


class Series(NamedTuple):
    """Adapters that one training saved.

    Attributes:
        unit: What their numbers count.
        files: Number and path of each, by number; the last has None if nothing records its number.
    """

    unit: Unit
    files: list[tuple[int | None, Path]]


def find_series(folder: Path) -> Series | None:
    """Find numbered adapters next to each other; the one without a number is the last.

    Steps are taken from the headers if all files have them, and from the names otherwise.

    Args:
        folder: The output folder.

    Returns:
        The series; None if there is none.

    Raises:
        TargetError: The files belong to several trainings, are no adapters, or count both steps and epochs.
    """
    matches = {path: match for path in folder.glob("*.safetensors") if (match := NUMBERED.fullmatch(path.stem))}
    if not matches:
        return None
    names = sorted({match["name"] for match in matches.values()})
    if len(names) > 1:
        raise TargetError(
            f"expected the checkpoints of one training in {folder}, got those of {' and '.join(names)}; move each to a "
            "folder of its own"
        )
    last = folder / f"{names[0]}.safetensors"
    files = [*matches, *([last] if last.is_file() else [])]
    for path in sorted(files):
        if not has_adapter(path):
            raise TargetError(f"expected a LoRA per step or epoch in {folder}, but {path.name} is none; move it away")
    for unit in ("step", "epoch") if _counts_both(matches) else (_unit_of(matches),):
        recorded = {path: _recorded(path, COUNTS[unit]) for path in files}
        if None not in recorded.values():
            return Series(unit, sorted((number, path) for path, number in recorded.items() if number is not None))
    if _counts_both(matches):
        raise TargetError(
            f"expected files per step or per epoch in {folder}, got both, and no ss_steps in their headers to put them "
            "in order; move one kind away"
        )
    unit = _unit_of(matches)
    numbered: list[tuple[int | None, Path]] = [
        (number, path) for number, path in sorted((int(match[unit]), path) for path, match in matches.items())
    ]
    return Series(unit, numbered + ([(None, last)] if last.is_file() else []))


def _unit_of(matches: dict[Path, re.Match[str]]) -> Unit:
    return "step" if all(match["step"] for match in matches.values()) else "epoch"


def _counts_both(matches: dict[Path, re.Match[str]]) -> bool:
    return len({bool(match["step"]) for match in matches.values()}) > 1


def _recorded(path: Path, key: str) -> int | None:
    text = str(read_header(path)[1].get(key, ""))
    return int(text) if text.isascii() and text.isdigit() else None
