"""A zip or a tar, or a folder of them, such as the shards of WebDataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from privaudit.data.layouts.image_tree import list_tree
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.layouts.splits import shards_in, shards_of_split, split_source
from privaudit.data.listed import CaptionUse, LeftOut, LeftOutKind, ListedImage, Listing
from privaudit.data.suffixes import IMAGE_SUFFIXES
from privaudit.data.trees import Tree, TreeFile, tar_tree, zip_tree

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Ends of the names of tars; a compressed one is refused with what to do."""
PARTS = (".jpg", ".jpeg", ".png", ".webp")
"""Suffixes of the image of a sample of WebDataset, the preferred one first."""

CLASS = ".cls"
"""Suffix of the class of a sample of WebDataset, a number or a name."""


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
        shards = [place] if place.is_file() else shards_of_split(place, shards_in(place, ZIP + TAR), split)
        return joined([_list(shard, choices) for shard in shards])


def joined(listings: Sequence[Listing]) -> Listing:
    """Join the images of several shards, each of which has files next to its own images only.

    Args:
        listings: The shards, at least one.

    Returns:
        All images in order, and all that was left out.
    """
    left_out: dict[tuple[LeftOutKind, str], LeftOut] = {}
    for item in (item for listing in listings for item in listing.left_out):
        earlier = left_out.setdefault((item.kind, item.suffix), replace(item, count=0))
        left_out[item.kind, item.suffix] = replace(earlier, count=earlier.count + item.count)
    return Listing(
        " and ".join(dict.fromkeys(listing.layout for listing in listings)),
        tuple(entry for listing in listings for entry in listing.entries),
        tuple(left_out.values()),
        CaptionUse(*(_texts(getattr(listing.captions, part) for listing in listings) for part in ("source", "unused"))),
    )


def _texts(texts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(filter(None, texts)))


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ZIP + TAR)


def _kind(path: Path) -> str:
    return "zip" if path.name.lower().endswith(ZIP) else "tar"


def _list(path: Path, choices: CaptionChoices) -> Listing:
    if _kind(path) == "zip":
        return list_tree(zip_tree(path), choices, "zip")
    tree = one_image_per_sample(tar_tree(path))
    classes = {file.path.with_suffix(""): file for file in tree.files if file.suffix == CLASS}
    others = replace(tree, files=tuple(file for file in tree.files if file.suffix != CLASS))
    listing = list_tree(others, choices, "tar")
    return replace(listing, entries=tuple(_with_class(entry, classes) for entry in listing.entries))


def _with_class(entry: ListedImage, classes: Mapping[Path, TreeFile]) -> ListedImage:
    """Take the class of an image from the file of its sample, if there is one."""
    file = classes.get(entry.path.with_suffix(""))
    if file is None:
        return entry
    with file.open() as stream:
        text = stream.read(100).decode("utf-8", "replace").strip()
    if text.isascii() and text.isdigit():
        return replace(entry, class_label=int(text), class_name=None)
    return replace(entry, class_name=text or None)


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
