"""Reads an assignment from disk, and checks the seal and every file before an audit uses it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.canaries.assignment import Assignment, check_assignment
from privaudit.data import OnImage
from privaudit.data.listed import ListedImage
from privaudit.data.listing import list_entries
from privaudit.errors import DataError
from privaudit.storage.exact_json import decode

ASSIGNMENT = "canaries.json"
"""Private file with key and coins."""
SEAL = "seal.json"
"""Public file with the seal."""
TRAIN = "train.csv"
"""Manifest of the included images, for the training team."""


@dataclass(frozen=True)
class Canaries:
    """Both sides of a randomised experiment, verified.

    Attributes:
        folder: Folder of the assignment.
        included: Images for the training team, which are the members of an audit.
        excluded: Images that were held out, which are the non-members.
        seal: Hash of the assignment.
        created: Time of the draw, UTC.
        seeded: Whether the coins follow from a seed that someone may have known.
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
        DataError: There is no assignment, the assignment or a file was changed, or a file is missing.
        ResultError: ``canaries.json`` is incomplete.
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
        image, problem = wrong[0]
        raise DataError(
            f"expected every canary as it was drawn, but {image} {problem}{further}; restore the files, or move the "
            "folder back, because paths are relative to it",
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
    """Check a folder that `privaudit.canaries.draw_canaries` wrote, including the manifest for the training team.

    Args:
        folder: Folder with ``canaries.json``, and with ``train.csv`` and ``seal.json`` if they still exist.
        published: Seal that was published before training, if known.
        on_image: Progress callback.

    Returns:
        The canaries.

    Raises:
        DataError: A part is not as it was drawn; the message says which.
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
            missing = f"expected {entry.path}, which {manifest} lists, but it is missing; restore it"
            raise DataError(missing, private=[str(entry.path)])
    named = sorted((hash_file(entry.path), entry.caption or "") for entry in listed)
    drawn = sorted((hash_file(entry.path), entry.caption or "") for entry in included)
    if named != drawn:
        raise DataError(
            f"expected {manifest} to list the {len(drawn)} included canaries with their captions, but files or "
            "captions differ; a model that was trained on this list was not trained on the canaries as they were drawn"
        )


def _load(file: Path) -> Assignment:
    if not file.is_file():
        raise DataError(f"expected a {ASSIGNMENT} from 'privaudit canaries make' at {file}, found none")
    return decode(Assignment, _read_json(file), str(file))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"expected JSON from 'privaudit canaries make' in {file}: {error}") from error
    if not isinstance(values, dict):
        raise DataError(f"expected a JSON object from 'privaudit canaries make' in {file}, got {type(values).__name__}")
    return values
