"""The image sets that an audit compares, which have no image in common."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.designs.design import Design
from privaudit.auditing.designs.members import MembersDesign
from privaudit.data import Sample, SampleSet
from privaudit.errors import SetsError

MEMBERS = MembersDesign()


@dataclass(frozen=True)
class AuditData:
    """Two disjoint image sets to compare, and possibly a third of unknown membership.

    Attributes:
        positives: Images of the positive class: known members, included canaries, or suspects (see `design`).
        nonmembers: Images said not to be in the training set.
        shared: Images that were in both sets and were removed from both.
        suspects: Images of unknown membership next to known members; empty otherwise.
        design: Design of the audit: which sets are compared, and how they are judged.
        known_suspects: Number of suspects that were left out because they are in a known set.
        classes: Names of classes whose numbers are a guess, since the sets have none.
    """

    positives: SampleSet
    nonmembers: SampleSet
    shared: tuple[Sample, ...] = field(default=())
    suspects: SampleSet = field(default=SampleSet(()))
    design: Design = MEMBERS
    known_suspects: int = 0
    classes: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[Sample, ...]:
        """Compared images: positives, then non-members."""
        return self.positives.samples + self.nonmembers.samples

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Whether each compared image is a positive, ``(n,)``."""
        return np.arange(len(self.compared)) < len(self.positives)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All images: positives, non-members, then suspects next to known members."""
        return self.compared + self.suspects.samples

    @property
    def sets(self) -> tuple[SampleSet, ...]:
        """All sets, in the order of `samples`."""
        return (self.positives, self.nonmembers, self.suspects)

    @property
    def labels(self) -> tuple[str, ...]:
        """``member``, ``nonmember`` or ``suspect`` for each image of `samples`, as in the ``set`` column of tables."""
        names = (self.design.label, "nonmember", "suspect")
        return tuple(name for name, part in zip(names, self.sets, strict=True) for _ in part.samples)

    @property
    def split_hash(self) -> str:
        """Hash of the ids in each set, independent of their order."""
        digest = hashlib.sha256()
        for name, part in zip((self.design.label, "nonmember", "suspect"), self.sets, strict=True):
            for key in sorted(sample.id for sample in part.samples):
                digest.update(f"{name} {key}\n".encode())
        return digest.hexdigest()[:32]


def separate(
    positives: SampleSet, nonmembers: SampleSet, suspects: SampleSet | None = None, *, design: Design = MEMBERS
) -> AuditData:
    """Remove images that are in both sets from both, and known images from the suspects.

    An image listed as both member and non-member is evidence for neither. For sets drawn at random, all images with
    copies are removed, too: the model was trained on such an image if any of its copies was drawn.

    Args:
        positives: Images of the positive class.
        nonmembers: Images said not to be in the training set.
        suspects: Images of unknown membership next to known members; None without any.
        design: Design of the audit.

    Returns:
        Disjoint sets, each sorted by id.

    Raises:
        SetsError: No image of a set remains.
    """
    shared_ids = {s.id for s in positives.samples} & {s.id for s in nonmembers.samples}
    shared = tuple(s for s in positives.samples if s.id in shared_ids)
    if design.facts().drawn_at_random:
        shared_ids |= positives.copied | nonmembers.copied
    known = {s.id for s in (*positives.samples, *nonmembers.samples)}
    return AuditData(
        _without(positives, shared_ids, design.code, "the other set"),
        _without(nonmembers, shared_ids, "nonmembers", "the other set"),
        shared,
        SampleSet(()) if suspects is None else _without(suspects, known, "suspects", "the known ones"),
        design,
        0 if suspects is None else len({s.id for s in suspects.samples} & known),
    )


def _without(part: SampleSet, ids: Collection[str], name: str, where: str) -> SampleSet:
    """Remove the images with these ids from a set, and sort the others by id."""
    # sorted by id, so that results depend neither on file names nor on the order of a manifest
    remaining = tuple(sorted((s for s in part.samples if s.id not in ids), key=lambda s: s.id))
    if not remaining:
        raise SetsError(
            f"expected `{name}` that are not in {where}, but all {len(part)} of them are, by their pixels; pass sets "
            "without common images"
        )
    return replace(part, samples=remaining)
