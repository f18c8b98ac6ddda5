"""The stages of one audit, as its options choose them."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.attacks import Attack
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.stages.decoder_influence import DecoderInfluence
from privaudit.auditing.stages.latents import Latents
from privaudit.auditing.stages.mask_settings import MaskSettings
from privaudit.auditing.stages.noise_prediction import NoisePrediction
from privaudit.auditing.stages.pixel_statistics import PixelStatistics
from privaudit.auditing.stages.scoring import Scoring
from privaudit.evaluation.reading_checks import FIT_LOG_SNRS, FIT_OFFSETS
from privaudit.execution.batching import Batcher
from privaudit.model.target import Target

AT = {"encoder": "encoded", "inversion": "inverted"}
"""Tensors of the `Latents` stage by what the options call them."""


class AuditStages:
    """The stages of an audit, each with a batcher of its own.

    Attributes:
        pixels: Pixel statistics.
        latents: Latents.
        influence: Influence of the decoder.
    """

    def __init__(self, target: Target, options: AuditOptions) -> None:
        """Make the stages."""
        solver = options.solver if options.inverts else None
        pixels, latents, influence, self._scores, self._fit = (
            Batcher.of(options.batch_size, target.info.image_size, target.device) for _ in range(5)
        )
        self._options = options
        self.pixels = PixelStatistics(target, pixels)
        self.latents = Latents(target, latents, solver)
        self.influence = DecoderInfluence(
            target,
            influence,
            self.latents,
            AT[options.geometry_latents],
            options.influence,
            options.seed,
            None if options.memory is None else int(options.memory * 2**30),
        )

    def noise_prediction(self, target: Target, factors: tuple[float, ...] = ()) -> NoisePrediction:
        """Return the stage that measures how well a model predicts noise, with further scales of the latents."""
        return NoisePrediction(
            target, self._fit, self._options.seed, FIT_LOG_SNRS, FIT_OFFSETS, factors, self._options.dtype
        )

    def scoring(self, name: str, target: Target, attacks: Sequence[Attack], masks: MaskSettings) -> Scoring:
        """Return the stage that scores attacks."""
        options = self._options
        return Scoring(
            target,
            self._scores,
            name,
            self.latents,
            AT[options.attack_latents],
            self.influence,
            tuple(attacks),
            masks,
            options.seed,
            options.dtype,
        )
