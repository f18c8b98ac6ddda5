"""What --attack names: attacks, scorers, everything."""

from __future__ import annotations

import pytest

from privaudit.attacks import ATTACKS
from privaudit.attacks.parsing import DEFAULT as DEFAULT_ATTACKS
from privaudit.errors import ConfigError
from privaudit.scorers import DEFAULT, SCORERS, parse_methods


def titles(specs) -> tuple[list[str], list[str]]:
    methods = parse_methods(specs)
    return [attack.label for attack in methods.attacks], [scorer.label for scorer in methods.scorers]


def test_nothing_asked_for_is_the_default_with_the_combination():
    assert titles([]) == titles(DEFAULT) == (list(DEFAULT_ATTACKS), ["combined"])


def test_attacks_alone_have_no_scorer():
    assert titles(["loss", "pian@eq"]) == (["loss", "pian@eq"], [])


def test_a_scorer_alone_is_made_of_the_default_attacks():
    assert titles(["conditioned"]) == (list(DEFAULT_ATTACKS), ["conditioned"])


def test_all_is_everything_there_is():
    assert titles(["all"]) == (sorted(ATTACKS), sorted(SCORERS))


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["simba"], "expected an attack, one of .*combined.*, got simba; did you mean sima\\? See privaudit attacks"),
        (["combined", "combined"], "expected each attack once, got combined twice"),
        (["combined:x=1"], "expected a parameter of combined"),
        (["sima", "all"], "got sima twice"),
    ],
)
def test_what_is_wrong_is_named(specs, message):
    with pytest.raises(ConfigError, match=message):
        parse_methods(specs)
