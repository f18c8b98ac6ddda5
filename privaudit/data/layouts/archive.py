"""A zip or a tar, or a folder of them, such as the shards of WebDataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from privaudit.data.layouts.image_tree import list_tree
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.layouts.shards import shards_in, shards_of_split, split_source
from privaudit.data.listed import LeftOut, Listing
from privaudit.data.suffixes import IMAGE_SUFFIXES
from privaudit.data.trees import Tree, TreeFile, joined_tree, tar_tree, zip_tree

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Ends of the names of tars; a compressed one is refused with what to do."""
PARTS = (".jpg", ".jpeg", ".png", ".webp")
"""Suffixes of the image of a sample of WebDataset, the preferred one first."""


@LAYOUTS.register
class Archive(Layout):
    """The images in a zip, in a tar, or in all of them below a folder."""

    name: ClassVar[str] = "archive"
    summary: ClassVar[str] = "a zip or tar of images, or a folder of such shards"
    rank: ClassVar[int] = 40

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is an archive, or a folder with archives and no images."""
        place, _ = split_source(source)
        return place.is_file() and _is_archive(place) or place.is_dir() and bool(shards_in(place, ZIP + TAR))

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the images, sorted by shard and name."""
        place, split = split_source(source)
        if place.is_file():
            return list_tree(_tree(place), choices, _kind(place))
        shards = shards_of_split(place, shards_in(place, ZIP + TAR), split)
        kinds = " and ".join(sorted({_kind(path) for path in shards}))
        return list_tree(joined_tree(place, map(_tree, shards)), choices, kinds)


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ZIP + TAR)


def _kind(path: Path) -> str:
    return "zip" if path.name.lower().endswith(ZIP) else "tar"


def _tree(path: Path) -> Tree:
    return zip_tree(path) if _kind(path) == "zip" else one_image_per_sample(tar_tree(path))


def one_image_per_sample(tree: Tree) -> Tree:
    """Leave out the further images of samples of WebDataset, such as the mask ``0001.seg.png`` of ``0001.jpg``.

    A sample consists of the files whose names are equal up to the first dot. Its image is the one with nothing but a
    suffix behind that dot; without one, all of its images remain, since the dots may belong to names of photographs.

    Args:
        tree: Files of a tar.

    Returns:
        The tree without them; they are counted as left out.
    """
    images = {file.name: _key(file) for file in tree.files if file.suffix in IMAGE_SUFFIXES}
    chosen: dict[str, str] = {}
    for name in sorted(images, key=lambda name: _preference(PurePosixPath(name).suffix.lower())):
        if PurePosixPath(name).with_suffix("").as_posix() == images[name]:
            chosen.setdefault(images[name], name)
    further = {name: key for name, key in images.items() if chosen.get(key, name) != name}
    files = tuple(file for file in tree.files if file.name not in further)
    masks = [LeftOut("mask", "", len(further), next(iter(further)))] if further else []
    return replace(tree, files=files, left_out=(*tree.left_out, *masks))


def _key(file: TreeFile) -> str:
    path = PurePosixPath(file.name)
    return path.with_name(path.name.partition(".")[0]).as_posix()


def _preference(suffix: str) -> int:
    return PARTS.index(suffix) if suffix in PARTS else len(PARTS)
