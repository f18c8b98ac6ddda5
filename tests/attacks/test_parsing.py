"""Attacks by name, preset and parameters, as they are given on the command line."""

from __future__ import annotations

import pytest

from privaudit.attacks import ATTACKS, parse_attacks
from privaudit.attacks.loss import Loss
from privaudit.attacks.parsing import DEFAULT
from privaudit.attacks.pian import Pian
from privaudit.attacks.secmi import Secmi
from privaudit.attacks.sima import Sima
from privaudit.errors import ConfigError


def test_none_means_the_default():
    assert tuple(attack.name for attack in parse_attacks(())) == DEFAULT


def test_the_default_needs_nothing_but_images():
    assert {need for attack in parse_attacks(()) for need in attack.needs} <= {"images"}


def test_all_means_every_registered_attack():
    found = [attack.name for attack in parse_attacks(["all"])]
    assert found == sorted(ATTACKS)


def test_all_can_stand_beside_presets():
    titles = [attack.label for attack in parse_attacks(["pia@paper", "all"])]
    assert titles == ["pia@paper", *sorted(ATTACKS)]


def test_parameters():
    assert parse_attacks(["sima:order=2:levels=50,100", "loss:draws=5", "secmi:log_snr=2,-0.5"]) == (
        Sima(order=2.0, levels=(50, 100)),
        Loss(draws=5),
        Secmi(log_snr=(2.0, -0.5)),
    )


def test_a_preset_is_in_the_title_and_parameters_override_it():
    (attack,) = parse_attacks(["loss@carlini:levels=50"])
    assert attack == Loss(preset="carlini", levels=(50,), draws=5)
    assert attack.label == "loss@carlini"
    assert Loss().label == "loss"


def test_presets_of_one_attack_can_run_beside_each_other():
    attacks = parse_attacks(["pian", "pian@code", "pian@eq"])
    assert [attack.label for attack in attacks] == ["pian", "pian@code", "pian@eq"]
    assert attacks[0] == Pian(size=attacks[1].size)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (
            ["simba"],
            f"expected an attack, one of {', '.join(sorted(ATTACKS))}, got simba; did you mean sima\\? "
            "See privaudit attacks",
        ),
        (["sima@paper"], r"expected a preset of sima \(ddpm, sd\), got 'paper' in sima@paper"),
        (["epsilon@paper"], "expected epsilon alone, which has no presets, got 'paper' in epsilon@paper"),
        (["sima:nope=1"], r"expected a parameter of sima \(levels, log_snr, order\), got 'nope' in sima:nope=1"),
        (["sima:preset=sd"], r"expected a parameter of sima \(levels, log_snr, order\), got 'preset'"),
        (["sima:levels=a,b"], r"expected levels=<tuple\[int, \.\.\.\]> in sima:levels=a,b, got 'a,b'"),
        (["loss:draws=0"], "expected draws >= 1 for loss, got 0"),
        (["sima", "sima"], "expected each attack once, got sima twice with the same parameters"),
        (["sima", "sima:order=4"], "expected each attack once, got sima twice with the same parameters"),
        (["sima", "all"], "expected each attack once, got sima twice"),
        (["sima:order=2,2"], "expected each attack once, got sima:order=2 twice; leave one out"),
        (["sima:order=2,4", "sima:order=2"], "expected each attack once, got sima:order=2 twice; leave one out"),
        (["sima:order=2,x"], "expected order=<float> in sima:order=x, got 'x'"),
    ],
)
def test_errors_say_what_to_do(specs, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse_attacks(specs)


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as error:
        parse_attacks(["simba", "sima:x=1:order=q", "pia@nope"])
    assert len(error.value.problems) == 4


def test_log_snr_stands_in_for_the_levels_of_a_preset():
    (attack,) = parse_attacks(["loss@matsumoto:log_snr=1"])
    assert (attack.levels, attack.log_snr, attack.label) == ((), (1.0,), "loss@matsumoto")


@pytest.mark.parametrize(
    ("specs", "titles", "lines"),
    [
        (["sima", "sima:order=2"], ["sima", "sima:order=2"], ["sima", "sima:order=2"]),
        (["pia@sd", "pia@sd:order=2"], ["pia@sd", "pia@sd:order=2"], ["pia@sd", "pia@sd:order=2"]),
        (["sima:order=2,4", "pia"], ["sima:order=2", "sima:order=4", "pia"], ["sima", "sima", "pia"]),
        (
            ["loss:draws=1,2:levels=20,50", "loss"],
            ["loss:draws=1:levels=20,50", "loss:draws=2:levels=20,50", "loss"],
            ["loss:draws=1,2:levels=20,50"] * 2 + ["loss"],
        ),
        (["loss:order=1,2:draws=1,3"], [f"loss:order={o}:draws={d}" for o in (1, 2) for d in (1, 3)], ["loss"] * 4),
    ],
)
def test_attacks_of_one_name_have_their_parameters_in_the_title(specs, titles, lines):
    found = parse_attacks(specs)
    assert [attack.label for attack in found] == titles
    assert [attack.report_name for attack in found] == lines


def test_several_values_of_a_parameter_are_that_many_attacks():
    two, four = parse_attacks(["sima:order=2,4:levels=50,100"])
    assert (two.order, four.order) == (2.0, 4.0)
    assert two.levels == four.levels == (50, 100)
