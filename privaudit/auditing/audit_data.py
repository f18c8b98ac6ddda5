"""The sets that an audit compares: without a picture in common."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.designs.design import Design
from privaudit.auditing.designs.members import MembersDesign
from privaudit.data import Sample, SampleSet
from privaudit.errors import DataError

MEMBERS = MembersDesign()


@dataclass(frozen=True)
class AuditData:
    """Two sets to compare, without a picture in common, and perhaps a third of unknown membership.

    Attributes:
        positives: The positive class: known members, included canaries, or suspects (see `design`).
        nonmembers: Images said not to be in the training set.
        shared: Pictures that were in both sets and were removed from both.
        suspects: Images of unknown membership next to known members; empty otherwise.
        design: Which sets are compared, and what follows.
        known_suspects: Suspects next to known members that were left out, since they are in a known set.
    """

    positives: SampleSet
    nonmembers: SampleSet
    shared: tuple[Sample, ...] = field(default=())
    suspects: SampleSet = field(default=SampleSet(()))
    design: Design = MEMBERS
    known_suspects: int = 0

    @property
    def compared(self) -> tuple[Sample, ...]:
        """Positives first, then non-members."""
        return self.positives.samples + self.nonmembers.samples

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """``(n,)``, of the compared images."""
        return np.arange(len(self.compared)) < len(self.positives)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Positives first, then non-members, then suspects next to known members."""
        return self.compared + self.suspects.samples

    @property
    def sets(self) -> tuple[SampleSet, ...]:
        """Every set that was read."""
        return (self.positives, self.nonmembers, self.suspects)

    @property
    def labels(self) -> tuple[str, ...]:
        """``member``, ``nonmember`` or ``suspect`` for each of all images, as in the ``set`` column of the tables."""
        names = (self.design.label, "nonmember", "suspect")
        return tuple(name for name, part in zip(names, self.sets, strict=True) for _ in part.samples)

    @property
    def split_hash(self) -> str:
        """Hash of which ids are members and which are not, whatever their order."""
        digest = hashlib.sha256()
        for name, part in zip((self.design.label, "nonmember", "suspect"), self.sets, strict=True):
            for key in sorted(sample.id for sample in part.samples):
                digest.update(f"{name} {key}\n".encode())
        return digest.hexdigest()[:32]


def separate(
    positives: SampleSet, nonmembers: SampleSet, suspects: SampleSet | None = None, *, design: Design = MEMBERS
) -> AuditData:
    """Remove every picture that is in both sets, from both; from the suspects whatever is known.

    A picture said to be both is evidence for neither. Of images drawn at random, every copy of a picture goes: the
    model would have seen it if either had been drawn.

    Returns:
        Sets without a picture in common, each sorted by id.

    Raises:
        DataError: A set has nothing left.
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
    # by id, so that neither file names nor the order of a manifest decide anything that follows
    kept = tuple(sorted((s for s in part.samples if s.id not in ids), key=lambda s: s.id))
    if not kept:
        raise DataError(
            f"expected {name} that are not in {where}, but all {len(part)} of them are; "
            "pass sets without common pictures"
        )
    return SampleSet(kept, part.skipped, part.duplicates, part.copied)
