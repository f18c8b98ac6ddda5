"""An assignment on disk: read it, and check the seal and every file before anything is concluded from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.canaries.assignment import Assignment, check_assignment
from privaudit.data import OnImage
from privaudit.data.listing import ListedImage, list_entries
from privaudit.errors import DataError
from privaudit.storage.exact_json import decode

ASSIGNMENT = "canaries.json"
"""Private: key and coins."""
SEAL = "seal.json"
"""Public."""
TRAIN = "train.csv"
"""Manifest of the included images, for the training team."""


@dataclass(frozen=True)
class Canaries:
    """Both sides of a randomised experiment, checked.

    Attributes:
        folder: Folder of the assignment.
        included: Images that were given to the training team: the members of an audit.
        excluded: Images that were kept back: its non-members.
        seal: Hash of the assignment.
        created: When it was drawn, UTC.
        seeded: Whether the coins follow from a seed that somebody may have known.
    """

    folder: Path
    included: tuple[ListedImage, ...]
    excluded: tuple[ListedImage, ...]
    seal: str
    created: str
    seeded: bool

    def __len__(self) -> int:
        """Return the number of canaries."""
        return len(self.included) + len(self.excluded)


def read_canaries(path: Path, published: str | None = None, on_image: OnImage | None = None) -> Canaries:
    """Read an assignment, and check its seal, its coins and the content of every file.

    Returns:
        Included and excluded images.

    Raises:
        DataError: There is no assignment, it or a file was changed, or a file is missing.
        ResultError: ``canaries.json`` lacks a part.
    """
    file = path / ASSIGNMENT if path.is_dir() else path
    assignment = _load(file)
    check_assignment(assignment, published)
    sides: dict[bool, list[ListedImage]] = {True: [], False: []}
    wrong = []
    for position, candidate in enumerate(assignment.candidates, start=1):
        image = file.parent / candidate.path
        if not image.is_file():
            wrong.append((image, "is missing"))
        elif hash_file(image) != candidate.sha256:
            wrong.append((image, "was changed"))
        sides[candidate.included].append(
            ListedImage(image, candidate.caption, None, candidate.label or candidate.sha256[:16])
        )
        if on_image is not None:
            on_image(position, len(assignment.candidates))
    if wrong:
        further = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        image, what = wrong[0]
        raise DataError(
            f"expected every canary as it was drawn, but {image} {what}{further}; restore the files, or put "
            "the folder back: paths are relative to it",
            private=[str(image)],
        )
    return Canaries(
        file.parent,
        tuple(sides[True]),
        tuple(sides[False]),
        assignment.seal,
        assignment.created,
        assignment.seeded,
    )


def verify_canaries(folder: Path, published: str | None = None, on_image: OnImage | None = None) -> Canaries:
    """Check a folder that `privaudit.canaries.draw_canaries` wrote, its manifest for the training team included.

    Args:
        folder: With ``canaries.json``, and ``train.csv`` and ``seal.json`` if they were kept.
        published: The seal that was published before training, if known.
        on_image: Progress callback.

    Returns:
        The canaries.

    Raises:
        DataError: Something is not as it was drawn; says what.
    """
    canaries = read_canaries(folder, published, on_image)
    manifest, public = canaries.folder / TRAIN, canaries.folder / SEAL
    if manifest.exists():
        _check_manifest(manifest, list_entries(manifest), canaries.included)
    if public.exists() and _read_json(public).get("seal") != canaries.seal:
        raise DataError(f"expected the seal {canaries.seal[:12]} in {public}, got another one; restore it")
    return canaries


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_manifest(manifest: Path, listed: Sequence[ListedImage], included: Sequence[ListedImage]) -> None:
    for entry in listed:
        if not entry.path.is_file():
            missing = f"expected {entry.path}, which {manifest} names, but it is missing; restore it"
            raise DataError(missing, private=[str(entry.path)])
    named = sorted((hash_file(entry.path), entry.caption or "") for entry in listed)
    wanted = sorted((hash_file(entry.path), entry.caption or "") for entry in included)
    if named != wanted:
        raise DataError(
            f"expected {manifest} to name the {len(wanted)} included canaries with their captions, but it names "
            "others; what was trained on is then not what was drawn"
        )


def _load(file: Path) -> Assignment:
    if not file.is_file():
        raise DataError(f"expected {ASSIGNMENT} of privaudit canaries make at {file}, found none")
    return decode(Assignment, _read_json(file), str(file))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"expected JSON as privaudit canaries make writes it in {file}: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"expected an object as privaudit canaries make writes it in {file}, got something else")
    return values
