"""The plan of an audit says what the networks are really asked, and what attacks share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cases import CAPTIONS, SPECS, a_batch, a_network, agree, an_attack, at, everything, ones, passes, some_masks
from models import gaussian_target, linear_target

from privaudit.attacks import PassCache, make_plan, score_batch
from privaudit.attacks.plan import WORK

COUNTABLE = ("forward", "encode", "decode")
every_kind = pytest.mark.parametrize("kind", ["loss", "clid", "flow_mc"], ids=["unconditional", "text", "flow"])


@pytest.mark.parametrize("spec", SPECS)
def test_alone_an_attack_takes_the_passes_that_are_planned(spec):
    attack, target = an_attack(spec)
    (step,) = make_plan([attack], target, list(some_masks())).steps
    assert {work: step.alone[work] for work in COUNTABLE} == passes([attack], target)
    assert step.alone == step.added
    assert step.shares == ()


@every_kind
def test_together_all_attacks_take_the_passes_that_are_planned(kind):
    attacks, target = everything(kind)
    plan = make_plan(attacks, target, list(some_masks()))
    assert {work: plan.total(work) for work in COUNTABLE} == passes(attacks, target)
    assert plan.total("forward") < plan.alone("forward")
    assert plan.alone("forward") == sum(passes([attack], target)["forward"] for attack in attacks)


@every_kind
def test_what_is_forgotten_as_planned_was_not_needed_again(kind):
    attacks, target = everything(kind)
    masks = some_masks()
    plan = make_plan(attacks, target, list(masks))
    kept, forgetful = PassCache(), PassCache(expected=plan.expected)
    wanted = score_batch(attacks, a_batch(target, cache=kept), masks)
    agree(score_batch(attacks, a_batch(target, cache=forgetful), masks), wanted, rtol=0)
    assert forgetful.work == kept.work
    assert kept._results
    assert not forgetful._results
    assert passes(attacks, target, PassCache(expected=plan.expected)) == {work: plan.total(work) for work in COUNTABLE}
    for step in plan.steps:
        assert {work: kept.work[step.label, work] for work in WORK} == step.added


def test_memory_is_freed_as_early_as_the_last_attack_has_asked():
    target = linear_target()
    attacks = at(target, "sima:levels=0,20", "pia:levels=40", "loss:levels=40")
    cache = PassCache(expected=make_plan(attacks, target).expected)
    batch = a_batch(target, cache=cache)
    masks = {"none": torch.ones(batch.latents.shape)}
    held = []
    for attack in attacks:
        score_batch([attack], batch, masks)
        held.append(sum(isinstance(value, torch.Tensor) for value in cache._results.values()))
    assert held == [1, 0, 0], "pia still asks for the pass at level 0"


@pytest.mark.parametrize(
    ("spec", "forward", "encode", "decode"),
    [
        ("loss:levels=350", 1, 0, 0),
        ("loss@matsumoto", 1, 0, 0),
        ("loss@carlini", 5, 0, 0),
        ("sima:levels=100", 1, 0, 0),
        ("sima@sd", 20, 0, 0),
        ("epsilon:levels=100:draws=7", 7, 0, 0),
        ("pia:levels=200", 2, 0, 0),
        ("pia:levels=100,200,300", 4, 0, 0),
        ("pia@paper", 31, 0, 0),
        ("pian:levels=200", 2, 0, 0),
        ("secmi@paper", 11, 0, 0),
        ("secmi:levels=50,100", 12, 0, 0),
        ("pfami", 20, 1, 0),
        ("pfami@met", 110, 10, 0),
        ("clid", 15, 0, 0),
        ("rediffuse@paper", 20, 0, 0),
        ("gsa", 10, 0, 0),
        ("flow_mc:levels=500:draws=6", 6, 0, 0),
        ("mirror:levels=20", 3, 2, 0),
        ("recon", 0, 1, 1),
        ("recon@latent", 0, 2, 1),
    ],
)
def test_passes_are_those_of_the_table_in_the_design(spec, forward, encode, decode):
    attack, target = an_attack(spec)
    assert passes([attack], target) == {"forward": forward, "encode": encode, "decode": decode}


@pytest.mark.parametrize("spec", ["gsa", "gsa@2"])
def test_gradients_cost_passes_back_for_every_mask(spec):
    attack, target = an_attack(spec)
    for masks in (["none"], ["none", "random", "influence"]):
        (step,) = make_plan([attack], target, masks).steps
        assert step.alone["forward"] == 10
        assert step.alone["backward"] == 10 * len(masks)


# ------------------------------------------------------------------------------- what is shared


@pytest.mark.parametrize(
    ("specs", "total", "added"),
    [
        # loss, epsilon, pfami and clid use draw 0 of the noise at a level; pfami also that of its crop
        (["loss:levels=100", "epsilon:levels=100:draws=4", "pfami:levels=100"], 5, [1, 3, 1]),
        (["pfami:levels=100", "loss:levels=100"], 2, [2, 0]),
        (["loss:levels=440", "clid:levels=440"], 5, [1, 4]),
        # eps_hat(z_0, 0)
        (["sima:levels=0", "pia:levels=200", "pian:levels=200", "secmi:levels=20"], 5, [1, 1, 1, 2]),
        (["mirror:levels=0,20", "sima:levels=0,20"], 6, [6, 0]),
        # the first step of a variation is taken at a noised latent
        (["epsilon:levels=200:draws=3", "rediffuse:levels=200:step=100:draws=3"], 6, [3, 3]),
        (["loss:levels=100", "loss@carlini"], 5, [1, 4]),
        # nothing in common
        (["loss:levels=100", "sima:levels=100"], 2, [1, 1]),
        (["loss:levels=100", "loss@matsumoto"], 2, [1, 1]),
    ],
)
def test_each_distinct_pass_is_run_once(specs, total, added):
    target = a_network("text") if any(spec.startswith("clid") for spec in specs) else gaussian_target()
    attacks = at(target, *specs)
    plan = make_plan(attacks, target)
    assert [step.added["forward"] for step in plan.steps] == added
    assert plan.total("forward") == total == passes(attacks, target)["forward"]


def test_says_whose_results_an_attack_uses():
    target = gaussian_target()
    steps = make_plan(
        at(target, "sima:levels=0,20", "loss:levels=100", "pia:levels=40", "secmi:levels=20"), target
    ).steps
    assert [step.shares for step in steps] == [(), (), ("sima",), ("sima", "pia")]


def test_embedded_captions_are_not_counted_as_shared_passes():
    target = a_network("text")
    steps = make_plan(at(target, "sima:levels=20", "loss:levels=20"), target).steps
    assert steps[1].shares == ()


@pytest.mark.parametrize("planned", [False, True])
def test_captions_are_embedded_once_each(planned):
    target = a_network("text")
    attacks = at(target, "clid", "sima", "loss:levels=440", "pia", "gsa")
    expected = make_plan(attacks, target).expected if planned else None
    score_batch(attacks, a_batch(target, cache=PassCache(expected=expected)), {"none": ones()})
    assert len(target.conditioner.asked) == 5, "own captions and four shares of them"
    assert target.conditioner.asked.count(CAPTIONS) == 1


# ------------------------------------------------------------------------------- made without a model


def test_no_model_is_run_and_no_random_number_drawn():
    target = a_network("text")
    state = torch.random.get_rng_state()
    make_plan(at(target, "loss", "clid", "pfami", "gsa", "recon"), target)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert target.denoiser.passes == []
    assert target.conditioner.asked == []


@pytest.mark.parametrize("spec", SPECS)
def test_a_plan_does_not_depend_on_the_networks(spec):
    attack, target = an_attack(spec)
    other = replace(target, denoiser=None, autoencoder=replace(target.autoencoder, damping=0.9))
    assert make_plan([attack], other).steps == make_plan([attack], target).steps


def test_an_empty_plan_costs_nothing():
    plan = make_plan([], gaussian_target())
    assert plan.steps == ()
    assert plan.total("forward") == plan.alone("forward") == 0
