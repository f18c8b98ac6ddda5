"""How well the denoiser, as it was read, predicts noise: what tells a wrong scale or head from a right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from privaudit.auditing.stages.image_stage import ImageStage, ids_of
from privaudit.data import Sample, load_images
from privaudit.errors import TargetError
from privaudit.execution.batching import Tensors
from privaudit.execution.stage import Rows
from privaudit.loading.heads import EDM_TYPES, Reading, alternatives, reinterpret
from privaudit.model.condition import Condition
from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import FlowSchedule
from privaudit.model.target import require_finite


@dataclass(frozen=True, eq=False)
class NoisePrediction(ImageStage):
    """Mean squared errors of predicted noise under the recorded reading of a model, and under others.

    Membership plays no part: any image shows how well a denoiser predicts.

    Attributes:
        seed: Seed of the audit.
        log_snrs: Log SNR of the levels.
        offsets: Differences in log SNR: the network is also told the times of levels with that much more signal.
        factors: Factors on the latents that are tried in addition to 1.
        dtype: What the user asked the denoiser to run in.
        name: In progress and in the time by stage.
    """

    seed: int
    log_snrs: tuple[float, ...]
    offsets: tuple[float, ...]
    factors: tuple[float, ...]
    dtype: str
    name: str = "model fit"
    folder = "fit"

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return what decides the errors: the model, the levels, the noise."""
        key = {
            "target": self.target.info.hash,
            "autoencoder_dtype": str(self.target.dtype),
            "denoiser_dtype": self.dtype,
            "seed": self.seed,
            "log_snrs": self.log_snrs,
            "offsets": self.offsets,
            "factors": self.factors,
        }
        return {"": key}

    def item_key(self, item: Sample) -> str:
        """Return the id and the prompt."""
        return f"{item.id} {item.prompt}"

    @property
    def passes(self) -> int:
        """Denoiser passes per image."""
        prompted = 1 if self.target.conditioner is None else 2  # with and without prompts
        return len(self.log_snrs) * (prompted + len(self.offsets) + len(self.factors))

    @property
    def heads(self) -> tuple[str, ...]:
        """Prediction types that the output is read as in addition to the recorded one."""
        return alternatives(self.target.info.prediction_type, flow=isinstance(self.target.schedule, FlowSchedule))

    def compute(self, batch: Rows[Sample]) -> Tensors:
        """Return the mean squared latent and mean squared errors of the noise.

        Returns:
            ``power`` ``(n,)``; ``recorded`` and ``null`` (asked with the null prompt, NaN for a model without one)
            ``(n, levels)``; ``heads``, ``times`` and ``factors`` ``(n, levels, alternatives)``.
        """
        ids = ids_of(batch)
        images = torch.from_numpy(load_images(batch.items, self.target.info.image_size)).to(self.target.device)
        with torch.no_grad():
            latents = require_finite(self.target.encode(images), "encoder output", ids)
            condition = self.target.condition([sample.prompt for sample in batch.items])
            null = self._null_condition(len(ids))
            columns: dict[str, list[torch.Tensor]] = {
                name: [] for name in ("recorded", "null", "heads", "times", "factors")
            }
            for log_snr in self.log_snrs:
                level = self.target.schedule.nearest(log_snr)
                alpha, sigma = self.target.alpha_sigma(level)
                noise = normal_for(self.seed, ids, latents.shape[1:], "fit", level).to(latents.device)

                def error(predicted: torch.Tensor, noise: torch.Tensor = noise) -> torch.Tensor:
                    return (predicted - noise).square().flatten(1).mean(dim=1)

                noisy = alpha * latents + sigma * noise
                predicted = self.target.predict_noise(noisy, level, condition)
                require_finite(predicted, "denoiser output", ids)
                columns["recorded"].append(error(predicted))
                if null is None:
                    columns["null"].append(torch.full((len(ids),), torch.nan))
                else:
                    columns["null"].append(error(self.target.predict_noise(noisy, level, null)))
                recorded = (self.target.info.prediction_type, alpha, sigma)
                read = [reinterpret(predicted, noisy, recorded, (other, alpha, sigma)) for other in self.heads]
                columns["heads"].append(_columns([error(values) for values in read], predicted))
                shifted = [self._at_time_of(noisy, log_snr + offset, recorded, condition) for offset in self.offsets]
                times = [error(values) for values in shifted if values is not None]
                columns["times"].append(_columns(times, predicted))
                scaled = [factor * alpha * latents + sigma * noise for factor in self.factors]
                tried = [error(self.target.predict_noise(values, level, condition)) for values in scaled]
                columns["factors"].append(_columns(tried, predicted))
        power = latents.square().flatten(1).mean(dim=1)
        return {"power": power, **{name: torch.stack(values, dim=1) for name, values in columns.items()}}

    def _null_condition(self, count: int) -> Condition | None:
        """Embed the null prompt; None for a model that has none, such as one that has to be told a class."""
        try:
            return self.target.condition([Prompt()] * count)
        except TargetError:
            return None

    def _at_time_of(
        self, noisy: torch.Tensor, log_snr: float, recorded: Reading, condition: Condition | None
    ) -> torch.Tensor | None:
        """Predict the noise when the network is told the time of another level; None if it has no time of its own."""
        kind = recorded[0]
        if not self.heads or kind in EDM_TYPES:  # EDM scales its input by the level, too
            return None
        level = self.target.schedule.nearest(log_snr)
        noise = self.target.predict_noise(noisy, level, condition)
        return reinterpret(noise, noisy, (kind, *self.target.alpha_sigma(level)), recorded)


def _columns(values: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Stack ``(n,)`` tensors to ``(n, len(values))``, also if there are none."""
    return torch.stack(values, dim=1) if values else like.new_zeros((len(like), 0))
