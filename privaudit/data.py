"""Image folders and manifests become samples with ids that depend on nothing but their pixels.

A sample's id is a hash of its decoded pixels *after* preprocessing, so the same picture has the same
id in any folder, under any name and in any lossless format. Everything the audit stores for an image
(noise, mask, latent, score) is keyed by that id.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from privaudit.errors import DataError

IMAGE_SUFFIXES = frozenset({
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".webp",
    ".avif",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
})
MANIFEST_SUFFIXES = frozenset({".csv", ".jsonl", ".ndjson", ".parquet"})

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""

OnImage = Callable[[int, int], None]
"""Called with (images read, images in all) after each image."""


@dataclass(frozen=True)
class Sample:
    """One image of an audited set.

    Attributes:
        id: Hash of the preprocessed pixels, 32 hexadecimal digits.
        path: Where the image was read from.
        caption: Text that the model may be conditioned on, if the manifest has one.
        group: Images of one group (a photographer, a video) never stand on both sides of a fold.
        label: The manifest's own ``id``, kept so that its author recognises the image.
    """

    id: str
    path: Path
    caption: str | None = None
    group: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SampleSet:
    """The readable, distinct images of one folder or manifest.

    Attributes:
        samples: In the order of the folder (sorted by path) or of the manifest.
        skipped: Files that could not be read.
        duplicates: How many further copies of a picture in this set were dropped.
    """

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    duplicates: int = 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)


@dataclass(frozen=True)
class AuditData:
    """Members and non-members without a picture in common.

    Attributes:
        members: Images said to be in the training set.
        nonmembers: Images said not to be.
        shared: Pictures that were in both sets and were removed from both.
    """

    members: SampleSet
    nonmembers: SampleSet
    shared: tuple[Sample, ...] = field(default=())

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Members first, then non-members."""
        return self.members.samples + self.nonmembers.samples

    @property
    def split_hash(self) -> str:
        """Hash of which ids are members and which are not, whatever their order."""
        digest = hashlib.sha256()
        for name, part in (("member", self.members), ("nonmember", self.nonmembers)):
            for sample_id in sorted(sample.id for sample in part.samples):
                digest.update(f"{name} {sample_id}\n".encode())
        return digest.hexdigest()[:32]


def sample_id(pixels: NDArray[np.uint8]) -> str:
    """Hash the preprocessed pixels of an image.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        The first 32 hexadecimal digits of a SHA-256 over shape and pixels.
    """
    header = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(header + b"\0" + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:32]


def read_pixels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image the way training scripts of diffusion models do.

    EXIF orientation is applied; 16-bit gray is scaled to 8; palette, CMYK and gray become RGB; alpha is
    dropped, as ``Image.convert("RGB")`` does in the diffusers training scripts. The shorter side is
    resized (Lanczos) and the centre is cropped; an image of the right size keeps its pixels. Of an
    animation or a stack of pages, the first is read.

    Args:
        path: An image file that Pillow reads.
        size: Height and width of the result.

    Returns:
        ``(height, width, 3)``, uint8.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    try:
        with Image.open(path) as opened:
            image = _to_rgb(_upright(opened))
    except DataError:
        raise
    except Exception as error:  # Pillow's parsers raise what they stumble on: struct.error, KeyError, ...
        reason = f"not a readable image: {type(error).__name__}: {error}"
        raise DataError(reason.replace("\n", " ")) from error
    return np.asarray(_resize_and_crop(image, size), dtype=np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it writes the tags back, which fails for photographs with one odd tag.
    image.load()
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)  # dropped anyway; Pillow warns about it for each palette image
    if image.mode.startswith("I"):  # 16-bit gray; convert("RGB") would clip it to white
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataError("not a readable image: expected 8 or 16 bits a channel, got 32; convert it first")
        return Image.fromarray((values / 257.0).round().astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise DataError("not a readable image: expected 8 or 16 bits a channel, got floats; convert it first")
    return image.convert("RGB")


def _resize_and_crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    if (image.height, image.width) == size:
        return image
    scale = max(height / image.height, width / image.width)
    resized = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def read_set(
    source: Path, size: tuple[int, int], *, strict: bool = False, on_image: OnImage | None = None
) -> SampleSet:
    """Read a folder (recursively) or a manifest into distinct samples.

    A manifest is CSV, JSON lines or Parquet with a column ``path`` (relative to the manifest) and,
    if wanted, ``caption``, ``id`` and ``group``.

    Args:
        source: A folder of images or a manifest file.
        size: Height and width that the target expects.
        strict: Raise on the first unreadable image instead of skipping it.
        on_image: Progress callback.

    Returns:
        The set; unreadable files and dropped copies are counted in it.

    Raises:
        DataError: The path is missing, the manifest is malformed, nothing readable is left, or
            (``strict``) an image cannot be read.
    """
    entries = _list_entries(source)
    if not entries and source.is_file():
        raise DataError(f"expected images in the manifest {source}, but it has no rows below its header")
    if not entries:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"expected images in {source}, found none; it should hold files ending in {kinds}")
    samples: dict[str, Sample] = {}
    skipped: list[Skipped] = []
    duplicates = 0
    for position, entry in enumerate(entries, start=1):
        try:
            key = sample_id(read_pixels(entry.path, size))
        except DataError as error:
            if strict:
                raise DataError(f"{entry.path}: {error}; leave out --strict to skip such files") from error
            skipped.append(Skipped(entry.path, str(error)))
        else:
            duplicates += key in samples
            samples.setdefault(key, Sample(key, entry.path, entry.caption, entry.group, entry.label))
        if on_image is not None:
            on_image(position, len(entries))
    if not samples:
        raise DataError(
            f"expected images in {source}, but none of its {len(entries)} files can be read; "
            f"the first: {skipped[0].path}: {skipped[0].reason}"
        )
    return SampleSet(tuple(samples.values()), tuple(skipped), duplicates)


def separate(members: SampleSet, nonmembers: SampleSet) -> AuditData:
    """Remove every picture that stands in both sets, from both.

    A picture said to be both is evidence for neither.

    Args:
        members: Images said to be in the training set.
        nonmembers: Images said not to be.

    Returns:
        Two sets without a picture in common.

    Raises:
        DataError: A set has nothing left.
    """
    shared_ids = {s.id for s in members.samples} & {s.id for s in nonmembers.samples}
    shared = tuple(s for s in members.samples if s.id in shared_ids)
    parts = []
    for name, part in (("members", members), ("nonmembers", nonmembers)):
        kept = tuple(s for s in part.samples if s.id not in shared_ids)
        if not kept:
            raise DataError(
                f"expected {name} that are not in the other set, but all {len(part)} of them are; "
                "pass two sets without common pictures"
            )
        parts.append(SampleSet(kept, part.skipped, part.duplicates))
    return AuditData(parts[0], parts[1], shared)


def load_images(samples: Sequence[Sample], size: tuple[int, int]) -> NDArray[np.float32]:
    """Decode a batch into the range that autoencoders are trained on.

    Args:
        samples: Images to decode.
        size: Height and width.

    Returns:
        ``(n, 3, height, width)``, float32, in [-1, 1].

    Raises:
        DataError: A file changed since it was listed.
    """
    pixels = np.empty((len(samples), *size, 3), np.uint8)
    for sample, values in zip(samples, pixels, strict=True):
        try:
            values[:] = read_pixels(sample.path, size)
        except DataError as error:
            raise DataError(f"{sample.path} changed while it was being audited: {error}") from error
        if sample_id(values) != sample.id:
            raise DataError(f"{sample.path} changed while it was being audited; run the same command again")
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)


@dataclass(frozen=True)
class _Entry:
    path: Path
    caption: str | None = None
    group: str | None = None
    label: str | None = None


def _list_entries(source: Path) -> list[_Entry]:
    if source.is_dir():
        return [_Entry(path) for path in _image_files(source)]
    if not source.exists():
        raise DataError(f"expected a folder of images or a manifest, but {source} does not exist")
    if source.suffix.lower() in MANIFEST_SUFFIXES:
        return _read_manifest(source)
    kinds = " ".join(sorted(MANIFEST_SUFFIXES))
    raise DataError(f"expected a folder of images or a manifest ({kinds}), got the file {source}")


def _image_files(folder: Path) -> Iterable[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read_manifest(source: Path) -> list[_Entry]:
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(source.suffix.lower(), _read_json_lines)
    try:
        columns, rows = read(source)
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"cannot read the manifest {source}: {' '.join(str(error).split())}") from error
    if "path" not in columns:
        found = ", ".join(columns) or "none"
        raise DataError(f"expected a column 'path' in the manifest {source}, found: {found}")
    entries = []
    for number, row in enumerate(rows, start=1):
        texts = {}
        for column in ("path", "caption", "group", "id"):
            value = row.get(column)
            if isinstance(value, (list, dict, bytes)):
                raise DataError(
                    f"expected text in {column} of row {number} of the manifest {source}, got {type(value).__name__}"
                )
            texts[column] = _text(value)
        if texts["path"] is None:
            raise DataError(f"expected a path in every row of the manifest {source}, but row {number} has none")
        entries.append(_Entry(source.parent / texts["path"], texts["caption"], texts["group"], texts["id"]))
    return entries


_Table = tuple[Sequence[str], Iterable[Mapping[str, Any]]]
"""Column names and rows. Not through pandas, whose missing values turn the other ids into floats."""


def _read_csv(source: Path) -> _Table:
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True, strict=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        rows = []
        for row in reader:
            if any(row.pop(None, ())):  # DictReader's key for fields beyond the header
                raise ValueError(
                    f"line {reader.line_num} has more fields than the header; put text that holds commas in quotes"
                )
            rows.append(row)
        return list(reader.fieldnames), rows


def _read_json_lines(source: Path) -> _Table:
    rows = []
    for number, line in enumerate(source.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"expected an object in line {number}, got {type(row).__name__}")
            rows.append(row)
    return list(dict.fromkeys(key for row in rows for key in row)), rows


def _read_parquet(source: Path) -> _Table:
    from pyarrow import parquet

    table = parquet.ParquetFile(source).read()
    return list(table.column_names), table.to_pylist()


def _text(value: object) -> str | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():  # a whole number beside a missing one, as pandas stores it
        return str(int(value))
    return str(value)
