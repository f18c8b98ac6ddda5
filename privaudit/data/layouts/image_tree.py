"""A tree of images with what people keep next to them: caption files, metadata, masks, kohya's folders.

The rules are those of the trainers: a caption file has the name of its image; kohya's folder ``10_word class`` gives
its words to images without a caption file, and its number of repeats makes no copies; a table ``metadata.csv``,
``.jsonl`` or ``.parquet`` names the images of its folder, as in the image folders of Hugging Face.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from privaudit.data.caption_rules import with_captions
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.layouts.metadata import NAMES, Metadata, read_metadata
from privaudit.data.listed import LeftOutKind, ListedImage, Listing
from privaudit.data.not_images import IGNORED, counted, in_regularisation, masked_image
from privaudit.data.sidecars import FOLDERS, Sidecars, folder_words
from privaudit.data.suffixes import IMAGE_SUFFIXES, is_image
from privaudit.data.trees import Tree, TreeFile, disk_tree
from privaudit.errors import DataError

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev"})
"""Names of folders that hold the splits of a data set."""
_Aside = list[tuple[LeftOutKind, str]]


@LAYOUTS.register
class ImageTree(Layout):
    """Images below a folder."""

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "a folder of images, with or without sub-folders, caption files and metadata"
    rank: ClassVar[int] = 100

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is a folder."""
        return source.is_dir()

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the images, sorted by path."""
        return list_tree(disk_tree(source), choices, cls.name)


def list_tree(tree: Tree, choices: CaptionChoices, name: str) -> Listing:
    """List the images of a tree of files.

    Args:
        tree: The files.
        choices: Which captions are used.
        name: Name of the layout: ``folder``, or that of an archive.

    Returns:
        The images, sorted by path, with their captions, and what was left out.

    Raises:
        DataError: The tree holds several splits, or a caption file or metadata cannot be read.
    """
    files = [file for file in tree.files if PurePosixPath(file.name).name.lower() not in IGNORED]
    tables = [read_metadata(file, choices) for file in files if _is_metadata(file)]
    named = {path for table in tables for path in table.rows}
    images = [file for file in files if file.name in named or _is_image(file)]
    _require_one_split(tree.root, images)
    trained, aside = _trained(images, tables)
    taken = {file.name for file in images}
    others = [file for file in files if file.name not in taken and not _is_metadata(file)]
    sidecars = Sidecars(others, images, choices)
    entries = [_describe(file, tables, sidecars) for file in trained]
    entries += _missing(tree, tables)
    _require_chosen(entries, choices, tree.root)
    columns = {f"column {table.other}" for table in tables if table.other}
    used, unused = sidecars.used, sidecars.unused - sidecars.used | columns
    captioned, use = with_captions(entries, " and ".join(sorted(used)), " and ".join(sorted(unused)), choices)
    empty: _Aside = [("empty row", where) for table in tables for where in table.empty]
    left_out = counted([*aside, *sidecars.others(), *empty], tree.left_out)
    parts = [name, *["metadata"][: len(tables)], *["kohya"][: FOLDERS in used or _has_words(trained)]]
    return Listing(", ".join(parts), captioned, left_out, use)


def _is_metadata(file: TreeFile) -> bool:
    return PurePosixPath(file.name).name in NAMES


def _is_image(file: TreeFile) -> bool:
    """Whether a file is an image by its suffix, or by its first bytes if it has none, as the blobs of a cache."""
    if file.suffix:
        return file.suffix in IMAGE_SUFFIXES
    try:
        with file.open() as stream:
            return is_image(stream.read(64))
    except OSError:
        return False


def _require_one_split(root: Path, images: Sequence[TreeFile]) -> None:
    tops = {PurePosixPath(file.name).parts[0] for file in images if "/" in file.name}
    splits = sorted(top for top in tops if top.lower() in SPLITS)
    if len(splits) > 1:
        raise DataError(
            f"expected one split, got {' and '.join(splits)} in {root}; pass {root / splits[0]} or another one of them"
        )


def _trained(images: Sequence[TreeFile], tables: Sequence[Metadata]) -> tuple[list[TreeFile], _Aside]:
    """The images that a trainer would have taken as images, and the others by kind."""
    stems = {file.stem for file in images}
    named = {path for table in tables for path in table.rows}
    conditions = {path for table in tables for path in table.conditions} - named
    trained: list[TreeFile] = []
    aside: _Aside = []
    for file in images:
        if in_regularisation(file.name):
            aside.append(("regularisation", file.name))
        elif file.name in conditions or masked_image(file.name) in stems:
            aside.append(("mask", file.name))
        elif file.name not in named and any(table.covers(file.name) for table in tables):
            aside.append(("not in metadata", file.name))
        else:
            trained.append(file)
    return trained, aside


def _describe(file: TreeFile, tables: Sequence[Metadata], sidecars: Sidecars) -> ListedImage:
    table = next((table for table in tables if file.name in table.rows), None)
    row: dict[str, Any] = {} if table is None else dict(table.rows[file.name])
    row |= sidecars.captions(file, row, "" if table is None else table.column)
    if row.get("class_label") is None and row.get("class_name") is None:
        row["class_name"] = _class_folder(file.name)
    return ListedImage(file.path, content=file.content, **row)


def _class_folder(name: str) -> str | None:
    """The outermost folder of an image that is not a split, after which trainers name its class."""
    folders = [part for part in PurePosixPath(name).parts[:-1] if part.lower() not in SPLITS]
    return (folder_words(name) or folders[0]) if folders else None


def _missing(tree: Tree, tables: Sequence[Metadata]) -> Iterable[ListedImage]:
    """Images that the metadata names and the tree lacks, which are counted as unreadable later."""
    present = {file.name for file in tree.files}
    for table in tables:
        for path, row in table.rows.items():
            if path not in present:
                yield ListedImage(tree.root / path, **row)


def _require_chosen(entries: Sequence[ListedImage], choices: CaptionChoices, root: Path) -> None:
    if choices.column is not None and entries and not any(entry.captions for entry in entries):
        raise DataError(
            f"expected captions in {choices.column!r} in {root}, found none; name a column of its metadata, or the "
            "suffix of the caption files"
        )


def _has_words(images: Iterable[TreeFile]) -> bool:
    return any(folder_words(file.name) for file in images)
