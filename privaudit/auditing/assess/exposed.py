"""The images that the quoted attack recognises most clearly, and where the decoder's influence lies in them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import Measurements
from privaudit.data import load_images
from privaudit.decoder_geometry import resample
from privaudit.evaluation import Verdict
from privaudit.results.audit_result import AttackReport, InfluenceReport
from privaudit.results.exemplars import Exemplar

EXPOSED_FRACTION = 0.05
"""Fraction of the positives, the most exposed ones, whose influence is averaged."""
MIN_IMAGES = 20
"""Minimum number of images in that average, so that no single image can be recognised in it."""
MAX_EXEMPLARS = 8
"""Maximum number of images that are shown one by one, in reports that may show images."""
THUMBNAIL_SIDE = 160
"""Maximum width and height of a thumbnail in pixels."""


@dataclass(frozen=True)
class Exposed:
    """Positives, ordered by the score of an attack.

    Attributes:
        attack: Attack whose unmasked score ranks them.
        order: Positions of the positives among the compared images, highest score first.
        scores: Scores of all compared images, ``(n,)``.
    """

    attack: str
    order: NDArray[np.int64]
    scores: NDArray[np.float64]


def most_exposed(data: AuditData, scores: pd.DataFrame, attacks: tuple[AttackReport, ...], verdict: Verdict) -> Exposed:
    """Rank the positives by the attack that the finding quotes, or else by the one with the largest AUROC."""
    areas = {report.name: np.nan_to_num(report.masks["none"].auroc.value) for report in attacks}
    attack = verdict.finding.attack
    name = attack if attack in areas else max(areas, key=lambda each: areas[each])
    is_ranking = (scores["attack"] == name) & (scores["mask"] == "none")
    ranking_scores = scores[is_ranking]["score"].to_numpy(np.float64)
    # positives come first among the compared images
    return Exposed(name, np.argsort(-ranking_scores[: len(data.positives)], kind="stable"), ranking_scores)


def influence_report(measured: Measurements, exposed: Exposed) -> InfluenceReport:
    """Average the influence over all compared images, and over the most exposed positives."""
    count = min(len(exposed.order), max(MIN_IMAGES, round(EXPOSED_FRACTION * len(exposed.order))))
    compared = slice(len(exposed.scores))
    return InfluenceReport(
        everywhere=_rows(measured.geometry.maps[compared].mean(axis=0)),
        exposed=_rows(measured.geometry.maps[exposed.order[:count]].mean(axis=0)),
        images=count,
        attack=exposed.attack,
        channels=tuple(round(float(fraction), 6) for fraction in measured.geometry.channels[compared].mean(axis=0)),
    )


def exemplars(data: AuditData, measured: Measurements, exposed: Exposed, size: tuple[int, int]) -> tuple[Exemplar, ...]:
    """Describe the most exposed positives one by one.

    Args:
        data: The image sets.
        measured: Their measurements.
        exposed: Positives by score.
        size: Height and width of images whose own size is unknown.

    Returns:
        At most `MAX_EXEMPLARS` images, each with a thumbnail and a map of its shape.
    """
    others = exposed.scores[len(data.positives) :]
    largest = [max(sides) for sides in zip(*(sample.size or size for sample in data.samples), strict=True)]
    described = []
    for position in exposed.order[:MAX_EXEMPLARS]:
        sample, score = data.positives.samples[position], float(exposed.scores[position])
        of_sample = sample.size or size
        if not np.isfinite(score):
            continue
        described.append(
            Exemplar(
                id=sample.id,
                path=str(sample.path),
                label=sample.label,
                attack=exposed.attack,
                score=score,
                beaten=float((others < score).mean()),
                influence=_rows(_in_proportion(measured.geometry.maps[position], of_sample, largest)),
                thumbnail=_thumbnail(load_images([sample], of_sample)[0]),
            )
        )
    return tuple(described)


def _in_proportion(values: NDArray[np.floating], size: tuple[int, int], largest: Sequence[int]) -> NDArray[np.floating]:
    """Give a map, which has one shape for images of all sizes (see `same_shape`), the shape of its image again."""
    height, width = (
        max(1, round(count * side / limit)) for count, side, limit in zip(values.shape, size, largest, strict=True)
    )
    return resample(torch.from_numpy(values[None]), (height, width))[0].numpy()


def _rows(values: NDArray[np.floating]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 4) for value in row) for row in values)


def _thumbnail(pixels: NDArray[np.floating]) -> str:
    """Encode an image ``(3, height, width)`` in [-1, 1] as a small PNG in base64."""
    image = Image.fromarray(np.clip((pixels.transpose(1, 2, 0) + 1.0) * 127.5 + 0.5, 0, 255).astype(np.uint8))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")
