"""Weights of half precision move errors by their rounding, on a real U-Net of diffusers.

Attacks that compare two nearly equal predictions (pia, secmi) have small errors, of which the rounding is a large part;
therefore fields are compared on the scale of a prediction, and not of the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from cases import a_batch, cases_of, ones, scored
from diffusers import UNet2DConditionModel
from models import LATENT, schedule_of, target_of

from privaudit.attacks import ATTACKS, Attack, Batch
from privaudit.attacks.base import FieldAttack, LevelAttack
from privaudit.loading.denoiser import PipelineDenoiser
from privaudit.loading.families.stable_diffusion import StableDiffusion
from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

HALF = (torch.bfloat16, torch.float16)
ROUNDINGS = 8
"""By how many roundings of a prediction a field may be off: eight times the machine epsilon of the weights."""


SHORT = {"secmi": {"step": 50}, "rediffuse": {"draws": 2}}
"""Parameters of attacks that would take many passes."""


@dataclass(frozen=True)
class TinyUNet(PipelineDenoiser):
    """The null condition is a number, too."""

    @property
    def head(self) -> str:
        return self.prediction_type

    def predict_noise(self, noisy, level, condition):
        number = torch.zeros(len(noisy)) if condition is None else condition["number"]
        return super().predict_noise(noisy, level, Condition({"encoder_hidden_states": number.view(-1, 1, 1)}))


@cache
def unet_target(dtype: torch.dtype, head: str) -> Target:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = UNet2DConditionModel(
            sample_size=LATENT[-1],
            in_channels=LATENT[0],
            out_channels=LATENT[0],
            block_out_channels=[8, 16],
            layers_per_block=1,
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
            norm_num_groups=4,
            cross_attention_dim=1,
            attention_head_dim=4,
        )
    module = module.to(dtype).eval().requires_grad_(False)
    return target_of(TinyUNet(StableDiffusion(), module, schedule_of(head), head, dtype), text=True)


def on_the_unet(name: str, dtype: torch.dtype) -> tuple[Attack, Batch]:
    """An attack at two of its levels, with a batch in float32 as an audit has it."""
    kind = ATTACKS[name]
    target = unet_target(dtype, "flow" if "flow model" in kind.needs else "epsilon")
    attack = kind().for_target(target)
    if isinstance(attack, LevelAttack):
        attack = replace(attack, levels=attack.levels[1:3] or attack.levels, **SHORT.get(name, {}))
    batch = a_batch(target)
    return attack, replace(batch, latents=batch.latents.float(), images=batch.images.float())


def scale(batch: Batch, levels: tuple[int, ...]) -> float:
    """The largest prediction, or 1."""
    with torch.no_grad():
        return max([1.0, *(float(batch.predict_clean(level).abs().max()) for level in levels)])


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_half_precision_moves_an_error_by_its_rounding(name, dtype):
    (attack, exact), (_, rounded) = (on_the_unet(name, of) for of in (torch.float32, dtype))
    tolerance = ROUNDINGS * torch.finfo(dtype).eps
    if isinstance(attack, FieldAttack):
        limit = tolerance * scale(exact, attack.levels)
        for level in attack.levels:
            with torch.no_grad():
                moved = (attack.error_field(rounded, level) - attack.error_field(exact, level)).abs().max()
            assert moved < limit
            assert moved > 0, "the weights are not those of float32"
        return
    found, wanted = (scored(attack, batch)["none"] for batch in (rounded, exact))
    if attack.learned:  # of gradients that are zero up to rounding only the rounding is left
        strong = (wanted > wanted.max() - 12).all(dim=0)
        assert strong.sum() > wanted.shape[1] / 2
        found, wanted = found[:, strong], wanted[:, strong]
    # a loss in units of its own size; ratios, logarithms and the reconstruction in theirs
    size = 1 + wanted.abs() if name != "clid" else 2 * LATENT[0] * LATENT[1] * LATENT[2]
    assert ((found - wanted).abs() < 2 * tolerance * size).all()
    assert (name == "recon") == torch.equal(found, wanted), "the autoencoder alone stays in float32"


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_in_float32_a_batch_moves_a_score_by_rounding_only(name):
    attack, batch = on_the_unet(name, torch.float32)
    whole = scored(attack, batch)["none"]
    row = 2
    (case,) = cases_of(batch, ones())[row : row + 1]
    single = Batch(
        batch.target, case.latent[None], [case.sample_id], [Prompt(case.caption)], case.seed, case.image[None]
    )
    found = scored(attack, single)["none"][0]
    if attack.learned:
        strong = whole[row] > whole.max() - 12
        found, wanted = found[strong], whole[row][strong]
    else:
        wanted = whole[row]
    torch.testing.assert_close(found, wanted, rtol=2e-3, atol=1e-5)
