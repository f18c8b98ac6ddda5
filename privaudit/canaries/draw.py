"""Toss a coin for every candidate, and write what the training team and the auditor need."""

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
from privaudit.data.listing import ListedImage, list_entries
from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.duplicates import clusters, near_duplicates
from privaudit.storage.exact_json import encode
from privaudit.storage.files import make_folder, write_text

FEWEST = 10
"""Candidates: with fewer no audit can say anything."""
COPIES = "train"
"""Folder of the included files, if they are copied."""
SIZE = (64, 64)
"""Height and width at which pictures are compared; no target is known yet."""


@dataclass(frozen=True)
class Drawn:
    """An assignment that was written.

    Attributes:
        folder: Where.
        assignment: Key and coins.
        unreadable: Files that cannot be read as images.
        copies: Left out: the same file as another candidate.
        similar: Left out: the same picture as another candidate, or nearly so.
        grouped: Left out: of one group of the manifest with another candidate.
    """

    folder: Path
    assignment: Assignment
    unreadable: tuple[Skipped, ...]
    copies: int
    similar: int
    grouped: int

    @property
    def included(self) -> int:
        """How many candidates are to be trained on."""
        return sum(candidate.included for candidate in self.assignment.candidates)


@dataclass(frozen=True)
class _Readable:
    entry: ListedImage
    sha256: str
    perceptual_hash: int
    thumbnail: bytes


@dataclass(frozen=True)
class _Independent:
    kept: tuple[_Readable, ...]
    copies: int
    similar: int
    grouped: int


def draw_canaries(
    source: Path, out: Path, *, seed: int | None = None, copy: bool = False, on_image: OnImage | None = None
) -> Drawn:
    """Give every candidate a fair coin, and write the assignment.

    ``out`` gets ``train.csv`` (columns path, id, and caption if there are captions: what is to be trained on),
    ``canaries.json`` (private: key and coins) and ``seal.json`` (public). Candidates that would share a coin or a
    picture with another one are left out: of equal files, near-duplicates and images of one group the one with the
    smallest file hash stays. Equal files would have the same coin, which the theorem excludes; a near-duplicate in
    training would make an excluded image look like a member.

    Args:
        source: Folder or manifest of the candidates; none of them may be in the training data otherwise.
        out: Folder to write.
        seed: For tests and demonstrations only; None takes a random key.
        copy: Also copy the included files to ``out/train``, and let ``train.csv`` name the copies.
        on_image: Progress callback.

    Returns:
        What was written, and how many candidates were left out.

    Raises:
        ConfigError: ``out`` holds an assignment, or cannot be written.
        DataError: There are fewer than `FEWEST` distinct candidates, or they have class labels.
    """
    _check_free(out)
    entries = list_entries(source)
    if any(entry.class_label is not None for entry in entries):
        raise DataError(
            f"expected candidates without class labels in {source}, got a column class_label, which the files of "
            "canaries do not have yet; remove it"
        )
    found, unreadable = _read(entries, on_image)
    rest = _independent(found)
    if len(rest.kept) < FEWEST:
        left = f"{len(unreadable)} unreadable, {rest.copies} copies, {rest.similar} near-duplicates, {rest.grouped}"
        raise DataError(
            f"expected at least {FEWEST} distinct candidates in {source}, got {len(rest.kept)} (left out: {left} of a "
            "group); add images: some hundreds give a bound that says something"
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
        for image in rest.kept
    )
    seal, created = seal_of(key.hex(), candidates), datetime.now(UTC).isoformat(timespec="seconds")
    assignment = Assignment(VERSION, created, seed is not None, key.hex(), seal, candidates)
    _write(out, assignment, copy=copy)
    return Drawn(out, assignment, tuple(unreadable), rest.copies, rest.similar, rest.grouped)


def _check_free(out: Path) -> None:
    taken = [name for name in (ASSIGNMENT, SEAL, TRAIN, COPIES) if (out / name).exists()]
    if taken:
        raise ConfigError([
            f"expected a folder without canaries, but {out} holds {', '.join(taken)}; pass another --out: coins are "
            "tossed once"
        ])


def _read(entries: Sequence[ListedImage], on_image: OnImage | None) -> tuple[list[_Readable], list[Skipped]]:
    found, unreadable = [], []
    for position, entry in enumerate(entries, start=1):
        try:
            pixels = read_pixels(entry.path, SIZE)
            found.append(_Readable(entry, hash_file(entry.path), phash(pixels), thumbnail(pixels)))
        except DataError as error:
            unreadable.append(Skipped(entry.path, str(error)))
        if on_image is not None:
            on_image(position, len(entries))
    return found, unreadable


def _independent(found: Sequence[_Readable]) -> _Independent:
    """Keep candidates of which no two are one file, nearly one picture, or of one group; the order does not matter."""
    ordered = sorted(found, key=lambda image: (image.sha256, str(image.entry.path)))
    small = np.array([np.frombuffer(image.thumbnail, dtype=np.uint8) for image in ordered])
    hashes = np.array([image.perceptual_hash for image in ordered], dtype=np.uint64)
    pictures = clusters(near_duplicates(hashes, small), len(ordered)) if ordered else np.empty(0, dtype=np.int64)
    kept: list[_Readable] = []
    copies = similar = grouped = 0
    files: set[str] = set()
    taken: set[int] = set()
    groups: set[str] = set()
    for image, picture in zip(ordered, pictures.tolist(), strict=True):
        if image.sha256 in files:
            copies += 1
        elif picture in taken:
            similar += 1
        elif image.entry.group in groups:
            grouped += 1
        else:
            kept.append(image)
            taken.add(picture)
            if image.entry.group is not None:
                groups.add(image.entry.group)
        files.add(image.sha256)
    return _Independent(tuple(kept), copies, similar, grouped)


def _write(out: Path, assignment: Assignment, *, copy: bool) -> None:
    """Write the private file last: a folder without it was interrupted, and is no assignment."""
    included = [candidate for candidate in assignment.candidates if candidate.included]
    paths = [candidate.path for candidate in included]
    if copy:
        paths = [f"{COPIES}/{c.sha256[:16]}{Path(c.path).suffix.lower()}" for c in included]
        make_folder(out / COPIES)
        for candidate, path in zip(included, paths, strict=True):
            shutil.copyfile(out / candidate.path, out / path)
    captioned = any(candidate.caption is not None for candidate in included)
    stream = io.StringIO()
    table = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")  # quotes keep a caption's outer spaces
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
    # Of folders the true places, so that .. leads where it says; of a file that is a link the name, which has a suffix.
    return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()
