"""A design: which sets an audit compares, what they are called, and what follows from their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from privaudit.auditing.options import AuditOptions
from privaudit.data.listing import ListedImage
from privaudit.data.samples import list_images
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
    """One set, as its folder or manifest names it.

    Attributes:
        name: Name in progress and messages.
        source: Where it is listed.
        entries: Its images; none has been opened.
    """

    name: str
    source: Path
    entries: tuple[ListedImage, ...]


@dataclass(frozen=True)
class Sources:
    """The sets of an audit before they are read.

    Attributes:
        design: What is compared.
        sets: Positives, non-members and, in some designs, suspects next to known members.
    """

    design: Design
    sets: tuple[Listed, ...]

    @property
    def entries(self) -> tuple[ListedImage, ...]:
        """Every image."""
        return tuple(entry for listed in self.sets for entry in listed.entries)


@dataclass(frozen=True)
class Judgement:
    """What a design says in addition to what every audit says of its two sets.

    Attributes:
        conclusion: How the verdict speaks of them.
        checks: Further checks, which leave the verdict as it is.
        suspects: The test of the images of unknown membership.
        canaries: The one-run audit of images drawn at random.
        tables: Further tables of the run folder, by file name.
    """

    conclusion: Conclusion = field(default=Conclusion())
    checks: tuple[Check, ...] = ()
    suspects: SuspectReport | None = None
    canaries: CanaryReport | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """Which sets are compared, and what follows.

    Attributes:
        code: Name of the positives in report.json and in messages.
        options: Options that name the sets, in the order in which the sets are read.
        positives: Name of the positives in checks.
        label: Name of one of the positives in tables.
        tested: What a test of its own judges, which needs scores that were not learned from known membership; None
            without such a test.
    """

    code: ClassVar[DesignCode]
    options: ClassVar[tuple[str, ...]]
    positives: ClassVar[str]
    label: ClassVar[str] = "member"
    tested: ClassVar[str | None] = None

    @classmethod
    def facts(cls) -> DesignFacts:
        """Return what is known about the positives."""
        return DESIGN_FACTS[cls.code]

    @classmethod
    def list_sets(cls, options: AuditOptions) -> Sources:
        """List the images of every set.

        Returns:
            What will be read.

        Raises:
            DataError: A set lists no images, or its manifest is malformed.
        """
        places = {name: getattr(options, name) for name in cls.options}
        return Sources(cls(), tuple(Listed(name, path, tuple(list_images(path))) for name, path in places.items()))

    def require_enough(self, data: AuditData, together: Sequence[str | None]) -> None:
        """Refuse what would stop the judgement after all scores have been computed.

        Raises:
            DataError: There are too few images for a test of the design.
        """

    def judge(
        self, measured: Measurements, data: AuditData, split: Split, options: AuditOptions, checks: tuple[Check, ...]
    ) -> Judgement:
        """Judge what the design asks in addition to "do positives score higher than non-members".

        Returns:
            What the verdict and the report take from it; nothing unless a design overrides it.
        """
        return Judgement()
