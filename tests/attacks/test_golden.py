"""Every attack against its slow transcription, in float64, for every head, on a nonlinear network told captions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from cases import a_batch, cases_of, scored, some_masks
from models import network_target, prompts
from reference import (
    clid_error,
    crop,
    epsilon_error,
    flow_mc_error,
    gsa_features,
    loss_error,
    mirror_error,
    pfami_error,
    pia_error,
    recon_error,
    rediffuse_error,
    secmi_error,
    sima_error,
)
from torch import nn

from privaudit.attacks import ATTACKS, parse_attacks
from privaudit.attacks.batch import crop_centre
from privaudit.attacks.clid import Clid
from privaudit.attacks.epsilon import Epsilon
from privaudit.attacks.flow_mc import FlowMc
from privaudit.attacks.gsa import Gsa
from privaudit.attacks.loss import Loss
from privaudit.attacks.mirror import Mirror
from privaudit.attacks.pfami import Pfami
from privaudit.attacks.pia import Pia
from privaudit.attacks.pian import Pian
from privaudit.attacks.recon import Recon
from privaudit.attacks.rediffuse import Rediffuse
from privaudit.attacks.secmi import Secmi
from privaudit.attacks.sima import Sima

NETWORK_HEADS = ("epsilon", "sample", "v_prediction", "flow")
ROWS = [0, 2, 3]
CAPTIONS = ("a red fox sleeping", None, "a house on a hill under dark clouds")
CODE, EQUATION = math.sqrt(2 / math.pi), math.sqrt(math.pi / 2)
BY_LEVEL = {
    "loss": (Loss(levels=(50, 350)), lambda case, level: loss_error(case, level)),
    "loss of three draws": (Loss(levels=(100,), draws=3), lambda case, level: loss_error(case, level, 3)),
    "sima": (Sima(levels=(0, 100)), lambda case, level: sima_error(case, level)),
    "sima of order 1.5": (Sima(levels=(20,), order=1.5), lambda case, level: sima_error(case, level, 1.5)),
    "epsilon": (Epsilon(levels=(20, 200), draws=3), lambda case, level: epsilon_error(case, level, 3)),
    "pia": (Pia(levels=(100, 300)), lambda case, level: pia_error(case, level)),
    "pia of order 1": (Pia(levels=(200,), order=1), lambda case, level: pia_error(case, level, 1)),
    "pian": (Pian(levels=(100, 300)), lambda case, level: pia_error(case, level, size=CODE)),
    "pian@eq": (Pian(levels=(200,), size=EQUATION), lambda case, level: pia_error(case, level, size=EQUATION)),
    "secmi": (Secmi(levels=(30, 100)), lambda case, level: secmi_error(case, level, 10)),
    "secmi of one step": (Secmi(levels=(50,), step=50), lambda case, level: secmi_error(case, level, 50)),
    "rediffuse": (Rediffuse(levels=(200,), draws=3), lambda case, level: rediffuse_error(case, level, 100, 3)),
    "rediffuse of short steps": (
        Rediffuse(levels=(50, 150), step=25, draws=2, order=1),
        lambda case, level: rediffuse_error(case, level, 25, 2, 1),
    ),
}


def check(attack, transcription, target) -> None:
    """Every image, mask and column."""
    batch, masks = a_batch(target, ROWS, prompts=prompts(*CAPTIONS)), some_masks(ROWS)
    sign = 1 if attack.learned else -1
    for mask, scores in scored(attack, batch, masks).items():
        for case, row in zip(cases_of(batch, masks[mask]), scores.tolist(), strict=True):
            wanted = transcription(case)
            assert row == pytest.approx([sign * error for error in wanted], rel=1e-9, abs=1e-15), (mask, case.sample_id)


@pytest.mark.parametrize("head", NETWORK_HEADS)
@pytest.mark.parametrize("name", BY_LEVEL)
def test_an_error_by_level_is_its_transcription(name, head):
    attack, at_level = BY_LEVEL[name]
    check(attack, lambda case: [at_level(case, level) for level in attack.levels], network_target(head, text=True))


@pytest.mark.parametrize("order", [2, 3])
def test_flow_mc_is_its_transcription(order):
    attack = FlowMc(levels=(200, 500), draws=3, order=order)
    target = network_target("flow", text=True)
    check(attack, lambda case: [flow_mc_error(case, level, 3, order) for level in attack.levels], target)


@pytest.mark.parametrize("head", NETWORK_HEADS)
def test_pfami_is_its_transcription(head):
    attack = Pfami(levels=(50, 200), crops=(95, 81, 70))
    check(attack, lambda case: [pfami_error(case, (50, 200), (0.95, 0.81, 0.70))], network_target(head, text=True))


@pytest.mark.parametrize("head", NETWORK_HEADS)
@pytest.mark.parametrize(
    ("flips", "axes"),
    [({}, [(2,), (1,)]), ({"turned": True, "vertical": False}, [(2,), (1, 2)]), ({"horizontal": False}, [(1,)])],
)
def test_mirror_is_its_transcription(flips, axes, head):
    attack = Mirror(levels=(20, 180), **flips)
    check(
        attack, lambda case: [mirror_error(case, level, axes) for level in (20, 180)], network_target(head, text=True)
    )


@pytest.mark.parametrize("head", NETWORK_HEADS)
def test_clid_is_its_transcription(head):
    attack, target = Clid(levels=(440, 450, 460), weights=(0, 30, 1000)), network_target(head, text=True)
    check(attack, lambda case: [clid_error(case, attack.levels, weight / 1000) for weight in attack.weights], target)


@pytest.mark.parametrize("latent", [False, True])
def test_recon_is_its_transcription(latent):
    check(Recon(latent=latent), lambda case: [recon_error(case, latent=latent)], network_target())


@pytest.mark.parametrize("head", ["epsilon", "flow"])
@pytest.mark.parametrize("each", [False, True])
def test_gsa_is_its_transcription(each, head):
    # central differences of a tanh network are good to about the square of their width
    attack = Gsa(levels=(99, 499), each=each)
    target = network_target(head, text=True)
    batch, masks = a_batch(target, [3]), {"influence": some_masks()["influence"][3:]}
    (case,) = cases_of(batch, masks["influence"])
    wanted = gsa_features(case, attack.levels, each=each)
    assert scored(attack, batch, masks)["influence"][0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_gsa_has_a_floor_for_weights_that_do_not_matter():
    target = network_target()
    target.denoiser.module.register_parameter("idle", nn.Parameter(torch.ones(3, dtype=torch.float64)))
    features = scored(Gsa(levels=(99, 499)), a_batch(target))["none"]
    names = [name for name, _ in target.denoiser.module.named_parameters()]
    idle = features[:, names.index("idle")]
    busy = features[:, [place for place, name in enumerate(names) if name != "idle"]]
    torch.testing.assert_close(idle, busy.logsumexp(dim=1) + math.log(1e-12), rtol=0, atol=1e-9)


@pytest.mark.parametrize("share", [0.95, 0.81, 0.7, 0.3, 0.01])
def test_a_crop_is_cut_and_enlarged_as_the_transcription_does(share):
    images = a_batch().images
    found = crop_centre(images, share)
    for image, wanted in zip(images, found, strict=True):
        torch.testing.assert_close(crop(image, share), wanted, rtol=1e-9, atol=1e-12)


def test_every_attack_has_a_transcription():
    covered = {attack.name for attack, _ in BY_LEVEL.values()} | {"flow_mc", "pfami", "mirror", "clid", "recon", "gsa"}
    assert covered == set(ATTACKS)


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        ("loss@matsumoto", Loss(levels=(350,), draws=1, order=2)),
        ("loss@carlini", Loss(levels=(100,), draws=5, order=2)),
        ("sima@sd", Sima(levels=tuple(range(0, 191, 10)), order=4)),
        ("sima@ddpm", Sima(levels=tuple(range(0, 301, 10)), order=4)),
        ("pia@paper", Pia(levels=tuple(range(10, 301, 10)), order=4)),
        ("pia@sd", Pia(levels=tuple(range(10, 501, 10)), order=4)),
        ("pian@code", Pian(size=CODE, order=4)),
        ("pian@eq", Pian(size=EQUATION, order=4)),
        ("secmi@paper", Secmi(levels=(100,), step=10, order=2)),
        ("pfami@met", Pfami(crops=(95, 92, 89, 86, 84, 81, 78, 75, 73, 70))),
        ("clid@difference", Clid(weights=(0,))),
        ("rediffuse@paper", Rediffuse(levels=(200,), step=100, draws=10)),
        ("flow_mc@midpoint", FlowMc(levels=(500,))),
        ("gsa@1", Gsa(each=False)),
        ("gsa@2", Gsa(each=True)),
        ("mirror@unflipped", Mirror(horizontal=False)),
        ("recon@latent", Recon(latent=True)),
    ],
)
def test_a_preset_is_what_its_authors_published(spec, given):
    (found,) = parse_attacks([spec])
    assert replace(found, preset="") == given
    assert found.label == spec
