"""Checks that a model is read as it was trained, on errors whose law is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.evaluation.reading_checks import (
    CONDITION,
    FACTORS,
    PREDICTION,
    READING_CHECKS,
    SCALE,
    ModelFit,
    fit_checks,
    needs_factors,
)

SCALES = ((0.976, 0.218), (0.707, 0.707), (0.218, 0.976))
IMAGES = 40


def errors(*ratios: float, power: float = 1.0, seed: int = 0) -> np.ndarray:
    """Errors of 40 images at three levels, as fractions of a linear guess's, with 5 % of noise."""
    linear = np.array([a**2 * power / (a**2 * power + s**2) for a, s in SCALES])
    return linear * np.array(ratios) * (1 + 0.05 * np.random.default_rng(seed).standard_normal((IMAGES, 3)))


def a_fit(**changes: object) -> ModelFit:
    right = ModelFit(
        power=np.ones(IMAGES),
        recorded=errors(0.3, 0.2, 0.4),
        null=errors(0.31, 0.21, 0.41, seed=1),
        heads={"v_prediction": errors(0.35, 0.9, 1.7), "sample": errors(90, 4, 2)},
        times={-1.0: errors(0.36, 0.28, 0.46), 1.0: errors(0.35, 0.3, 0.5)},
        factors={},
        scales=SCALES,
        prediction_type="epsilon",
        prompted=True,
    )
    return replace(right, **changes)


def checks(fit: ModelFit) -> dict[str, tuple[str, list[str]]]:
    return {check.name: (check.status, [each.code for each in check.facts]) for check in fit_checks(fit)}


def test_a_model_that_is_read_right_passes() -> None:
    assert not needs_factors(a_fit())
    assert checks(a_fit()) == {
        SCALE: ("ok", ["latent_scale_usual"]),
        PREDICTION: ("ok", ["better_than_linear"]),
        CONDITION: ("ok", ["prompts_fit"]),
    }
    assert tuple(checks(a_fit())) == READING_CHECKS
    assert CONDITION not in checks(a_fit(prompted=False))


def test_ratios_are_relative_to_the_best_linear_guess_of_these_latents() -> None:
    # at equal scales of signal and noise, latents of mean square 4 leave a linear guess 4/5 of the noise's variance
    fit = a_fit(power=np.full(IMAGES, 4.0), recorded=np.tile([1.0, 0.4, 1.0], (IMAGES, 1)))
    assert fit.ratios(fit.recorded)[1] == pytest.approx(0.5)
    assert fit.ratios(fit.recorded, factor=0.5)[1] == pytest.approx(0.8)
    assert fit.rms == 2.0
    assert fit.log_snr(1) == 0.0


def test_worse_than_a_linear_guess_fails_and_asks_for_other_scales() -> None:
    bad = a_fit(recorded=errors(0.4, 0.4, 1.4), times={})
    assert needs_factors(bad)
    assert checks(bad)[PREDICTION] == ("fail", ["worse_than_linear"])


@pytest.mark.parametrize("head", ["v_prediction", "sample"])
def test_another_head_that_fits_better_is_named(head: str) -> None:
    tried = {head: errors(0.3, 0.2, 0.4), "other": errors(9, 9, 9)}
    swapped = a_fit(recorded=errors(0.4, 0.9, 0.95), heads=tried, times={})
    (fact,) = next(check for check in fit_checks(swapped) if check.name == PREDICTION).facts
    assert (fact.code, fact.values["other"], fact.values["recorded"]) == ("other_head_fits", head, "epsilon")


def test_a_schedule_that_is_wrong_at_one_end_alone_fails() -> None:
    shifted = a_fit(times={-1.0: errors(0.36, 0.33, 0.63), 1.0: errors(0.48, 0.2, 0.3)})
    (fact,) = next(check for check in fit_checks(shifted) if check.name == PREDICTION).facts
    assert (fact.code, fact.values["offset"]) == ("other_time_fits", 1.0)
    assert fact.values["log_snr"] == pytest.approx(-3.0, abs=0.1)
    assert fact.values["factor"] == pytest.approx(0.75, abs=0.02)


def test_an_unusual_scale_fails_if_the_network_is_better_at_another() -> None:
    power = np.full(IMAGES, 0.36**2)
    tried = {factor: errors(0.9, 0.9, 1.2, power=0.36**2 * factor**2) for factor in FACTORS}
    small = a_fit(power=power, recorded=errors(0.6, 0.7, 0.95, power=0.36**2), heads={}, times={}, factors=tried)
    assert needs_factors(small)
    assert checks(small)[SCALE] == ("warn", ["latent_scale_unusual"])
    wrong = replace(small, factors=tried | {4.0: errors(0.3, 0.2, 0.4, power=0.36**2 * 16)})
    (fact,) = fit_checks(wrong)[0].facts
    assert (fact.code, fact.values["factor"]) == ("other_scale_fits", 4.0)
    assert fact.values["rms"] == pytest.approx(0.36)


@pytest.mark.parametrize(("worse", "status"), [(1.0, "ok"), (1.005, "ok"), (1.1, "fail")])
def test_prompts_that_worsen_the_prediction_fail(worse: float, status: str) -> None:
    null = errors(0.3, 0.2, 0.4)
    assert checks(a_fit(null=null, recorded=null * worse))[CONDITION][0] == status


def test_a_loss_that_could_be_chance_does_not_fail() -> None:
    few = a_fit(
        power=np.ones(3),
        recorded=np.array([[0.3, 0.2, 0.4], [0.5, 0.3, 0.5], [0.2, 0.1, 0.3]]),
        null=np.array([[0.3, 0.2, 0.5], [0.3, 0.2, 0.4], [0.2, 0.1, 0.3]]),
        heads={},
        times={},
    )
    assert checks(few)[CONDITION][0] == "ok"
    alone = replace(few, power=few.power[:1], recorded=few.recorded[:1], null=few.null[:1] / 2)
    assert checks(alone)[CONDITION][0] == "ok"


def test_a_model_without_a_null_prompt_has_no_condition_check() -> None:
    assert CONDITION not in checks(a_fit(null=np.full((IMAGES, 3), np.nan)))


def test_latents_that_vanish_fail_and_nothing_is_divided_by_them() -> None:
    empty = a_fit(power=np.zeros(IMAGES))
    assert not needs_factors(empty)
    assert checks(empty) == {SCALE: ("fail", ["latents_vanish"]), PREDICTION: ("fail", ["not_measured"])}


def test_an_alternative_that_gives_no_number_is_no_better() -> None:
    heads = {"sample": np.full((IMAGES, 3), np.nan), "v_prediction": errors(0.35, 0.9, 1.7)}
    assert checks(a_fit(heads=heads))[PREDICTION][0] == "ok"
