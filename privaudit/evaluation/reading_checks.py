"""Whether a model was read as it was trained, judged by how well it predicts noise. Membership plays no part.

At a level with signal scale alpha and noise scale sigma, the best guess of the noise in z_t = alpha z_0 + sigma eps
that is linear in z_t, for latents of mean square v, has the error E|eps - eps_lin|^2 = alpha^2 v / (alpha^2 v +
sigma^2) per dimension. A trained network uses what images have in common and is better. Read with the wrong scale of
the latents, the wrong head or the wrong schedule, it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.facts import Check, fact

Floats = NDArray[np.float64]

FIT_IMAGES = 64
"""Images on which the reading of a model is checked: the first by id, which is a hash of the pixels."""
FIT_LOG_SNRS = (3.0, 0.0, -3.0)
"""Log SNR of the levels: little noise, as much as signal, and much."""
FIT_OFFSETS = (-1.0, 1.0)
"""Differences in log SNR at which the network is told the wrong time, to see whether that is the right one."""
FACTORS = (0.25, 0.5, 2**-0.5, 2**0.5, 2.0, 4.0)
"""Factors on the latents that are tried if their scale is unusual."""
USUAL_RMS = (0.8, 1.25)
"""Root mean square of latents that needs no second look; autoencoders are scaled for 1."""
ACCEPTED_RMS = (0.5, 2.0)
"""Beyond these it is mentioned even if the network predicts best at this scale."""
CLEARLY_BETTER = 0.9
"""An alternative reading has to lower the relative error to this fraction to be preferred."""
MIN_PROMPT_Z = 4.0
"""Standard errors by which prompts must worsen the prediction before the check fails."""
MAX_PROMPT_RATIO = 1.01
"""Error with prompts, relative to that without, that is accepted however certain it is."""
SCALE, PREDICTION, CONDITION = "latent scale", "prediction", "condition"
"""Names of the checks."""
READING_CHECKS = (SCALE, PREDICTION, CONDITION)


@dataclass(frozen=True)
class ModelFit:
    """Errors of predicted noise of some images, under the recorded reading of a model and under others.

    Attributes:
        power: Mean squared latent of each image, ``(n,)``.
        recorded: Mean squared errors, ``(n, levels)``.
        null: The same, asked with the null prompt, ``(n, levels)``; NaN for a model without one.
        heads: The same by other prediction types, each ``(n, levels)``.
        times: The same by difference in log SNR of the time that the network was told, each ``(n, levels)``.
        factors: The same by factor on the latents, each ``(n, levels)``; empty if none was tried.
        scales: Signal and noise scale of each level.
        prediction_type: Prediction type as which the network is read.
        prompted: Whether an image has a prompt that the model reads.
    """

    power: Floats
    recorded: Floats
    null: Floats
    heads: Mapping[str, Floats]
    times: Mapping[float, Floats]
    factors: Mapping[float, Floats]
    scales: Sequence[tuple[float, float]]
    prediction_type: str
    prompted: bool

    @property
    def rms(self) -> float:
        """Root mean square of the latents."""
        return float(np.sqrt(self.power.mean()))

    def log_snr(self, level: int) -> float:
        """Return the log SNR of a level, by its position."""
        alpha, sigma = self.scales[level]
        return float(2.0 * np.log(alpha / sigma))

    def ratios(self, errors: Floats, factor: float = 1.0) -> Floats:
        """Divide mean errors by those of the best linear guess, ``(levels,)``."""
        power = self.power.mean() * factor**2
        linear = [alpha**2 * power / (alpha**2 * power + sigma**2) for alpha, sigma in self.scales]
        return np.asarray(errors.mean(axis=0) / np.asarray(linear), dtype=np.float64)


def failed_readings(checks: Iterable[Check]) -> tuple[str, ...]:
    """Name the failed checks of how the audited model was read."""
    return tuple(check.name for check in checks if check.name in READING_CHECKS and check.status == "fail")


def needs_factors(fit: ModelFit) -> bool:
    """Whether other scales of the latents should be tried: theirs is unusual, or the network predicts badly."""
    low, high = USUAL_RMS
    if not fit.rms:
        return False
    return not low <= fit.rms <= high or bool((fit.ratios(fit.recorded) > 1.0).any())


def fit_checks(fit: ModelFit) -> tuple[Check, ...]:
    """Check scale of the latents, prediction of the network and, if there are prompts, what they change."""
    checks = (scale_check(fit), prediction_check(fit))
    has_null = bool(np.isfinite(fit.null).all())
    return (*checks, condition_check(fit)) if fit.prompted and has_null and fit.rms else checks


def scale_check(fit: ModelFit) -> Check:
    """Whether the network predicts best at the recorded scale of the latents.

    Returns:
        ``fail`` if it is clearly better at another scale; ``warn`` if the scale is unusual all the same; else ``ok``.
    """
    low, high = ACCEPTED_RMS
    if not fit.rms:
        return Check(SCALE, "fail", (fact("latents_vanish"),))
    recorded = _overall(fit.ratios(fit.recorded))
    errors = {factor: _overall(fit.ratios(values, factor)) for factor, values in fit.factors.items()}
    best = min(errors, key=lambda factor: errors[factor], default=1.0)
    # Worse than a linear guess at every scale, a network suggests none.
    if errors and errors[best] < min(1.0, CLEARLY_BETTER * recorded):
        better = fact("other_scale_fits", rms=fit.rms, factor=float(best), error=errors[best], recorded=recorded)
        return Check(SCALE, "fail", (better,))
    if not low <= fit.rms <= high:
        return Check(SCALE, "warn", (fact("latent_scale_unusual", rms=fit.rms),))
    return Check(SCALE, "ok", (fact("latent_scale_usual", rms=fit.rms),))


def prediction_check(fit: ModelFit) -> Check:
    """Whether the network predicts noise better than a linear guess, and best with its head and schedule.

    Returns:
        ``fail`` if it does not.
    """
    if not fit.rms:  # there is nothing to tell noise from
        return Check(PREDICTION, "fail", (fact("not_measured"),))
    ratios = fit.ratios(fit.recorded)
    worst = int(ratios.argmax())
    facts = []
    if ratios[worst] > 1.0:
        facts.append(fact("worse_than_linear", log_snr=fit.log_snr(worst), ratio=float(ratios[worst])))
    heads = {head: _overall(fit.ratios(values)) for head, values in fit.heads.items()}
    best = min(heads, key=lambda head: heads[head], default=fit.prediction_type)
    if heads and heads[best] < min(1.0, CLEARLY_BETTER * _overall(ratios)):
        facts.append(
            fact(
                "other_head_fits",
                recorded=fit.prediction_type,
                other=best,
                error=heads[best],
                recorded_error=_overall(ratios),
            )
        )
    # A wrong schedule may have too much noise at one end and too little at the other, so each level counts by itself.
    factor, level, offset = min(
        ((errors / ratios)[level], level, offset)
        for offset, errors in ((0.0, ratios), *((offset, fit.ratios(values)) for offset, values in fit.times.items()))
        for level in range(len(ratios))
    )
    if factor < CLEARLY_BETTER:
        facts.append(fact("other_time_fits", log_snr=fit.log_snr(level), offset=offset, factor=float(factor)))
    if facts:
        return Check(PREDICTION, "fail", tuple(facts))
    return Check(PREDICTION, "ok", (fact("better_than_linear", ratio=float(ratios[worst])),))


def condition_check(fit: ModelFit) -> Check:
    """Whether captions or labels help the network, as they do if they are read as in training.

    Returns:
        ``fail`` if they clearly make the prediction worse.
    """
    linear = fit.recorded.mean(axis=0) / fit.ratios(fit.recorded)
    prompted, null = ((errors / linear).mean(axis=1) for errors in (fit.recorded, fit.null))
    loss = prompted - null
    ratio = float(prompted.mean() / null.mean())
    error = float(loss.std(ddof=1) / np.sqrt(loss.size)) if loss.size > 1 else float("inf")
    if ratio > MAX_PROMPT_RATIO and float(loss.mean()) > MIN_PROMPT_Z * error:
        return Check(CONDITION, "fail", (fact("prompts_worsen", ratio=ratio),))
    return Check(CONDITION, "ok", (fact("prompts_fit", ratio=ratio),))


def _overall(ratios: Floats) -> float:
    """Geometric mean over the levels, so that each counts alike whatever its error."""
    known = np.nan_to_num(ratios, nan=np.inf)  # an alternative that gives no number is no better
    return float(np.exp(np.log(np.maximum(known, 1e-12)).mean()))
