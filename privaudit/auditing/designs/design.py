"""Base class of the designs: which sets an audit compares, what they are called, and how their scores are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from privaudit.auditing.options import AuditOptions
from privaudit.data.listed import ListedImage, Listing
from privaudit.data.samples import list_images
from privaudit.errors import DataError, SetsError
from privaudit.evaluation import Check, Conclusion
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.evaluation.suspects import SuspectReport
from privaudit.results.data_report import DESIGN_FACTS, DesignCode, DesignFacts

if TYPE_CHECKING:
    from privaudit.auditing.assess.folds import Split
    from privaudit.auditing.audit_data import AuditData
    from privaudit.auditing.measurements import Measurements


@dataclass(frozen=True)
class Listed:
    """One image set, as listed by its folder or manifest.

    Attributes:
        name: Name in progress and messages.
        source: Folder or manifest.
        listing: Images of the set, not yet opened, and what was left out.
    """

    name: str
    source: Path
    listing: Listing

    @property
    def entries(self) -> tuple[ListedImage, ...]:
        """Images of the set."""
        return self.listing.entries


@dataclass(frozen=True)
class Sources:
    """The sets of an audit before they are read.

    Attributes:
        design: Design of the audit.
        sets: Positives, non-members and, in some designs, suspects next to known members.
    """

    design: Design
    sets: tuple[Listed, ...]

    @property
    def entries(self) -> tuple[ListedImage, ...]:
        """Images of all sets."""
        return tuple(entry for listed in self.sets for entry in listed.entries)


@dataclass(frozen=True)
class Judgement:
    """Results of a design in addition to those that every audit has for its two sets.

    Attributes:
        conclusion: How the verdict decides the finding and gates on epsilon.
        checks: Further checks, which do not affect the verdict.
        suspects: Test of the images of unknown membership.
        canaries: One-run audit of images drawn at random.
        tables: Further tables of the run folder, by file name.
    """

    conclusion: Conclusion = field(default=Conclusion())
    checks: tuple[Check, ...] = ()
    suspects: SuspectReport | None = None
    canaries: CanaryReport | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """Base class of the designs.

    Attributes:
        code: Name of the positives in report.json and in messages.
        options: Options that name the sets, in the order in which the sets are read.
        positives: Name of the positives in checks.
        label: Name of a single positive in tables.
        tested: Images judged by a test of the design, which needs scores that do not learn from known membership; None
            without such a test.
    """

    code: ClassVar[DesignCode]
    options: ClassVar[tuple[str, ...]]
    positives: ClassVar[str]
    label: ClassVar[str] = "member"
    tested: ClassVar[str | None] = None

    @classmethod
    def facts(cls) -> DesignFacts:
        """Return the facts that are known about the positives."""
        return DESIGN_FACTS[cls.code]

    @classmethod
    def list_sets(cls, options: AuditOptions) -> Sources:
        """List the images of every set.

        Args:
            options: Options of the audit, which name the sets.

        Returns:
            The sets, to be read later.

        Raises:
            SetsError: A set lists no images, or its manifest is malformed; names all such sets.
        """
        sets: list[Listed] = []
        problems: list[str] = []
        for name in cls.options:
            path = getattr(options, name)
            try:
                sets.append(Listed(name, path, list_images(path, options.caption_choices)))
            except DataError as error:
                problems += [f"{problem} (`{name}`)" for problem in error.problems]
        if problems:
            raise SetsError(*problems)
        return Sources(cls(), tuple(sets))

    def require_enough(self, data: AuditData, together: Sequence[str | None]) -> None:
        """Refuse sets that are too small for the judgement, before any score is computed.

        Args:
            data: The image sets.
            together: Unit of each image (see `Split.units`).

        Raises:
            DataError: There are too few images for a test of the design.
        """

    def judge(
        self, measured: Measurements, data: AuditData, split: Split, options: AuditOptions, checks: tuple[Check, ...]
    ) -> Judgement:
        """Judge what the design asks in addition to whether positives score higher than non-members.

        Args:
            measured: Measurements of all images.
            data: The image sets.
            split: Folds and units of the images.
            options: Options of the audit.
            checks: Checks of the audit.

        Returns:
            Further results for the verdict and the report; empty by default.
        """
        return Judgement()
