"""Every attack in closed form, where the data are Gaussian and the denoiser is exact, for every head.

For z_0 ~ N(0, V) the optimal eps_hat(z, t) is k z, k = sigma / (alpha^2 V + sigma^2). What the network puts out is that
prediction as noise, sample, v, or a flow of either convention; the attacks must not see the difference.
"""

from __future__ import annotations

import math

import pytest
import torch
from cases import a_batch, agree, scored, some_masks
from models import (
    DATA_FLOW,
    HEADS,
    LATENT,
    GaussianDenoiser,
    NumberConditioner,
    gaussian_target,
    network_target,
    overfitted_target,
    prompts,
    random_normal,
)

from privaudit.attacks import ATTACKS, Batch, parse_attacks
from privaudit.attacks.batch import crop_centre
from privaudit.attacks.clid import Clid
from privaudit.attacks.epsilon import Epsilon
from privaudit.attacks.flow_mc import FlowMc
from privaudit.attacks.gsa import Gsa
from privaudit.attacks.loss import Loss
from privaudit.attacks.pfami import Pfami
from privaudit.attacks.pia import Pia
from privaudit.attacks.pian import Pian
from privaudit.attacks.recon import Recon
from privaudit.attacks.rediffuse import Rediffuse
from privaudit.attacks.secmi import Secmi
from privaudit.attacks.sima import Sima
from privaudit.model.ddim import CLEAN
from privaudit.model.prompt import Prompt

FLOWS = ("flow", DATA_FLOW)
every_head = pytest.mark.parametrize("head", HEADS)


class Law:
    """The closed forms at one target."""

    def __init__(self, head: str) -> None:
        self.target = gaussian_target(head)
        self.batch = a_batch(self.target)
        self.latents = self.batch.latents
        self.variance = self.target.denoiser.variance.double()
        self.first = 10 if head in FLOWS else 0

    def scales(self, level: int):
        return (1.0, 0.0) if level == CLEAN else self.target.alpha_sigma(level)

    def factor(self, level: int) -> torch.Tensor:
        """k: eps_hat(z, t) = k z."""
        alpha, sigma = self.scales(level)
        return sigma / (alpha**2 * self.variance + sigma**2)

    def move(self, start: int, stop: int) -> torch.Tensor:
        """What a deterministic step multiplies a latent by; at `CLEAN` the model is not asked."""
        (alpha, sigma), (alpha_stop, sigma_stop) = self.scales(start), self.scales(stop)
        factor = self.factor(start)
        return alpha_stop * (1 - sigma * factor) / alpha + sigma_stop * factor

    def clean_noise(self, level: int) -> torch.Tensor:
        """eps_hat at the clean latent, whose length a flow model expects to be sqrt(alpha^2 + sigma^2) of z_0's."""
        return self.factor(level) * math.hypot(*self.scales(level)) * self.latents

    def noised(self, level: int, noise: torch.Tensor, latents: torch.Tensor | None = None) -> torch.Tensor:
        alpha, sigma = self.scales(level)
        return alpha * (self.latents if latents is None else latents) + sigma * noise

    def residual(self, level: int, draw: int = 0, latents: torch.Tensor | None = None) -> torch.Tensor:
        noise = self.batch.noise(level, draw)
        return noise - self.factor(level) * self.noised(level, noise, latents)

    def mean_noise(self, level: int, draws: int) -> torch.Tensor:
        return sum(self.batch.noise(level, draw) for draw in range(draws)) / draws


def check_field(attack, law: Law, wanted) -> None:
    for level in attack.levels:
        torch.testing.assert_close(attack.error_field(law.batch, level), wanted(level), rtol=1e-7, atol=1e-10)


@every_head
def test_sima_is_the_factor_times_the_latent(head):
    law = Law(head)
    check_field(Sima(levels=(20, 500)), law, law.clean_noise)


@every_head
def test_epsilon_is_the_factor_times_the_latent_with_its_mean_noise(head):
    law = Law(head)
    check_field(
        Epsilon(levels=(20, 500), draws=3),
        law,
        lambda level: law.factor(level) * law.noised(level, law.mean_noise(level, 3)),
    )


@every_head
def test_loss_is_the_noise_that_the_factor_leaves(head):
    law = Law(head)
    check_field(Loss(levels=(20, 500)), law, law.residual)
    squares = lambda level: sum(law.residual(level, draw).square() for draw in range(3)) / 3  # noqa: E731
    check_field(Loss(levels=(500,), draws=3), law, lambda level: squares(level).sqrt())


@every_head
def test_pia_compares_two_predictions(head):
    law = Law(head)
    own = law.clean_noise(law.first)
    check_field(Pia(levels=(40, 300)), law, lambda level: own - law.factor(level) * law.noised(level, own))


@pytest.mark.parametrize("size", [math.sqrt(2 / math.pi), math.sqrt(math.pi / 2)])
@every_head
def test_pian_brings_the_first_prediction_to_its_size(head, size):
    law = Law(head)
    own = law.clean_noise(law.first)
    own = own * size / own.abs().mean(dim=(1, 2, 3), keepdim=True)
    check_field(Pian(levels=(40, 300), size=size), law, lambda level: own - law.factor(level) * law.noised(level, own))


@pytest.mark.parametrize("head", FLOWS)
def test_an_exact_flow_model_sees_no_noise_in_the_clean_latent(head):
    # so that pia, which compares with what is seen there, starts at a sigma of .01
    law = Law(head)
    torch.testing.assert_close(law.batch.predict_clean(0), torch.zeros_like(law.latents), rtol=0, atol=1e-12)
    assert law.target.alpha_sigma(law.first) == (0.99, 0.01)


@every_head
def test_secmi_is_a_step_on_and_back_from_the_inverted_latent(head):
    law = Law(head)

    def wanted(level: int) -> torch.Tensor:
        reached = law.latents
        for start in range(0, level - 10, 10):
            reached = reached * law.move(start, start + 10)
        return reached * (law.move(level - 10, level) * law.move(level, level - 10) - 1)

    check_field(Secmi(levels=(10, 50, 200)), law, wanted)


def test_secmi_loses_to_smaller_steps_as_their_square():
    # one step on and back errs by the second derivative of the path
    law = Law("epsilon")
    errors = [Secmi(levels=(200,), step=step).error_field(law.batch, 200).norm() for step in (20, 10, 5)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


@every_head
def test_rediffuse_is_a_mean_of_straight_paths(head):
    law = Law(head)

    def wanted(level: int) -> torch.Tensor:
        path = [*range(level, 0, -50), CLEAN]
        moved = law.noised(level, law.mean_noise(level, 3))
        for start, stop in zip(path, path[1:], strict=False):
            moved = moved * law.move(start, stop)
        return law.latents - moved

    check_field(Rediffuse(levels=(50, 200), step=50, draws=3), law, wanted)


def test_a_last_step_that_is_shorter_ends_at_the_clean_latent_too():
    law = Law("epsilon")
    moved = law.noised(130, law.mean_noise(130, 2)) * law.move(130, 80) * law.move(80, 30) * law.move(30, CLEAN)
    check_field(Rediffuse(levels=(130,), step=50, draws=2), law, lambda _: law.latents - moved)


@pytest.mark.parametrize("head", FLOWS)
def test_flow_mc_is_the_distance_to_the_mean_velocity(head):
    law = Law(head)

    def wanted(level: int) -> torch.Tensor:
        # v = E[z_0 - eps | z]
        alpha, sigma = law.scales(level)
        slope = (alpha * law.variance - sigma) / (alpha**2 * law.variance + sigma**2)
        return law.latents - slope * law.noised(level, law.mean_noise(level, 3))

    check_field(FlowMc(levels=(200, 500, 900), draws=3), law, wanted)


@every_head
def test_pfami_is_the_relative_rise_of_a_known_loss(head):
    law, masks = Law(head), some_masks()
    found = scored(Pfami(levels=(50, 400), crops=(90, 81)), law.batch, masks)
    rises = []
    for share in (0.9, 0.81):
        cropped = law.target.encode(crop_centre(law.batch.images, share))
        for level in (50, 400):
            whole, cut = (
                (law.residual(level, 0, at) ** 2 * masks["influence"]).sum((1, 2, 3)) for at in (None, cropped)
            )
            rises.append((cut - whole) / whole)
    torch.testing.assert_close(found["influence"][:, 0], sum(rises) / 4, rtol=1e-6, atol=1e-9)


@every_head
def test_clid_is_the_rise_of_a_known_loss_without_the_caption(head):
    # a caption moves the mean of the data by its number: eps_hat = k (z - alpha m)
    target = gaussian_target(head, text=True)
    captions = ["one two three four"] * 4
    batch = a_batch(target, prompts=prompts(*captions))
    law, direction = Law(head), target.denoiser.direction.double()

    def loss(caption: str | None) -> torch.Tensor:
        total = 0.0
        for level in (440, 450, 460):
            alpha, _ = law.scales(level)
            moved = law.noised(level, batch.noise(level)) - alpha * NumberConditioner.number(caption) * direction
            total = total + (batch.noise(level) - law.factor(level) * moved).square().sum((1, 2, 3)) / 3
        return total

    own = loss(captions[0])
    rise = sum(loss(caption) - own for caption in ("one two three", "one two", "one", None)) / 4
    found = scored(Clid(levels=(440, 450, 460), weights=(0, 100)), batch)["none"]
    torch.testing.assert_close(found, torch.stack([rise, rise - 0.1 * own], dim=1), rtol=1e-7, atol=1e-9)


@every_head
@pytest.mark.parametrize("each", [False, True])
def test_gsa_is_the_gradient_of_a_known_loss(head, each):
    # the head's output is scale * out + shift, and eps_hat is linear in it
    law, mask, levels = Law(head), some_masks()["influence"].double(), (99, 499)
    gradients: dict[str, list[torch.Tensor]] = {"scale": [], "shift": []}
    for level in levels:
        alpha, sigma = law.scales(level)
        slope = {"epsilon": 1.0, "sample": -alpha / sigma, "v_prediction": alpha, "flow": alpha, DATA_FLOW: -alpha}[
            head
        ]
        noisy, residual = law.noised(level, law.batch.noise(level)), law.residual(level)
        noise, clean = law.factor(level) * noisy, alpha * law.variance / sigma * law.factor(level) * noisy
        outputs = {"epsilon": noise, "sample": clean, "v_prediction": alpha * noise - sigma * clean}
        output = outputs.get(head, noise - clean if head == "flow" else clean - noise)
        gradients["scale"].append((-2 * mask * residual * slope * output).sum((2, 3)))
        gradients["shift"].append((-2 * mask * residual * slope).sum((2, 3)))
    wanted = []
    for rows in gradients.values():
        stacked = torch.stack(rows)  # (levels, n, channels)
        parts = stacked if each else stacked.mean(dim=0, keepdim=True)
        wanted.append(parts.square().sum(dim=2).mean(dim=0).log())
    found = scored(Gsa(levels=levels, each=each), law.batch, {"influence": mask})["influence"]
    torch.testing.assert_close(found, torch.stack(wanted, dim=1), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("latent", [False, True])
def test_recon_is_what_a_linear_autoencoder_leaves(latent):
    # E(x) = (1 - d) A+ x and D(z) = A z, so E(D(E(x))) = (1 - d) E(x)
    target = gaussian_target(damping=0.25)
    batch = a_batch(target)
    matrix = target.autoencoder.matrix.double()
    onto = 0.75 * matrix @ torch.linalg.pinv(matrix)
    flat = batch.images.flatten(1)
    wanted = (0.25 * batch.latents if latent else flat - flat @ onto.T).flatten(1).square().sum(dim=1)
    torch.testing.assert_close(scored(Recon(latent=latent), batch)["none"][:, 0], -wanted, rtol=1e-9, atol=0)


# ------------------------------------------------------------------------------- heads and conventions


@pytest.mark.parametrize("spec", sorted(set(ATTACKS) - {"flow_mc", "recon", "clid", "gsa"}))
def test_heads_of_the_same_prediction_give_the_same_scores(spec):
    """Noise, sample and v say the same; gsa differs, since its weights stand behind the head."""
    (attack,) = parse_attacks([spec])
    attack = attack.for_target(gaussian_target("epsilon"))
    wanted = scored(attack, a_batch(gaussian_target("epsilon")), some_masks())
    for head in ("sample", "v_prediction"):
        agree(scored(attack, a_batch(gaussian_target(head)), some_masks()), wanted, rtol=1e-7)


@pytest.mark.parametrize("spec", sorted(set(ATTACKS) - {"recon", "clid"}))
def test_both_conventions_of_flow_models_give_the_same_scores(spec):
    """t = 1 - sigma and v = -out."""
    (attack,) = parse_attacks([spec])
    attack = attack.for_target(gaussian_target("flow"))
    here, there = (scored(attack, a_batch(gaussian_target(head)), some_masks()) for head in FLOWS)
    agree(here, there)


def test_noise_from_a_flow_towards_data_is_z_minus_t_times_its_output():
    target, latents = gaussian_target(DATA_FLOW), random_normal(4, *LATENT, dtype=torch.float64)
    for level in (0, 250, 500, 900, 1000):
        t, sigma = target.alpha_sigma(level)
        assert t == 1 - sigma
        noise, clean = target.denoiser.expected(latents, t, sigma, None)
        towards_data = clean - noise
        torch.testing.assert_close(latents - t * towards_data, noise)
        torch.testing.assert_close(latents + (1 - t) * towards_data, clean)
        torch.testing.assert_close(target.predict_noise(latents, level, None), noise)


def test_sima_of_a_flow_model_is_sima_of_the_diffusion_model_with_the_same_noise():
    """Exact denoisers of the same data: at the same ratio of signal to noise both see the same latent."""
    flow, diffusion = Law("flow"), Law("epsilon")
    sigma = 1 / (1 + math.exp(diffusion.target.schedule.log_snr(300) / 2))
    power = (1 - sigma) ** 2 * flow.variance + sigma**2
    wanted = sigma * math.hypot(1 - sigma, sigma) * flow.latents / power
    torch.testing.assert_close(Sima().error_field(diffusion.batch, 300), wanted, rtol=1e-9, atol=1e-12)
    level = round(1000 * sigma)
    found = Sima().error_field(flow.batch, level)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0)  # the nearest whole level


def test_a_flow_latent_divided_by_its_length_is_a_variance_preserving_one():
    flow, diffusion = gaussian_target("flow"), gaussian_target("epsilon")
    latents = random_normal(4, *LATENT, dtype=torch.float64)
    for level in (50, 300, 700):
        wanted = diffusion.schedule.log_snr(level)
        sigma = 1 / (1 + math.exp(wanted / 2))
        noise, _ = flow.denoiser.expected(latents, 1 - sigma, sigma, None)
        found = diffusion.predict_noise(latents / math.hypot(1 - sigma, sigma), level, None)
        torch.testing.assert_close(found, noise)


# ------------------------------------------------------------------------------- the law of the data


@every_head
@pytest.mark.parametrize("kind", ["gaussian", "overfitted"])
def test_an_exact_prediction_is_minus_sigma_times_the_score(kind, head):
    """Of log p_t, by autograd of the density itself: the models that the tests trust are what they say."""
    peaks = random_normal(2, *LATENT, seed=3, dtype=torch.float64)
    gaussian = gaussian_target(head)
    target = gaussian if kind == "gaussian" else overfitted_target(peaks, ["x", "y"], head)
    level = 400
    alpha, sigma = target.alpha_sigma(level)
    noisy = (alpha * peaks[0] + 1.1 * sigma * random_normal(*LATENT, seed=4, dtype=torch.float64)).requires_grad_()

    def component(centre, variance) -> torch.Tensor:
        power = alpha**2 * variance + sigma**2
        return -0.5 * ((noisy - alpha * centre).square() / power + power.log()).sum()

    if kind == "gaussian":
        density = component(0.0, gaussian.denoiser.variance.double())
    else:
        exact = target.denoiser
        parts = [(peak, exact.width, exact.share / 2) for peak in peaks] + [(0.0, exact.breadth, 1 - exact.share)]
        one = torch.ones(LATENT, dtype=torch.float64)
        logs = [component(centre, own**2 * one) + math.log(share) for centre, own, share in parts]
        density = torch.stack(logs).logsumexp(dim=0)
    (slope,) = torch.autograd.grad(density, noisy)
    torch.testing.assert_close(target.predict_noise(noisy.detach()[None], level, None)[0], -sigma * slope)


@every_head
def test_one_level_an_image_is_the_same_prediction(head):
    for target in (gaussian_target(head), overfitted_target(random_normal(2, *LATENT, seed=3), ["x", "y"], head)):
        latents, levels = random_normal(3, *LATENT, dtype=torch.float64), [10, 400, 10]
        found = target.predict_noise(latents, levels, None)
        for row, level in enumerate(levels):
            torch.testing.assert_close(found[row], target.predict_noise(latents[row : row + 1], level, None)[0])
        assert target.denoiser.passes == [10, 400, 10, 10, 400, 10]


def many(target, count: int = 4000) -> Batch:
    """Latents drawn from the law that the denoiser is exact for."""
    latents = random_normal(count, *LATENT, seed=1, dtype=torch.float64) * target.denoiser.variance.double().sqrt()
    ids = [str(number) for number in range(count)]
    return Batch(target, latents, ids, [Prompt()] * count, 0)


@pytest.mark.parametrize("head", ["epsilon", "flow"])
def test_the_mean_loss_is_the_variance_of_the_noise_given_the_latent(head):
    # E over z_0 and eps of (eps - eps_hat)^2 = alpha^2 V / (alpha^2 V + sigma^2)
    target = gaussian_target(head)
    batch = many(target)
    found = Loss().error_field(batch, 200).square().mean(dim=0)
    alpha, sigma = target.alpha_sigma(200)
    power = alpha**2 * target.denoiser.variance.double()
    relative = found / (power / (power + sigma**2)) - 1
    assert (relative / (2 / len(batch.latents)) ** 0.5).abs().max() < 4.5


def test_more_draws_bring_epsilon_and_flow_mc_to_their_expectations():
    """E eps_hat = k alpha z_0, and E v = slope alpha z_0; the noise in a mean of n falls as 1 / sqrt(n)."""
    draws, level = 200, 500
    law = Law("flow")
    alpha, sigma = law.scales(level)
    factor = law.factor(level)
    found = Epsilon(draws=draws).error_field(law.batch, level)
    assert ((found - factor * alpha * law.latents) / (factor * sigma / draws**0.5)).abs().max() < 4.5
    slope = (alpha * law.variance - sigma) / (alpha**2 * law.variance + sigma**2)
    found = FlowMc(draws=draws).error_field(law.batch, level)
    assert ((found - (1 - slope * alpha) * law.latents) / (slope * sigma / draws**0.5)).abs().max() < 4.5


def test_the_exact_denoiser_loses_less_than_another_network():
    """No network can have a smaller mean loss on these data."""
    exact, other = gaussian_target(), network_target()
    batch = many(exact, 500)
    there = Batch(other, batch.latents, batch.sample_ids, batch.prompts, 0)
    attack = Loss(levels=(20, 200, 600))
    assert (scored(attack, batch)["none"].mean(dim=0) > scored(attack, there)["none"].mean(dim=0)).all()
    assert isinstance(exact.denoiser, GaussianDenoiser)
