"""The contract of every registered solver."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from invertible import (
    Watched,
    curved,
    generated,
    linear,
    relative_pixel_residual,
    relative_residual,
    spread,
    symmetric,
    tag,
    tagged,
    tags,
    trained,
)
from models import linear_target, random_normal

from privaudit.errors import ConfigError
from privaudit.inversion import OUTCOMES, SOLVERS, invert

NAMES = sorted(SOLVERS)
ITERATIVE = [name for name in NAMES if name != "encoder"]
GRADIENT_FREE = [name for name in ITERATIVE if not SOLVERS[name].by_gradient]
LATENT, IMAGE = (2, 3), (2, 5)


@pytest.fixture(params=["linear", "curved"])
def problem(request):
    """An autoencoder, images that it decoded, and the latents that it decoded them from."""
    latents = random_normal(5, *LATENT)
    autoencoder = linear(symmetric(spread(0.85, 1.0)), LATENT, IMAGE) if request.param == "linear" else None
    autoencoder = autoencoder or curved(LATENT, IMAGE)
    return autoencoder, autoencoder.decode(latents), latents


def test_the_registry_holds_the_solvers_of_the_paper_and_ours():
    assert set(NAMES) == {
        "adam",
        "anderson",
        "encoder",
        "forward-step",
        "gradient",
        "krasnoselskii-mann",
        "pixel-mixing",
    }


@pytest.mark.parametrize("name", NAMES)
class TestEverySolver:
    def test_says_what_it_is_and_cannot_be_changed(self, name):
        solver = SOLVERS.build(name)
        assert solver.name == name
        assert solver.citation
        assert solver.summary
        assert solver.judge in ("latent", "pixel")
        assert solver == SOLVERS[name]()
        with pytest.raises(FrozenInstanceError):
            solver.tolerance = 1.0

    def test_lowers_what_judges_it(self, name, problem):
        autoencoder, images, _ = problem
        found = invert(autoencoder, images, SOLVERS.build(name))
        start = relative_residual(autoencoder, found.encoded, images)
        start_pixel = relative_pixel_residual(autoencoder, found.encoded, images)
        torch.testing.assert_close(found.encoded, autoencoder.encode(images))
        torch.testing.assert_close(found.pixel_residuals[:, 0], start_pixel)
        if name == "encoder":
            torch.testing.assert_close(found.latents, found.encoded, rtol=0, atol=0)
            torch.testing.assert_close(found.residual, start)
        else:
            assert (found.residual < start).all()
            assert (found.pixel_residual < start_pixel).all()

    def test_gives_float32_latents_without_history_of_gradients(self, name, problem):
        autoencoder, images, latents = problem
        found = invert(autoencoder, images, SOLVERS.build(name))
        assert found.latents.shape == found.encoded.shape == latents.shape
        columns = (5, int(found.evaluations.max()))
        assert found.residuals.shape == found.pixel_residuals.shape == columns
        for values in (found.latents, found.encoded, found.residuals, found.pixel_residuals, found.floor):
            assert values.dtype == torch.float32
            assert not values.requires_grad
        for values in (found.residual, found.pixel_residual, found.best, found.evaluations, found.floor):
            assert values.shape == (5,)
        assert found.best.dtype == found.evaluations.dtype == torch.int64
        assert found.diverged.dtype == found.converged.dtype == found.stalled.dtype == torch.bool
        assert set(found.outcomes) <= set(OUTCOMES)
        assert len(found.outcomes) == 5
        assert found.nmse is None
        assert found.cocoercivity is None

    def test_residuals_are_those_of_the_returned_latents(self, name, problem):
        autoencoder, images, _ = problem
        found = invert(autoencoder, images, SOLVERS.build(name))
        wanted = relative_residual(autoencoder, found.latents, images)
        torch.testing.assert_close(found.residual, wanted, rtol=1e-3, atol=1e-6)
        wanted = relative_pixel_residual(autoencoder, found.latents, images)
        torch.testing.assert_close(found.pixel_residual, wanted, rtol=1e-3, atol=1e-6)

    def test_returns_the_best_iterate(self, name, problem):
        autoencoder, images, _ = problem
        found = invert(autoencoder, images, SOLVERS.build(name))
        history = found.residuals if SOLVERS[name].judge == "latent" else found.pixel_residuals
        least = history.nan_to_num(nan=torch.inf).argmin(dim=1)
        stopped_at = found.evaluations - 1
        done = found.converged if not SOLVERS[name].by_gradient else torch.zeros(5, dtype=torch.bool)
        assert found.best.tolist() == torch.where(done, stopped_at, least).tolist()

    def test_counts_evaluations_and_leaves_nan_where_there_was_none(self, name, problem):
        autoencoder, images, _ = problem
        watched = Watched(autoencoder)
        found = invert(watched, images, SOLVERS.build(name))
        by_gradient = SOLVERS[name].by_gradient
        assert (found.evaluations >= 1).all()
        assert (found.evaluations <= SOLVERS.build(name).evaluations).all()
        assert sum(watched.decoded) == int(found.evaluations.sum()) + 5 * by_gradient
        evaluated = torch.arange(found.residuals.shape[1]) < found.evaluations[:, None]
        assert torch.equal(~found.pixel_residuals.isnan(), evaluated)
        if by_gradient:
            evaluated = torch.arange(found.residuals.shape[1]) == found.best[:, None]
        assert torch.equal(~found.residuals.isnan(), evaluated)

    def test_one_evaluation_is_enough_to_say_how_good_the_encoder_is(self, name, problem):
        autoencoder, images, _ = problem
        found = invert(autoencoder, images, replace(SOLVERS.build(name), evaluations=1))
        torch.testing.assert_close(found.latents, autoencoder.encode(images))
        torch.testing.assert_close(found.residual, relative_residual(autoencoder, found.encoded, images))
        assert found.evaluations.tolist() == [1] * 5
        assert set(found.outcomes) == {"budget spent"}

    def test_does_not_depend_on_the_batch_or_its_order(self, name, problem):
        autoencoder, images, _ = problem
        whole = invert(autoencoder, images, SOLVERS.build(name))
        order = torch.tensor([3, 0, 4, 1, 2])
        shuffled = invert(autoencoder, images[order], SOLVERS.build(name))
        torch.testing.assert_close(shuffled.latents, whole.latents[order], rtol=1e-4, atol=1e-5)
        assert shuffled.evaluations.tolist() == whole.evaluations[order].tolist()
        assert shuffled.outcomes == tuple(whole.outcomes[place] for place in order.tolist())
        for part, start, stop in ((images[:1], 0, 1), (images[1:3], 1, 3), (images[3:], 3, 5)):
            found = invert(autoencoder, part, SOLVERS.build(name))
            torch.testing.assert_close(found.latents, whole.latents[start:stop], rtol=1e-4, atol=1e-5)
            wanted = whole.residuals[start:stop, : found.residuals.shape[1]]
            torch.testing.assert_close(found.residuals, wanted, rtol=1e-2, atol=1e-5, equal_nan=True)
            assert found.outcomes == whole.outcomes[start:stop]

    def test_gives_the_same_twice_and_leaves_its_input_alone(self, name, problem):
        autoencoder, images, _ = problem
        before = images.clone()
        first, second = (invert(autoencoder, images, SOLVERS.build(name)) for _ in range(2))
        assert torch.equal(first.latents, second.latents)
        assert torch.equal(images, before)

    def test_an_exact_inverse_costs_one_evaluation(self, name):
        autoencoder = linear(torch.eye(6, dtype=torch.float64))
        latents = random_normal(3, 6)
        found = invert(autoencoder, autoencoder.decode(latents), replace(SOLVERS.build(name), tolerance=1e-5))
        torch.testing.assert_close(found.latents, latents, rtol=1e-4, atol=1e-5)
        assert set(found.outcomes) == {"converged"}
        if not SOLVERS[name].by_gradient:
            assert found.evaluations.tolist() == [1] * 3

    def test_takes_a_target_as_well_as_an_autoencoder(self, name):
        target, latents = linear_target(damping=0.1), random_normal(2, 2, 4, 4)
        found = invert(target, target.decode(latents), SOLVERS.build(name))
        alone = invert(target.autoencoder, target.decode(latents), SOLVERS.build(name))
        assert found.latents.shape == latents.shape
        torch.testing.assert_close(found.latents, alone.latents, rtol=0, atol=0)

    def test_names_are_specifications(self, name, problem):
        autoencoder, images, _ = problem
        by_name = invert(autoencoder, images, name)
        torch.testing.assert_close(by_name.latents, invert(autoencoder, images, SOLVERS[name]()).latents)

    def test_images_that_remember_gradients_leave_no_trace(self, name, problem):
        autoencoder, images, _ = problem
        found = invert(autoencoder, images.requires_grad_(), SOLVERS.build(name))
        assert not any(
            each.requires_grad for each in (found.latents, found.encoded, found.residuals, found.pixel_residuals)
        )
        assert images.grad is None

    def test_takes_images_of_any_float_type(self, name, problem):
        autoencoder, images, _ = problem
        wanted = invert(autoencoder, images, SOLVERS.build(name))
        found = invert(autoencoder, images.double(), SOLVERS.build(name))
        torch.testing.assert_close(found.latents, wanted.latents, rtol=1e-4, atol=1e-5)


SHARP = {
    "adam": "adam:rate=0.02:tolerance=0.001:evaluations=100",
    "anderson": "anderson:tolerance=0.0001",
    "forward-step": "forward-step:tolerance=0.0001",
    "gradient": "gradient:tolerance=0.001",
    "krasnoselskii-mann": "krasnoselskii-mann:tolerance=0.0001",
    "pixel-mixing": "pixel-mixing:tolerance=0.0001",
}


@pytest.mark.parametrize("name", ITERATIVE)
def test_finds_the_true_latents_of_a_linear_decoder(name):
    autoencoder, latents = linear(symmetric(spread(0.85, 1.0))), random_normal(4, 6)
    solver = SOLVERS.build(SHARP[name])
    found = invert(autoencoder, autoencoder.decode(latents), solver, truth=latents)
    assert set(found.outcomes) == {"converged"}
    # eigenvalues from .85 on: a relative residual r leaves an error of at most r / .85
    assert (found.nmse < 20 * torch.log10(torch.tensor(solver.tolerance / 0.85))).all()
    torch.testing.assert_close(found.latents, latents, rtol=0, atol=0.01)


@pytest.mark.parametrize("name", GRADIENT_FREE)
def test_inverts_a_trained_autoencoder_better_than_its_encoder(name):
    autoencoder = trained()
    images, latents = generated(autoencoder, 2)
    encoder = invert(autoencoder, images, "encoder", truth=latents)
    found = invert(autoencoder, images, replace(SOLVERS.build(name), evaluations=8), truth=latents)
    assert (found.nmse < encoder.nmse - 1).all()
    assert (found.residual < 0.8 * encoder.residual).all()
    assert (found.pixel_residual < 0.8 * encoder.pixel_residual).all()


def test_gradients_invert_a_trained_autoencoder_and_leave_its_weights_alone():
    autoencoder = trained()
    autoencoder.module.requires_grad_(True)
    images, latents = generated(autoencoder, 2)
    encoder = invert(autoencoder, images, "encoder", truth=latents)
    found = invert(autoencoder, images, "gradient:evaluations=15", truth=latents)
    assert (found.pixel_residual < 0.8 * encoder.pixel_residual).all()
    assert not found.latents.requires_grad
    assert all(weight.grad is None for weight in autoencoder.module.parameters())


@pytest.mark.parametrize("name", ITERATIVE)
def test_nan_for_one_image_ends_that_image_and_no_other(name):
    autoencoder = tagged([0.9] * 3)
    images = tag(random_normal(3, 4))

    def decode(latents):
        return torch.where((tags(latents) == 1)[:, None], torch.nan, latents)

    found = invert(replace(autoencoder, decode=decode), images, SOLVERS.build(name))
    alone = invert(autoencoder, images[[0, 2]], SOLVERS.build(name))
    assert found.outcomes[1] == "diverged"
    assert found.evaluations[1] == 1
    assert torch.equal(found.latents[1], found.encoded[1])
    assert found.residual[1] == found.pixel_residual[1] == torch.inf
    torch.testing.assert_close(found.latents[[0, 2]], alone.latents)
    torch.testing.assert_close(found.residual[[0, 2]], alone.residual)
    assert (found.outcomes[0], found.outcomes[2]) == alone.outcomes


PARAMETERS = [
    ("adam:rate=0", ["expected rate > 0 for adam, got 0.0"]),
    ("adam:epsilon=-1", ["expected epsilon > 0 for adam, got -1.0"]),
    ("anderson:memory=0", ["expected memory > 0 for anderson, got 0"]),
    ("anderson:rho=-0.5", ["expected rho > 0 for anderson, got -0.5"]),
    ("anderson:regularisation=0", ["expected regularisation >= 1e-14 for anderson, got 0.0"]),
    ("anderson:growth=0.9", ["expected growth >= 1 for anderson, got 0.9"]),
    ("pixel-mixing:growth=0", ["expected growth >= 1 for pixel-mixing, got 0.0"]),
    ("encoder:evaluations=2", ["expected evaluations = 1 for encoder, got 2"]),
    ("forward-step:rho=0", ["expected rho > 0 for forward-step, got 0.0"]),
    ("gradient:rate=0:epsilon=0", ["expected rate > 0 for gradient", "expected epsilon > 0 for gradient"]),
    ("krasnoselskii-mann:lam=0", ["expected lam > 0 for krasnoselskii-mann, got 0.0"]),
    ("krasnoselskii-mann:beta=0", ["expected beta > 0 for krasnoselskii-mann, got 0.0"]),
    ("krasnoselskii-mann:alpha=0", ["expected 0 < alpha < 1 for krasnoselskii-mann, got 0.0"]),
    ("krasnoselskii-mann:alpha=1", ["expected 0 < alpha < 1 for krasnoselskii-mann, got 1.0"]),
    (
        "anderson:memory=0:rho=-1:growth=0:evaluations=0:tolerance=-1",
        ["evaluations >= 1", "tolerance >= 0", "memory > 0", "rho > 0", "growth >= 1"],
    ),
    ("krasnoselskii-mann:lam=-1:beta=0:alpha=2", ["lam > 0", "beta > 0", "0 < alpha < 1"]),
    *[(f"{name}:evaluations=0", [f"expected evaluations >= 1 for {name}, got 0"]) for name in NAMES],
    *[(f"{name}:tolerance=-0.1", [f"expected tolerance >= 0 for {name}, got -0.1"]) for name in NAMES],
    *[(f"{name}:tolerance=nan", [f"expected a finite number for tolerance of {name}, got nan"]) for name in NAMES],
    ("adam:rate=inf", ["expected a finite number for rate of adam, got inf"]),
    ("forward-step:rho=-inf", ["expected a finite number for rho of forward-step, got -inf"]),
]


@pytest.mark.parametrize(("spec", "messages"), PARAMETERS)
def test_parameters_that_cannot_work_are_refused_all_at_once(spec, messages):
    with pytest.raises(ConfigError) as error:
        SOLVERS.build(spec)
    for message in messages:
        assert any(message in problem for problem in error.value.problems), message


def test_what_is_wrong_is_said_once():
    with pytest.raises(ConfigError) as error:
        SOLVERS.build("anderson:memory=0:evaluations=0:tolerance=-1:growth=0")
    assert len(error.value.problems) == 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("newton", f"expected an inversion solver, one of {', '.join(NAMES)}, got newton; see privaudit"),
        ("", "expected an inversion solver, one of adam"),
        ("anderson:depth=3", "expected a parameter of anderson .evaluations, .*memory.*, got 'depth' in anderson:dep"),
        ("anderson:memory", "expected memory=<int> in anderson:memory, got ''"),
        ("anderson:memory=2.5", "expected memory=<int> in anderson:memory=2.5, got '2.5'"),
        ("gradient:schedule=perhaps", "expected schedule=<bool> in gradient:schedule=perhaps, got 'perhaps'"),
    ],
)
def test_specifications_that_say_nothing_are_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        SOLVERS.build(spec)


def test_parameters_reach_the_solver():
    assert SOLVERS.build("anderson:memory=8:tolerance=0.001") == replace(
        SOLVERS.build("anderson"), memory=8, tolerance=1e-3
    )
    assert SOLVERS.build("gradient:schedule=false:rate=.01").schedule is False
