"""Tosses a coin for every candidate, and writes the files for the training team and the auditor."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from privaudit.canaries.assignment import (
    HOW_TO_VERIFY,
    KEY_BYTES,
    VERSION,
    Assignment,
    Candidate,
    key_of_seed,
    seal_of,
    toss,
)
from privaudit.canaries.read import ASSIGNMENT, SEAL, TRAIN, hash_file
from privaudit.data import OnImage, Skipped, phash, read_pixels, thumbnail
from privaudit.data.listed import ListedImage
from privaudit.data.listing import list_entries, require_files
from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.duplicates import clusters, near_duplicates
from privaudit.storage.exact_json import encode
from privaudit.storage.files import make_folder, write_text

MIN_CANDIDATES = 10
"""Minimum number of candidates; no audit can conclude anything from fewer."""
COPIES = "train"
"""Folder of the included files, if they are copied."""
COMPARISON_SIZE = (64, 64)
"""Height and width at which images are compared, since the image size of the target is not known yet."""


@dataclass(frozen=True)
class Drawn:
    """An assignment that was written.

    Attributes:
        folder: Folder of the assignment.
        assignment: Key and coins.
        unreadable: Files that cannot be read as images.
        copies: Number of candidates left out because the same file is another candidate.
        similar: Number of candidates left out because another candidate is a near-duplicate.
        grouped: Number of candidates left out because another candidate is in the same group of the manifest.
    """

    folder: Path
    assignment: Assignment
    unreadable: tuple[Skipped, ...]
    copies: int
    similar: int
    grouped: int

    @property
    def included(self) -> int:
        """Number of candidates assigned to the training set."""
        return sum(candidate.included for candidate in self.assignment.candidates)


@dataclass(frozen=True)
class _Readable:
    entry: ListedImage
    sha256: str
    perceptual_hash: int
    thumbnail: bytes


@dataclass(frozen=True)
class _Independent:
    images: tuple[_Readable, ...]
    copies: int
    similar: int
    grouped: int


def draw_canaries(
    source: Path, out: Path, *, seed: int | None = None, copy: bool = False, on_image: OnImage | None = None
) -> Drawn:
    """Toss a fair coin for every candidate, and write the assignment.

    Three files are written to ``out``: ``train.csv``, the images to train on (columns path, id, and caption if there
    are captions); ``canaries.json``, private, with key and coins; and ``seal.json``, public. Of equal files,
    near-duplicates and images of one group, only the one with the smallest file hash becomes a candidate. Equal files
    would have the same coin, which the theorem excludes. A near-duplicate in training would make an excluded image look
    like a member.

    Args:
        source: Folder or manifest of the candidates, none of which may already be in the training data.
        out: Folder to write.
        seed: Seed of the key, for tests and demonstrations only; None means a random key.
        copy: Whether to copy the included files to ``out/train`` and name the copies in ``train.csv``.
        on_image: Progress callback.

    Returns:
        The assignment, and the number of candidates left out.

    Raises:
        ConfigError: ``out`` holds an assignment, or cannot be written.
        DataError: There are fewer than `MIN_CANDIDATES` distinct candidates, or they have class labels.
    """
    _check_free(out)
    entries = list_entries(source)
    require_files(entries, source)
    if any(entry.class_label is not None for entry in entries):
        raise DataError(
            f"expected candidates without class labels in {source}, got a column class_label, which canaries do not "
            "support yet; remove it"
        )
    readable, unreadable = _read(entries, on_image)
    independent = _independent(readable)
    count = len(independent.images)
    if count < MIN_CANDIDATES:
        left_out = (
            f"{len(unreadable)} unreadable, {independent.copies} copies, {independent.similar} near-duplicates, "
            f"{independent.grouped} of a group"
        )
        raise DataError(
            f"expected at least {MIN_CANDIDATES} distinct candidates in {source}, got {count} (left out: {left_out}); "
            "add images: several hundred give an informative bound"
        )
    make_folder(out)
    key = secrets.token_bytes(KEY_BYTES) if seed is None else key_of_seed(seed)
    candidates = tuple(
        Candidate(
            _relative(image.entry.path, out),
            image.sha256,
            toss(key, image.sha256),
            image.entry.caption,
            image.entry.label,
        )
        for image in independent.images
    )
    seal, created = seal_of(key.hex(), candidates), datetime.now(UTC).isoformat(timespec="seconds")
    assignment = Assignment(VERSION, created, seed is not None, key.hex(), seal, candidates)
    _write(out, assignment, copy=copy)
    return Drawn(out, assignment, tuple(unreadable), independent.copies, independent.similar, independent.grouped)


def _check_free(out: Path) -> None:
    existing = [name for name in (ASSIGNMENT, SEAL, TRAIN, COPIES) if (out / name).exists()]
    if existing:
        raise ConfigError([
            f"expected a folder without canaries, but {out} holds {', '.join(existing)}; pass another --out, because "
            "coins are tossed only once"
        ])


def _read(entries: Sequence[ListedImage], on_image: OnImage | None) -> tuple[list[_Readable], list[Skipped]]:
    readable, unreadable = [], []
    for position, entry in enumerate(entries, start=1):
        try:
            pixels = read_pixels(entry.path, COMPARISON_SIZE)
            readable.append(_Readable(entry, hash_file(entry.path), phash(pixels), thumbnail(pixels)))
        except DataError as error:
            unreadable.append(Skipped(entry.path, str(error)))
        if on_image is not None:
            on_image(position, len(entries))
    return readable, unreadable


def _independent(readable: Sequence[_Readable]) -> _Independent:
    """Select candidates of which no two are the same file, near-duplicates or of one group."""
    # Sorted by hash, so that the selection does not depend on the order of the images.
    ordered = sorted(readable, key=lambda image: (image.sha256, str(image.entry.path)))
    thumbnails = np.array([np.frombuffer(image.thumbnail, dtype=np.uint8) for image in ordered])
    hashes = np.array([image.perceptual_hash for image in ordered], dtype=np.uint64)
    labels = clusters(near_duplicates(hashes, thumbnails), len(ordered)) if ordered else np.empty(0, dtype=np.int64)
    images: list[_Readable] = []
    copies = similar = grouped = 0
    files: set[str] = set()
    clusters_used: set[int] = set()
    groups: set[str] = set()
    for image, cluster in zip(ordered, labels.tolist(), strict=True):
        if image.sha256 in files:
            copies += 1
        elif cluster in clusters_used:
            similar += 1
        elif image.entry.group in groups:
            grouped += 1
        else:
            images.append(image)
            clusters_used.add(cluster)
            if image.entry.group is not None:
                groups.add(image.entry.group)
        files.add(image.sha256)  # of every image: copies of one that was left out count as copies, too
    return _Independent(tuple(images), copies, similar, grouped)


def _write(out: Path, assignment: Assignment, *, copy: bool) -> None:
    """Write all files. The private file is last: a folder without it was interrupted and holds no assignment."""
    included = [candidate for candidate in assignment.candidates if candidate.included]
    paths = [candidate.path for candidate in included]
    if copy:
        paths = [f"{COPIES}/{c.sha256[:16]}{Path(c.path).suffix.lower()}" for c in included]
        make_folder(out / COPIES)
        for candidate, path in zip(included, paths, strict=True):
            shutil.copyfile(out / candidate.path, out / path)
    captioned = any(candidate.caption is not None for candidate in included)
    stream = io.StringIO()
    # Quotes preserve leading and trailing spaces of a caption.
    table = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(["path", "id", "caption"] if captioned else ["path", "id"])
    for candidate, path in zip(included, paths, strict=True):
        row = [path, candidate.label or candidate.sha256[:16]]
        table.writerow([*row, candidate.caption or ""] if captioned else row)
    write_text(out / TRAIN, stream.getvalue())
    public = {
        "version": assignment.version,
        "created": assignment.created,
        "candidates": len(assignment.candidates),
        "seal": assignment.seal,
        "how_to_verify": HOW_TO_VERIFY,
    }
    write_text(out / SEAL, json.dumps(public, indent=2) + "\n")
    write_text(out / ASSIGNMENT, json.dumps(encode(assignment), indent=1) + "\n")


def _relative(path: Path, folder: Path) -> str:
    # Folders are resolved, so that ".." means the same to every program. A file that is a link is not: its own name has
    # the suffix by which it is recognised as an image.
    return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()
