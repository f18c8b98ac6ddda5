from __future__ import annotations

import pytest

from privaudit.attacks import REGISTRY, parse_attacks
from privaudit.attacks.loss import Loss
from privaudit.attacks.sima import Sima
from privaudit.errors import ConfigError


def test_none_means_all():
    assert [attack.name for attack in parse_attacks(())] == sorted(REGISTRY)


def test_parameters():
    assert parse_attacks(["sima:order=2:levels=50,100", "loss:draws=5"]) == (
        Sima(order=2.0, levels=(50, 100)),
        Loss(draws=5),
    )


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["simba"], "expected an attack of loss, pia, sima, got simba; see privaudit attacks"),
        (["sima:nope=1"], "expected a parameter of sima .order, levels., got 'nope'"),
        (["sima:levels=a,b"], "expected levels=<tuple.int, ....> in sima:levels=a,b, got 'a,b'"),
        (["loss:draws=0"], "draws >= 1"),
        (["sima", "sima:order=2"], "each attack once, got sima twice"),
    ],
)
def test_errors_say_what_to_do(specs, message):
    with pytest.raises(ConfigError, match=message):
        parse_attacks(specs)


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as error:
        parse_attacks(["simba", "sima:x=1:order=q"])
    assert len(error.value.problems) == 3
