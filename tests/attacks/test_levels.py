"""At which noise levels an attack looks: given, by their ratio of signal to noise, or what suits the model."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from cases import a_batch, scored
from models import flow_target, gaussian_target, linear_schedule, target_of, v_target

from privaudit.attacks import ATTACKS, parse_attacks
from privaudit.attacks.base import LevelAttack
from privaudit.attacks.clid import Clid
from privaudit.attacks.flow_mc import FlowMc
from privaudit.attacks.loss import Loss
from privaudit.attacks.secmi import Secmi
from privaudit.attacks.sima import Sima
from privaudit.errors import ConfigError
from privaudit.model.schedule import DiffusionSchedule

LEVELLED = sorted(name for name, kind in ATTACKS.items() if issubclass(kind, LevelAttack))
every_attack = pytest.mark.parametrize("name", LEVELLED)


@every_attack
@pytest.mark.parametrize("head", ["epsilon", "sample"])
def test_models_of_noise_and_sample_get_the_grid(name, head):
    kind = ATTACKS[name]
    found = kind().for_target(gaussian_target(head))
    assert found.levels == kind.grid
    assert found.noise_levels == kind.grid


@every_attack
@pytest.mark.parametrize("target", [v_target(), flow_target()], ids=["v", "flow"])
def test_other_models_get_the_levels_nearest_to_a_log_snr(name, target):
    kind = ATTACKS[name]
    found = kind().for_target(target)
    assert found.log_snr == ()
    assert len(found.levels) == len(kind.log_snr_grid), "no two of them meet"
    for level, wanted in zip(found.levels, kind.log_snr_grid, strict=True):
        distances = [abs(target.schedule.log_snr(other) - wanted) for other in range(target.schedule.last + 1)]
        assert level == distances.index(min(distances))


@every_attack
def test_log_snr_means_the_same_on_models_of_other_schedules(name):
    wanted = (2.0, 0.0)
    for target in (gaussian_target(), flow_target()):
        found = ATTACKS[name](log_snr=wanted).for_target(target)
        assert [target.schedule.log_snr(level) for level in found.levels] == pytest.approx(wanted, abs=0.02)


def test_a_flow_has_as_much_signal_as_noise_at_its_middle():
    assert Sima(log_snr=(0.0,)).for_target(flow_target()).levels == (500,)


@every_attack
def test_given_levels_are_taken_as_they_are(name):
    for target in (gaussian_target(), v_target(), flow_target()):
        attack = ATTACKS[name](levels=(300, 20))
        assert attack.for_target(target) is attack


def test_columns_are_the_levels_and_their_names_are_what_was_asked():
    attack = Loss().for_target(gaussian_target())
    assert attack.candidates == tuple(map(float, Loss.grid))
    weights = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    assert Clid().for_target(v_target()).candidates == weights, "loss weights, in thousandths"


def short_target():
    """The hundred cleanest levels of a diffusion model."""
    denoiser = gaussian_target().denoiser
    return target_of(replace(denoiser, schedule=DiffusionSchedule(linear_schedule().alphas_cumprod[:100])))


@every_attack
def test_a_level_that_the_model_does_not_have_is_refused(name):
    attack = ATTACKS[name](levels=(20, 100))
    with pytest.raises(ConfigError, match=rf"^expected levels of {name} from 0 to 99 for this target, got 100$"):
        attack.for_target(short_target())


def zero_terminal_target():
    powers = (*linear_schedule().alphas_cumprod[:99], 0.0)
    return target_of(replace(gaussian_target().denoiser, schedule=DiffusionSchedule(powers)))


@every_attack
def test_a_level_without_signal_is_refused_and_never_chosen(name):
    with pytest.raises(
        ConfigError, match=rf"^expected levels of {name} up to 98 .*, got 99, where nothing of the image"
    ):
        ATTACKS[name](levels=(20, 99)).for_target(zero_terminal_target())
    for attack in (ATTACKS[name](), ATTACKS[name](log_snr=(1.0, -40.0))):
        assert max(attack.for_target(zero_terminal_target()).levels) <= 98


@every_attack
def test_wrong_levels_are_refused_all_at_once(name):
    with pytest.raises(ConfigError) as error:
        ATTACKS[name](levels=(50, 50, -10), log_snr=(1.0, 1.0))
    problems = " | ".join(error.value.problems)
    assert f"expected distinct levels for {name}, got (50, 50, -10)" in problems
    assert f"expected distinct log_snr for {name}, got (1.0, 1.0)" in problems
    assert f"expected levels >= 0 for {name}" in problems
    assert f"expected levels or log_snr for {name}, got both; leave one out" in problems


@every_attack
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_log_snr_that_is_no_number_is_refused(name, value):
    with pytest.raises(ConfigError, match="expected finite log_snr"):
        ATTACKS[name](log_snr=(value,))


@pytest.mark.parametrize("name", [name for name in LEVELLED if "flow model" not in ATTACKS[name].needs])
def test_a_short_schedule_still_has_levels_to_look_at(name):
    found = ATTACKS[name]().for_target(short_target())
    assert found.levels
    assert max(found.levels) <= 99
    assert len(set(found.levels)) == len(found.levels)


def test_levels_may_be_given_in_any_order():
    up, down = (scored(Sima(levels=levels), a_batch())["none"] for levels in ((20, 200), (200, 20)))
    assert up.tolist() == down.flip(1).tolist()


def test_secmi_cannot_go_less_than_a_step():
    with pytest.raises(ConfigError, match=r"^expected levels >= step = 10 for secmi, got \(5, 100\)$"):
        Secmi(levels=(5, 100))
    with pytest.raises(ConfigError, match="expected levels >= step = 100 for secmi"):
        Secmi(step=100).for_target(gaussian_target())


def test_a_flow_has_no_velocity_where_no_signal_is_left():
    with pytest.raises(
        ConfigError, match=r"^expected levels < 1000 for flow_mc, where some signal remains, got \(1000,\)$"
    ):
        FlowMc(levels=(1000,))


@pytest.mark.parametrize(
    ("spec", "target", "message"),
    [
        ("clid", gaussian_target(), "needs a text-to-image target, and this one takes no captions"),
        ("clid", gaussian_target(text=True), None),
        ("flow_mc", gaussian_target(), "needs a flow model, and this one predicts epsilon"),
        ("flow_mc", v_target(), "needs a flow model, and this one predicts v_prediction"),
        ("flow_mc", flow_target(), None),
        ("sima", flow_target(), None),
    ],
)
def test_an_attack_says_why_it_cannot_run(spec, target, message):
    assert parse_attacks([spec])[0].unsupported_reason(target) == message
