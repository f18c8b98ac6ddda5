"""Lists and reads the image sets of an audit, as its design requires."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.auditing.audit_data import AuditData, separate
from privaudit.auditing.designs.canaries import CanariesDesign
from privaudit.auditing.designs.design import Design, Listed, Sources
from privaudit.auditing.designs.members import MembersDesign
from privaudit.auditing.designs.members_and_suspects import MembersAndSuspectsDesign
from privaudit.auditing.designs.suspects import SuspectsDesign
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.pixel_memory import pixel_budget
from privaudit.data import Sample, SampleSet, read_entries
from privaudit.data.listing import ListedImage
from privaudit.errors import DataError
from privaudit.execution.progress import OnProgress
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
        DataError: A path does not exist or lists no images, a manifest is malformed, or the canaries differ
            from those that were sealed.
    """
    problems = [f"expected images at {path}, but it does not exist" for path in options.sources if not path.exists()]
    if problems:
        raise DataError(*problems)
    return design_of(options).list_sets(options)


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
        return read_entries(listed.entries, size, source, strict=options.strict, on_image=on_image, budget=budget)

    data = separate(*(read(listed) for listed in sources.sets), design=sources.design)
    require_class_labels(target, data.samples)
    return data


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
