"""The images that the quoted attack recognises most clearly, and where the decoder is sensitive to them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import Measurements
from privaudit.data import load_images
from privaudit.evaluation import Verdict
from privaudit.results.audit_result import AttackReport, InfluenceReport
from privaudit.results.exemplars import Exemplar

EXPOSED_SHARE = 0.05
"""Share of the positives whose influence is averaged."""
MIN_IMAGES = 20
"""Minimum number of images that an average is taken over, so that none of them shows."""
EXEMPLARS = 8
"""Images that are shown one by one, in reports that may show images."""
SIDE = 160
"""Pixels along the longer side of a thumbnail."""


@dataclass(frozen=True)
class Exposed:
    """Positives in the order in which an attack recognises them.

    Attributes:
        attack: Attack whose unmasked score ranks them.
        order: Positions of the positives among the compared images, the clearest first.
        scores: Scores of all compared images, ``(n,)``.
    """

    attack: str
    order: NDArray[np.int64]
    scores: NDArray[np.float64]


def most_exposed(data: AuditData, scores: pd.DataFrame, attacks: tuple[AttackReport, ...], verdict: Verdict) -> Exposed:
    """Rank the positives by the attack that the finding quotes, or else by the one of largest AUROC."""
    areas = {report.name: np.nan_to_num(report.masks["none"].auroc.value) for report in attacks}
    attack = verdict.finding.attack
    name = attack if attack in areas else max(areas, key=lambda each: areas[each])
    own = scores[(scores["attack"] == name) & (scores["mask"] == "none")]["score"].to_numpy(np.float64)
    return Exposed(name, np.argsort(-own[: len(data.positives)], kind="stable"), own)


def influence_report(measured: Measurements, exposed: Exposed) -> InfluenceReport:
    """Average the influence over all compared images, and over the most exposed positives."""
    count = min(len(exposed.order), max(MIN_IMAGES, round(EXPOSED_SHARE * len(exposed.order))))
    compared = slice(len(exposed.scores))
    return InfluenceReport(
        everywhere=_rows(measured.geometry.maps[compared].mean(axis=0)),
        exposed=_rows(measured.geometry.maps[exposed.order[:count]].mean(axis=0)),
        images=count,
        attack=exposed.attack,
        channels=tuple(round(float(share), 6) for share in measured.geometry.channels[compared].mean(axis=0)),
    )


def exemplars(data: AuditData, measured: Measurements, exposed: Exposed, size: tuple[int, int]) -> tuple[Exemplar, ...]:
    """Describe the most exposed positives one by one."""
    others = exposed.scores[len(data.positives) :]
    found = []
    for position in exposed.order[:EXEMPLARS]:
        sample, score = data.positives.samples[position], float(exposed.scores[position])
        if not np.isfinite(score):
            continue
        found.append(
            Exemplar(
                id=sample.id,
                path=str(sample.path),
                label=sample.label,
                attack=exposed.attack,
                score=score,
                beaten=float((others < score).mean()),
                influence=_rows(measured.geometry.maps[position]),
                thumbnail=_thumbnail(load_images([sample], size)[0]),
            )
        )
    return tuple(found)


def _rows(values: NDArray[np.floating]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 4) for value in row) for row in values)


def _thumbnail(pixels: NDArray[np.floating]) -> str:
    """PNG in base64 of ``(3, height, width)`` in [-1, 1]."""
    picture = Image.fromarray(np.clip((pixels.transpose(1, 2, 0) + 1.0) * 127.5 + 0.5, 0, 255).astype(np.uint8))
    picture.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
