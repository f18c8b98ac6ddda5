"""Lists and reads the image sets of an audit, as its design requires."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from privaudit.auditing.audit_data import AuditData, separate
from privaudit.auditing.designs.canaries import CanariesDesign
from privaudit.auditing.designs.design import Design, Listed, Sources
from privaudit.auditing.designs.members import MembersDesign
from privaudit.auditing.designs.members_and_suspects import MembersAndSuspectsDesign
from privaudit.auditing.designs.suspects import SuspectsDesign
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.auditing.size_runs import by_size
from privaudit.data import Sample, SampleSet, read_listing
from privaudit.data.class_names import with_class_labels
from privaudit.data.layouts.manifest import MANIFEST_SUFFIXES
from privaudit.data.listed import ListedImage
from privaudit.data.listing import set_exists
from privaudit.errors import DataError, SetsError, did_you_mean
from privaudit.execution.progress import OnProgress
from privaudit.loading.image_sizes import try_size
from privaudit.model.target import Target

DESIGNS: Sequence[type[Design]] = (MembersDesign, MembersAndSuspectsDesign, SuspectsDesign, CanariesDesign)


def design_of(options: AuditOptions) -> type[Design]:
    """Return the design that compares the sets named by the options."""
    named = {name for design in DESIGNS for name in design.options if getattr(options, name) is not None}
    return next(design for design in DESIGNS if set(design.options) == named)


def list_sources(options: AuditOptions) -> Sources:
    """List the images of every set, so that problems are found before a large model is loaded.

    Args:
        options: Options of the audit.

    Returns:
        The sets, to be read later.

    Raises:
        SetsError: A path does not exist or lists no images, a manifest is malformed, or all files of a set are also in
            another one.
        DataError: The canaries differ from those that were sealed.
    """
    design = design_of(options)
    missing = {name: path for name in design.options if not set_exists(path := getattr(options, name))}
    if missing:
        similar = {name: _similar_path(path) for name, path in missing.items()}
        raise SetsError(
            *(
                f"expected images for `{name}` at {path}, but it does not exist{similar[name] or '; check the path'}"
                for name, path in missing.items()
            ),
            # A folder that no option names. The whole phrase, because its name alone may be a word such as "members".
            private=[text.removeprefix("; ") for text in similar.values() if text],
        )
    sources = design.list_sets(options)
    if problems := _contained_sets(sources):
        raise SetsError(*problems)
    return sources


def _similar_path(path: Path) -> str:
    """Suggest a folder or manifest with a similar name in the same place; empty if there is none."""
    try:
        names = [
            item.name
            for item in path.parent.iterdir()
            if item.is_dir() or item.suffix.lower() in MANIFEST_SUFFIXES and not item.name.startswith(".")
        ]
    except OSError:
        return ""
    return did_you_mean(path.name, names, cutoff=0.7, folder="" if path.parent == Path() else f"{path.parent}{os.sep}")


def _contained_sets(sources: Sources) -> list[str]:
    """List sets whose files are all in another set, such as one folder for both, or a folder and one inside it.

    Returns:
        Problems with the keyword of each option between backquotes. No image is opened: copies under other names are
        found later, by their pixels.
    """
    if len(sources.design.options) < 2:  # the two sides of one draw
        return []
    folder_of = lru_cache(maxsize=None)(os.path.realpath)
    files = [
        {os.path.join(folder_of(entry.path.parent), entry.path.name) for entry in listed.entries}
        for listed in sources.sets
    ]
    positives, nonmembers, *suspects = zip(sources.sets, files, strict=True)
    # Suspects next to known members may include these, which are left out; the other way round, none would remain.
    pairs = [(positives, nonmembers), (nonmembers, positives)]
    pairs += [(inner, outer) for inner in suspects for outer in (positives, nonmembers)]
    problems: dict[frozenset[str], str] = {}  # by pair of sets, since equal sets contain each other
    for (inner, inside), (outer, around) in pairs:
        if inside <= around:
            equal = len(inside) == len(around)
            first, second = sorted((inner.name, outer.name), key=sources.design.options.index)
            problems.setdefault(
                frozenset({inner.name, outer.name}),
                f"expected different images for `{first}` and `{second}`, "
                + (
                    f"got the same {len(inside)} files for both ({outer.source})"
                    if equal
                    else f"but all {len(inside)} files of `{inner.name}` ({inner.source}) are also among the "
                    f"{len(around)} of `{outer.name}` ({outer.source})"
                )
                + "; pass two folders or manifests without common images",
            )
    return list(problems.values())


def read_sources(sources: Sources, options: AuditOptions, target: Target, progress: OnProgress) -> AuditData:
    """Read every set, and remove images that are in two of them.

    Args:
        sources: The sets.
        options: Options of the audit.
        target: The audited model, whose image size is used.
        progress: Called with (name of the set, done, total).

    Returns:
        Disjoint sets.

    Raises:
        DataError: A set cannot be used.
    """
    budget = pixel_budget()

    def read(listed: Listed) -> SampleSet:
        def on_image(done: int, total: int) -> None:
            progress(listed.name, done, total)

        size = target.info.image_size
        source = str(listed.source)
        return read_listing(
            listed.listing,
            size,
            source,
            strict=options.strict,
            on_image=on_image,
            budget=budget,
            reading=options.reading,
        )

    sources, classes = number_classes(sources, target)
    data = replace(separate(*(read(listed) for listed in sources.sets), design=sources.design), classes=classes)
    require_class_labels(target, data.samples)
    for size in by_size(data.samples, target.info.image_size):
        try_size(target, size)
    return data


def number_classes(sources: Sources, target: Target) -> tuple[Sources, tuple[str, ...]]:
    """Number the classes that are named, if the model is conditioned on classes (see `with_class_labels`).

    Returns:
        The sets, and the names whose numbers are a guess.
    """
    if target.info.family != "class-conditional":
        return sources, ()
    listings, classes = with_class_labels([listed.listing for listed in sources.sets])
    sets = (replace(listed, listing=listing) for listed, listing in zip(sources.sets, listings, strict=True))
    return replace(sources, sets=tuple(sets)), classes


def require_class_labels(target: Target, images: Sequence[Sample | ListedImage]) -> None:
    """Refuse images without a class label if the model is conditioned on classes.

    With the null class, on which such a model was trained little, it would seem to leak less than it does.

    Raises:
        DataError: Some images have no class label.
    """
    without = sum(image.class_label is None for image in images)
    if target.info.family == "class-conditional" and without:
        raise DataError(
            f"expected a class_label for every image, since the model is conditioned on classes, and {without} have "
            "none; name the classes in the manifests"
        )
