"""The stages of an audit, configured by its options."""

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
"""Names of the tensors of the `Latents` stage, by the value of the options that choose between them."""


class AuditStages:
    """The stages of an audit, each with its own batch size.

    Attributes:
        pixels: Stage of the pixel statistics.
        latents: Stage of the latents.
        influence: Stage of the decoder's influence.
    """

    def __init__(self, target: Target, options: AuditOptions) -> None:
        """Create the stages.

        Args:
            target: The audited model.
            options: Options of the audit.
        """
        solver = options.solver if options.inverts else None
        pixels, latents, influence, self._score_batcher, self._fit_batcher = (
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
        """Create a stage that measures how well a model predicts noise.

        Args:
            target: The audited model.
            factors: Factors on the latents that are tried as well.

        Returns:
            The stage.
        """
        return NoisePrediction(
            target, self._fit_batcher, self._options.seed, FIT_LOG_SNRS, FIT_OFFSETS, factors, self._options.dtype
        )

    def scoring(self, name: str, target: Target, attacks: Sequence[Attack], masks: MaskSettings | None) -> Scoring:
        """Create a stage that scores attacks.

        Args:
            name: Name of the stage, ``scores`` or ``reference``.
            target: The model that is attacked: the audited one or the reference.
            attacks: Attacks to run.
            masks: Masks of the scores; None for scores without a mask.

        Returns:
            The stage.
        """
        options = self._options
        return Scoring(
            target,
            self._score_batcher,
            name,
            self.latents,
            AT[options.attack_latents],
            self.influence,
            tuple(attacks),
            masks,
            options.seed,
            options.dtype,
        )
