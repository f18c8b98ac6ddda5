"""How the image sets of an audit were read, for its report."""

from __future__ import annotations

from privaudit.auditing.audit_data import AuditData
from privaudit.data import SampleSet
from privaudit.model.target import Target
from privaudit.results.data_report import LeftOutReport, SetReport


def set_reports(data: AuditData, target: Target) -> tuple[SetReport, ...]:
    """Describe how every set was read.

    Args:
        data: The image sets.
        target: The audited model, whose text encoders may cut captions.

    Returns:
        One report per set; suspects next to known members are the last.
    """
    named = zip((data.design.code, "nonmembers", "suspects"), data.sets, strict=True)
    return tuple(
        _describe(name if name != "canaries" else "members", part, target) for name, part in named if part.layout
    )


def _describe(name: str, part: SampleSet, target: Target) -> SetReport:
    captions = [sample.caption for sample in part.samples if sample.caption]
    read = target.takes_captions and target.conditioner is not None
    return SetReport(
        name,
        part.layout,
        len(part),
        len(captions),
        sum(sample.caption is None for sample in part.samples),
        sum(sample.captions > 1 for sample in part.samples),
        target.conditioner.cut(captions) if read and target.conditioner else 0,
        part.captions.source,
        part.captions.unused,
        tuple(LeftOutReport(item.kind, item.suffix, item.count) for item in part.left_out),
    )
